"""What holds for every kind of channel. A new kind in NOTIFIERS is tested here before its own test exists."""

import json
import logging
import traceback
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger
from pydantic import SecretStr, ValidationError

from app.core import clock
from app.core.errors import NotifyError, PermanentNotifyError, RetryableNotifyError
from notifiers import NOTIFIERS
from notifiers.base import Message, Notifier, NotifierConfig
from notifiers.egress import build_client
from tests.notifiers.samples import DOWN, POISON, RECOVERED, TEST, poisoned, strings

AnyNotifier = Notifier[Any]
Handler = Callable[[httpx.Request], httpx.Response]

# Kinds whose vendor says yes in another way than a plain "ok".
ACCEPTING: dict[str, Handler] = {}
PERMANENT = [301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 413, 415, 422]
RETRYABLE = [408, 425, 429, 500, 502, 503, 504, 529]
NETWORK_TROUBLES = [
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.PoolTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.RemoteProtocolError,
    TimeoutError,
    OSError,
]

every_kind = pytest.mark.parametrize("notifier", NOTIFIERS.values(), ids=lambda notifier: notifier.kind)


def example(notifier: AnyNotifier) -> NotifierConfig:
    """A config made of the examples in its schema."""
    schema = notifier.config.model_json_schema()
    config: NotifierConfig = notifier.config.model_validate(
        {name: schema["properties"][name]["examples"][0] for name in schema.get("required", [])}
    )
    return config


def secrets_of(config: NotifierConfig) -> set[str]:
    """Each secret, and the parts of it that would be enough for a thief."""
    whole = [value.get_secret_value() for _, value in config if isinstance(value, SecretStr)]
    return {part for secret in whole for part in (secret, secret.rpartition("/")[2]) if part}


def accepting(notifier: AnyNotifier) -> Handler:
    return ACCEPTING.get(notifier.kind, lambda request: httpx.Response(200, text="ok"))


async def send(notifier: AnyNotifier, handler: Handler, message: Message = DOWN) -> None:
    async with build_client("", transport=httpx.MockTransport(handler)) as http:
        await notifier.send(example(notifier), message, http)


async def refusal(notifier: AnyNotifier, handler: Handler) -> NotifyError:
    with pytest.raises(NotifyError) as caught:
        await send(notifier, handler)
    return caught.value


@pytest.mark.parametrize(("key", "notifier"), NOTIFIERS.items())
def test_the_registry_names_each_kind_by_its_own_name(key: str, notifier: AnyNotifier) -> None:
    assert key == notifier.kind
    assert notifier.title


@every_kind
def test_every_field_of_a_config_can_draw_its_form(notifier: AnyNotifier) -> None:
    schema = notifier.config.model_json_schema()
    for name, field in schema["properties"].items():
        assert field.get("title"), name
        assert field.get("description"), name
        assert field.get("examples") or name not in schema.get("required", []), name
        assert (field.get("format") == "password") == field.get("secret", False), name


@every_kind
def test_a_config_is_frozen_and_refuses_unknown_fields(notifier: AnyNotifier) -> None:
    config = example(notifier)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, next(iter(type(config).model_fields)), "other")
    with pytest.raises(ValidationError, match="Extra inputs"):
        notifier.config.model_validate({**config.model_dump(), "surprise": 1})


@every_kind
def test_a_config_never_shows_its_secrets(notifier: AnyNotifier) -> None:
    config = example(notifier)
    shown = repr(config) + str(config) + config.model_dump_json()
    assert not [secret for secret in secrets_of(config) if secret in shown]


@every_kind
def test_a_wrong_config_is_refused_without_an_echo(notifier: AnyNotifier) -> None:
    for name in notifier.config.model_json_schema().get("required", []):
        with pytest.raises(ValidationError) as caught:
            notifier.config.model_validate({name: ["canary-7f3a"], "surprise": "canary-7f3a"})
        assert "canary" not in str(caught.value)


@every_kind
@pytest.mark.parametrize("message", [DOWN, RECOVERED, TEST], ids=lambda message: message.kind.value)
async def test_every_kind_of_message_is_sent(notifier: AnyNotifier, message: Message) -> None:
    await send(notifier, accepting(notifier), message)


@every_kind
@pytest.mark.parametrize("status", RETRYABLE)
async def test_a_status_that_may_pass_is_retried(notifier: AnyNotifier, status: int) -> None:
    error = await refusal(notifier, lambda request: httpx.Response(status, text="trouble"))
    assert isinstance(error, RetryableNotifyError)
    assert str(status) in error.message
    assert error.retry_after is None


@every_kind
@pytest.mark.parametrize("status", PERMANENT)
async def test_a_status_that_will_not_pass_is_final(notifier: AnyNotifier, status: int) -> None:
    error = await refusal(notifier, lambda request: httpx.Response(status, text="trouble"))
    assert isinstance(error, PermanentNotifyError)
    assert str(status) in error.message


@every_kind
@pytest.mark.parametrize("trouble", NETWORK_TROUBLES)
async def test_trouble_on_the_way_is_retried(notifier: AnyNotifier, trouble: type[Exception]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise trouble(f"while posting to {request.url}")

    assert isinstance(await refusal(notifier, fail), RetryableNotifyError)


@every_kind
@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30.0), ("0", 0.0), ("-5", 0.0), ("1.5", 1.5), ("999999999", 3600.0), ("1e999", 3600.0), ("soon", None),
     ("nan", None), ("", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 99 Oct 2015", None)],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
async def test_the_vendors_pause_is_passed_on(
    notifier: AnyNotifier, status: int, header: str, seconds: float | None
) -> None:
    error = await refusal(notifier, lambda request: httpx.Response(status, headers={"Retry-After": header}))
    assert isinstance(error, RetryableNotifyError)
    assert error.retry_after == seconds


@every_kind
async def test_a_pause_given_as_a_date_becomes_seconds(notifier: AnyNotifier) -> None:
    date = format_datetime(clock.now() + timedelta(minutes=10), usegmt=True)
    error = await refusal(notifier, lambda request: httpx.Response(429, headers={"Retry-After": date}))
    assert isinstance(error, RetryableNotifyError)
    assert error.retry_after is not None
    assert 500 < error.retry_after <= 600


@every_kind
async def test_a_redirect_is_not_followed(notifier: AnyNotifier) -> None:
    seen: list[httpx.URL] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(307, headers={"Location": "http://169.254.169.254/latest"})

    assert isinstance(await refusal(notifier, redirect), PermanentNotifyError)
    assert len(seen) == 1


@every_kind
async def test_the_idempotency_key_is_the_same_over_retries(notifier: AnyNotifier) -> None:
    requests: list[httpx.Request] = []

    def fail_once(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(503) if len(requests) == 1 else accepting(notifier)(request)

    await refusal(notifier, fail_once)
    await send(notifier, fail_once)
    assert [request.headers["Idempotency-Key"] for request in requests] == [DOWN.key, DOWN.key]
    assert requests[0].content == requests[1].content


@every_kind
@pytest.mark.parametrize("text", POISON.values(), ids=POISON.keys())
async def test_poison_is_made_harmless_and_sent(notifier: AnyNotifier, text: str) -> None:
    for message in poisoned(text):
        await send(notifier, _harmless_then(accepting(notifier)), message)


@every_kind
@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(exclude_categories=())))
async def test_no_text_keeps_a_message_from_being_sent(notifier: AnyNotifier, text: str) -> None:
    for message in poisoned(text):
        await send(notifier, _harmless_then(accepting(notifier)), message)


def _harmless_then(handler: Handler) -> Handler:
    def check(request: httpx.Request) -> httpx.Response:
        for part in strings(json.loads(request.content.decode())):
            assert not [c for c in part if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) <= 0x9F or c == "\u202e"]
        assert len(request.content) < 100_000
        return handler(request)

    return check


@every_kind
async def test_no_error_and_no_log_line_holds_a_secret(notifier: AnyNotifier, caplog: pytest.LogCaptureFixture) -> None:
    secrets = secrets_of(example(notifier))
    lines: list[str] = []
    sink = logger.add(lines.append, level=0, diagnose=False)
    caplog.set_level(logging.DEBUG)
    try:
        for handler in _hostile_answers(secrets):
            error = await refusal(notifier, handler)
            logger.opt(exception=error).error("delivery failed")
            lines += [repr(error), repr(vars(error)), *traceback.format_exception(error)]
            assert error.__cause__ is None
            assert error.__context__ is None
    finally:
        logger.remove(sink)
    shown = "\n".join(lines) + caplog.text
    assert not [secret for secret in secrets if secret in shown]


def _hostile_answers(secrets: set[str]) -> list[Handler]:
    """Answers that hand the secret back, and failures whose own text holds it."""

    def answers(status: int, text: str) -> Handler:
        return lambda request: httpx.Response(status, text=text, headers={"Location": text, "Retry-After": text})

    def fails(trouble: type[Exception]) -> Handler:
        def fail(request: httpx.Request) -> httpx.Response:
            raise trouble(f"posting to {request.url}")

        return fail

    echoes = [answers(status, text) for status in (*PERMANENT, *RETRYABLE) for text in secrets]
    return [*echoes, *(fails(trouble) for trouble in NETWORK_TROUBLES)]


@every_kind
async def test_a_vendors_cookies_are_not_kept(notifier: AnyNotifier) -> None:
    seen: list[str | None] = []

    def bake(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Cookie"))
        answer = accepting(notifier)(request)
        answer.headers["Set-Cookie"] = "team=one; Path=/"
        return answer

    async with build_client("", transport=httpx.MockTransport(bake)) as http:
        for _ in range(2):
            await notifier.send(example(notifier), DOWN, http)
    assert seen == [None, None]
