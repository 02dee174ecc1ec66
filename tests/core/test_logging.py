import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from app.core.logging import HIDDEN, scrub, set_up_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What a process without a terminal writes."""
    stream = io.StringIO()
    before = logging.root.handlers[:]
    set_up_logging("web", "DEBUG", stream)
    yield stream
    logger.remove()
    logging.root.handlers[:] = before


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields(lines: io.StringIO) -> None:
    logger.bind(check=7, url="http://a.example/").info("The check ran")
    (event,) = events(lines)
    assert event["message"] == "The check ran"
    assert (event["process"], event["level"], event["check"], event["url"]) == ("web", "INFO", 7, "http://a.example/")


def test_line_breaks_in_values_and_tracebacks_stay_within_the_line(lines: io.StringIO) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.bind(answer="a\nb\r\n{c} <red>").exception("It failed")
    (event,) = events(lines)
    assert event["answer"] == "a\nb\r\n{c} <red>"
    assert "ValueError: two" in event["exception"]


def test_the_standard_librarys_records_arrive_too(lines: io.StringIO) -> None:
    logging.getLogger("elsewhere").warning("Disk %s is {full}", "sda")
    (event,) = events(lines)
    assert (event["message"], event["level"], event["logger"]) == ("Disk sda is {full}", "WARNING", "elsewhere")


SECRETS = {
    "postgresql://pulse:CANARY@db.example:5432/pulse": "password of an address",
    "Authorization: Bearer CANARY-CANARY": "header",
    "{'authorization': 'Basic CANARYCANARY'}": "header in a dict",
    "got eyJhbGciOiJIUzI1NiJ9.eyJDQU5BUlkiOjF9.CANARY back": "signed token",
    "POST https://hooks.slack.com/services/T0/B0/CANARY": "Slack",
    "https://discord.com/api/webhooks/12/CANARY": "Discord",
    "https://acme.webhook.office.com/webhookb2/CANARY": "Teams",
    "GET /setup?token=CANARY HTTP/1.1": "query",
    "GET /_nicegui_ws/socket.io/?client_id=CANARY&EIO=4": "client id",
    'body: {"password": "CANARY and more"}': "JSON",
    "host=db password=CANARY user=x": "connection string",
}


@pytest.mark.parametrize("text", SECRETS, ids=SECRETS.values())
def test_a_secret_is_taken_out_wherever_it_stands(lines: io.StringIO, text: str) -> None:
    try:
        raise RuntimeError(text)
    except RuntimeError:
        logger.bind(detail=text, deep={"list": [text]}).exception(text.replace("{", "{{").replace("}", "}}"))
    assert HIDDEN in lines.getvalue()
    assert "CANARY" not in lines.getvalue()


def test_a_field_with_a_telling_name_is_hidden_whatever_it_holds() -> None:
    assert scrub({"webhook_secret": "hunter2", "nested": {"api_key": "hunter2"}, "cookies": ["hunter2"]}) == {
        "webhook_secret": HIDDEN,
        "nested": {"api_key": HIDDEN},
        "cookies": HIDDEN,
    }


@pytest.mark.parametrize("text", ["https://example.com/path?page=2", "12:30:45 all good", "user@example.com", ""])
def test_plain_text_is_left_alone(text: str) -> None:
    assert scrub(text) == text


def test_a_terminal_gets_one_readable_line_without_control_characters() -> None:
    terminal = Terminal()
    before = logging.root.handlers[:]
    set_up_logging("worker", "INFO", terminal)
    logger.bind(check=7, answer="\x1b[2Jgone\nmore").warning("The check failed\x1b[2J\nand went")
    logger.debug("Not shown")
    logger.remove()
    logging.root.handlers[:] = before
    (line,) = terminal.getvalue().splitlines()
    assert "The check failed" in line
    assert "check=7" in line
    assert "\x1b[2J" not in line
