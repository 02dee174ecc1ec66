"""Slack: what its messages look like, and how its answers are taken, with the ledger receiver over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from app.core.errors import PermanentNotifyError, RetryableNotifyError
from app.domain.status import Status
from notifiers.egress import build_client
from notifiers.http import Post, post
from notifiers.slack import SlackConfig, payload, send
from tests.kit.ledger import Behaviour, Ledger
from tests.kit.proxy import Faults, Proxy, TcpUpstream, open_proxy
from tests.notifiers.samples import DOWN, POISON, RECOVERED, TEST, poisoned, strings

IMPATIENT = httpx.Timeout(0.3)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with build_client("127.0.0.1") as client:
        yield client


@pytest.fixture
async def proxy(ledger: Ledger) -> AsyncIterator[Proxy]:
    async with open_proxy(TcpUpstream("127.0.0.1", ledger.port)) as running:
        yield running


def config(url: str) -> SlackConfig:
    return SlackConfig(webhook_url=SecretStr(url))


def texts(blocks: list[dict[str, Any]]) -> list[str]:
    """The texts of blocks in the order of reading."""
    found = []
    for block in blocks:
        parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        found += [part["text"] for part in parts if part]
    return found


def test_a_failure_names_status_service_reason_evidence_and_the_way_to_the_incident() -> None:
    body = payload(DOWN)
    attachment = body["attachments"][0]
    assert body["text"] == "✕ Down: payments-api: 502 Bad Gateway"
    assert texts(body["blocks"]) == ["✕ Down: payments-api"]
    assert texts(attachment["blocks"]) == [
        "502 Bad Gateway",
        "```\nGET https://payments.example/health\nanswered 502 after 31 ms\n```",
        "*Severity*\ncritical",
        "*Since*\n<!date^1772366400^{date_short_pretty} {time_secs}|2026-03-01 12:00:00 UTC>",
        "<https://pulse.example/incidents/42|Open incident #42>",
        "Pulseboard, team Platform",
    ]


def test_a_recovery_says_how_long_it_lasted() -> None:
    body = payload(RECOVERED)
    assert body["text"] == "● Up again: payments-api: 200 OK"
    assert "*Duration*\n4 min 12 s" in texts(body["attachments"][0]["blocks"])


def test_a_test_message_says_that_it_is_one() -> None:
    body = payload(TEST)
    assert body["text"] == "Test message from Pulseboard: This channel works."
    assert texts(body["attachments"][0]["blocks"]) == ["This channel works."]


def test_each_status_has_its_symbol_and_its_colour() -> None:
    bodies = {status: payload(replace(DOWN, status=status)) for status in (Status.UP, Status.DEGRADED, Status.DOWN)}
    assert [texts(body["blocks"])[0][0] for body in bodies.values()] == ["●", "▲", "✕"]
    assert len({body["attachments"][0]["color"] for body in bodies.values()}) == 3


@pytest.mark.parametrize("text", POISON.values(), ids=POISON.keys())
def test_poison_stays_within_slacks_limits(text: str) -> None:
    for message in poisoned(text):
        body = payload(message)
        attachment = body["attachments"][0]
        assert 0 < _units(texts(body["blocks"])[0]) <= 150
        assert len(body["blocks"]) + len(attachment["blocks"]) <= 50
        assert all(0 < _units(part) <= 3000 for part in texts(attachment["blocks"]))
        fields = [part["text"] for block in attachment["blocks"] for part in block.get("fields", [])]
        assert all(_units(part) <= 2000 for part in fields)
        json.dumps(body, ensure_ascii=False).encode()


@pytest.mark.parametrize("text", POISON.values(), ids=POISON.keys())
def test_nobody_is_called_and_no_link_is_made_by_what_users_wrote(text: str) -> None:
    for message in poisoned(text):
        for part in strings(payload(message)):
            ours = part.replace("<https://pulse.example/incidents/42|Open incident #42>", "").replace("<!date^", "")
            assert "<" not in ours
            assert not [word for word in ("@channel", "@here", "@everyone") if word in part.lower()]


def test_what_is_cut_ends_with_an_ellipsis_and_never_inside_an_escape() -> None:
    long = texts(payload(replace(DOWN, service="&" * 500))["blocks"])[0]
    assert len(long) <= 150
    assert long.endswith("&amp;…")


def test_every_kind_of_line_end_is_a_line_end_in_evidence_and_a_blank_in_a_name() -> None:
    body = payload(replace(DOWN, service="a\rb\u2028c", detail="a\r\nb\rc\u2028d"))
    assert texts(body["blocks"]) == ["✕ Down: a b c"]
    assert texts(body["attachments"][0]["blocks"])[1] == "```\na\nb\nc\nd\n```"


def test_evidence_cannot_leave_its_code_block() -> None:
    detail = texts(payload(replace(DOWN, detail="a```\n*bold*"))["attachments"][0]["blocks"])[1]
    assert detail.count("```") == 2
    assert detail.endswith("\n```")


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "ftp://host/x", "https://h/" + "a" * 3000])
def test_a_link_that_is_none_is_left_out(url: str) -> None:
    assert "Open incident" not in json.dumps(payload(replace(DOWN, url=url)))


def test_a_link_cannot_be_broken_out_of() -> None:
    link = texts(payload(replace(DOWN, url="https://h/?a=1&b=<!channel>|x y"))["attachments"][0]["blocks"])[4]
    assert link == "<https://h/?a=1&amp;b=%3C!channel%3E%7Cx%20y|Open incident #42>"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.slack.com/services/T/B/x",
        "ftp://hooks.slack.com/x",
        "file:///etc/passwd",
        "unix:/run/x",
        "https://",
        "https:///x",
        "https://hooks.slack.com",
        "https://hooks.slack.com/",
        "https://user:pass@hooks.slack.com/x",
        "https://hooks.slack.com/x#y",
        "https://hooks.slack.com:99999/x",
        "https://0177.0.0.1/x",
        "https://\uff11\uff16\uff19.254.169.254/x",
        "https://hooks.slack.com/\x00",
        "https://hooks.slack.com/" + "x" * 3000,
    ],
)
def test_an_address_that_is_no_webhook_is_refused_without_an_echo(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(url)
    assert len(url) < 20 or url not in str(caught.value)


def test_blanks_around_a_pasted_address_are_dropped() -> None:
    assert config(" https://h.example/x\n").webhook_url.get_secret_value() == "https://h.example/x"


async def test_a_message_arrives_over_real_sockets(ledger: Ledger, http: httpx.AsyncClient) -> None:
    await send(config(ledger.url), DOWN, http)
    (entry,) = ledger.entries
    assert entry.body == payload(DOWN)
    assert entry.key == DOWN.key
    assert entry.headers["content-type"] == "application/json"
    assert entry.headers["host"] == f"127.0.0.1:{ledger.port}"


@pytest.mark.parametrize(
    ("behaviour", "error", "words"),
    [
        (Behaviour.RATE_LIMIT, RetryableNotifyError, "429"),
        (Behaviour.ERROR, RetryableNotifyError, "rollup_error"),
        (Behaviour.RESET_AFTER_READ, RetryableNotifyError, "broke the connection off"),
        (Behaviour.GONE, PermanentNotifyError, "channel_is_archived (the channel is archived)"),
        (Behaviour.WRONG_BODY, PermanentNotifyError, "invalid_payload"),
        (Behaviour.REDIRECT, PermanentNotifyError, "redirect"),
    ],
)
async def test_each_answer_is_taken_for_what_it_is(
    ledger: Ledger, http: httpx.AsyncClient, behaviour: Behaviour, error: type[Exception], words: str
) -> None:
    ledger.mode(behaviour, seconds=7, location=ledger.url_of("/elsewhere"))
    with pytest.raises(error) as caught:
        await send(config(ledger.url), DOWN, http)
    assert words in str(caught.value)
    assert "/hook" not in str(caught.value)
    assert getattr(caught.value, "retry_after", None) == (7 if behaviour is Behaviour.RATE_LIMIT else None)
    assert [entry.path for entry in ledger.entries] == ["/hook"]


async def test_a_message_that_slack_took_but_never_confirmed_is_sent_again_with_the_same_key(
    ledger: Ledger, http: httpx.AsyncClient
) -> None:
    http.timeout = IMPATIENT
    ledger.mode(Behaviour.REPLY_THEN_HANG, times=1)
    with pytest.raises(RetryableNotifyError, match="in time"):
        await send(config(ledger.url), DOWN, http)
    await send(config(ledger.url), DOWN, http)
    assert [entry.key for entry in ledger.accepted] == [DOWN.key, DOWN.key]


async def test_a_sender_cancelled_after_slack_read_leaves_the_message_in_the_ledger(
    ledger: Ledger, http: httpx.AsyncClient
) -> None:
    ledger.mode(Behaviour.HOLD_AFTER_READ)
    sending = asyncio.create_task(send(config(ledger.url), DOWN, http))
    await ledger.wait_until(lambda: ledger.holding == 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert [entry.key for entry in ledger.accepted] == [DOWN.key]


async def test_an_exchange_that_trickles_is_cut_off_as_a_whole(
    ledger: Ledger, proxy: Proxy, http: httpx.AsyncClient
) -> None:
    # Each piece comes well within the read timeout; only a deadline over the whole ends this.
    proxy.faults = Faults(bytes_per_s=200)
    url = SecretStr(f"http://127.0.0.1:{proxy.port}/hook")
    with pytest.raises(RetryableNotifyError, match="in time"):
        await post(http, Post("Slack", url, {"text": "hi"}, "key", deadline_s=0.3))
    assert ledger.entries == []


async def test_a_silent_network_is_retried(proxy: Proxy, http: httpx.AsyncClient) -> None:
    http.timeout = IMPATIENT
    proxy.faults = Faults(blackhole=True)
    with pytest.raises(RetryableNotifyError, match="in time"):
        await send(config(f"http://127.0.0.1:{proxy.port}/hook"), DOWN, http)


async def test_a_refused_connection_is_retried(http: httpx.AsyncClient) -> None:
    with pytest.raises(RetryableNotifyError, match="can't be reached"):
        await send(config("http://127.0.0.1:1/hook"), DOWN, http)


@pytest.mark.parametrize("body", ["<html>Sign in to the hotel</html>", "", "OK", "ok\nand more", "x" * 1_000_000])
async def test_a_yes_that_is_not_slacks_is_not_taken_for_sent(body: str) -> None:
    async with build_client("", httpx.MockTransport(lambda request: httpx.Response(200, text=body))) as http:
        with pytest.raises(RetryableNotifyError, match="not with Slack's ok"):
            await send(config("https://h.example/x"), DOWN, http)


@pytest.mark.parametrize(("headers", "chunks"), [({}, 5), ({"Content-Encoding": "gzip"}, 0)])
async def test_an_endless_answer_is_left_and_a_compressed_one_not_unpacked(
    headers: dict[str, str], chunks: int
) -> None:
    answer = httpx.Response(200, stream=_Kilobytes(chunks), headers=headers)
    async with build_client("", httpx.MockTransport(lambda request: answer)) as http:
        with pytest.raises(RetryableNotifyError, match="not with Slack's ok"):
            await send(config("https://h.example/x"), DOWN, http)


async def test_a_token_that_reads_like_a_reason_is_not_shown() -> None:
    async with build_client(
        "", httpx.MockTransport(lambda request: httpx.Response(404, text="my_secret_token"))
    ) as http:
        with pytest.raises(PermanentNotifyError) as caught:
            await send(config("https://h.example/my_secret_token"), DOWN, http)
    assert "secret" not in str(caught.value)


def test_the_incident_opened_in_another_time_zone_is_given_in_utc() -> None:
    since = datetime.fromisoformat("2026-03-01T14:00:00+02:00")
    assert payload(replace(DOWN, since=since)) == payload(replace(DOWN, since=since.astimezone(UTC)))


class _Kilobytes(httpx.AsyncByteStream):
    """A body that fails the test when more than `patience` pieces of it are read."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._patience):
            yield b"x" * 1024
        raise AssertionError("read on")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
