"""The SMTP check: greetings, STARTTLS and signing in."""

import base64
import ssl
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.smtp import SMTP, SmtpConfig
from tests.probes.helpers import Context
from tests.probes.servers import saying, upgrading
from tests.zoo import Zoo

HELLO = b"250-mail.example\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"


async def check(port: int, context: ProbeContext, **config: Any) -> ProbeResult:
    return await SMTP.run(SmtpConfig.model_validate({"host": "127.0.0.1", "port": port} | config), context)


def server_context(zoo: Zoo) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(zoo.ca_file.parent / "valid.pem")
    return context


async def test_a_server_that_greets_is_up() -> None:
    async with saying(b"220-mail.example\r\n220 ready\r\n", HELLO, b"221 bye\r\n") as server:
        result = await check(server.port, ProbeContext(timeout=5))
    assert (result.outcome, result.message) == (Outcome.UP, "220 mail.example")


@pytest.mark.parametrize("lines", [(b"421 too busy\r\n",), (b"220 mail\r\n", b"550 go away\r\n")])
async def test_a_server_that_refuses_is_down_with_its_code(lines: tuple[bytes, ...]) -> None:
    async with saying(*lines) as server:
        result = await check(server.port, ProbeContext(timeout=5))
    assert (result.outcome, result.cause) == (Outcome.DOWN, "status")
    assert result.message[:4] in {"421 ", "550 "}


async def test_a_stripped_starttls_is_down() -> None:
    async with saying(b"220 mail\r\n", b"250 mail\r\n", b"502 not here\r\n") as server:
        result = await check(server.port, ProbeContext(timeout=5), security="STARTTLS")
    assert (result.outcome, result.cause) == (Outcome.DOWN, "tls")


@pytest.mark.parametrize(("answer", "outcome"), [(b"235 ok\r\n", Outcome.UP), (b"535 no\r\n", Outcome.DOWN)])
async def test_a_user_signs_in_over_tls(zoo: Zoo, context: Context, answer: bytes, outcome: Outcome) -> None:
    token = base64.b64encode(b"\0ann\0secret")
    over_tls = ((b"", b"220 mail\r\n"), (b"EHLO", HELLO), (b"AUTH PLAIN " + token, answer))
    async with saying_over_tls(zoo, over_tls) as port:
        result = await check(port, context(), security="TLS", user="ann", password="secret")
    assert result.outcome is outcome
    assert outcome is Outcome.UP or (result.cause, result.message) == ("auth", "535 no (answer to AUTH)")
    assert result.facts["certificate_days"] == 90


async def test_starttls_leads_to_a_second_hello(zoo: Zoo, context: Context) -> None:
    before = ((b"", b"220 mail\r\n"), (b"EHLO", HELLO), (b"STARTTLS", b"220 go\r\n"))
    async with upgrading(server_context(zoo), *before, secure=((b"EHLO", HELLO),)) as port:
        result = await check(port, context(), security="STARTTLS")
    assert result.outcome is Outcome.UP
    assert result.phases.tls is not None


def saying_over_tls(zoo: Zoo, dialogue: tuple[tuple[bytes, bytes], ...]) -> Any:
    return upgrading(server_context(zoo), secure=dialogue)


def test_a_password_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="in the clear"):
        SmtpConfig(host="mail.example", user="ann", password="secret")
