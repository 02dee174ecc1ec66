"""The TLS check against real servers: trusted, expiring, wrongly named, outdated, and behind STARTTLS."""

import asyncio
import ssl
from typing import Any

import pytest
import trustme

from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.tls import TLS, TlsConfig
from tests.probes.helpers import Context
from tests.probes.servers import saying, serving, upgrading
from tests.zoo import Zoo


async def check(port: int, context: ProbeContext, **config: Any) -> ProbeResult:
    return await TLS.run(TlsConfig.model_validate({"host": "127.0.0.1", "port": port} | config), context)


def server_context(zoo: Zoo, name: str = "valid") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(zoo.ca_file.parent / f"{name}.pem")
    return context


async def test_a_good_certificate_is_up_and_described(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.residences["secure"].address[1], context())
    assert (result.outcome, result.message) == (Outcome.UP, "Certificate valid for 90 days, TLS 1.3")
    facts = result.facts
    assert facts["certificate_subject"] == "CN = Zoo host"
    assert facts["certificate_issuer"] == "CN = Zoo authority"
    assert facts["certificate_days"] == facts["certificate_chain_days"] == 90
    assert facts["certificate_names"] == ["localhost", "127.0.0.1", "::1"]
    assert facts["certificate_chain"] == ["CN = Zoo host, 90 days"]
    assert facts["certificate_expires"].endswith("+00:00")
    assert facts["tls_version"] == "TLSv1.3"
    assert result.phases.tls is not None


@pytest.mark.parametrize(
    ("host", "message", "days"),
    [
        ("bad-tls", "Certificate expired 3 days ago", -3),
        ("self-signed", "Certificate is self-signed", 90),
        ("wrong-name", "Certificate is not valid for this name", 90),
    ],
)
async def test_a_bad_certificate_is_down_with_its_reason_and_evidence(
    zoo: Zoo, context: Context, host: str, message: str, days: int
) -> None:
    result = await check(zoo.residences[host].address[1], context())
    assert (result.outcome, result.cause, result.message) == (Outcome.DOWN, "tls", message)
    assert result.facts["certificate_days"] == days


async def test_an_authority_of_a_stranger_is_not_trusted(zoo: Zoo) -> None:
    result = await check(zoo.residences["secure"].address[1], ProbeContext(timeout=5))
    assert (result.outcome, result.cause) == (Outcome.DOWN, "tls")
    assert result.message == "Certificate comes from an authority that is not trusted"


@pytest.mark.parametrize(("days", "outcome"), [(90, Outcome.UP), (91, Outcome.DOWN)])
async def test_a_certificate_that_expires_soon_is_down(zoo: Zoo, context: Context, days: int, outcome: Outcome) -> None:
    result = await check(zoo.residences["secure"].address[1], context(), days=days)
    assert result.outcome is outcome
    assert outcome is Outcome.UP or (result.cause, result.message) == ("tls", "Certificate expires in 90 days")


async def test_the_whole_chain_is_shown(context: Context) -> None:
    authority = trustme.CA().create_child_ca()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    async with serving(hold, tls=server) as listener:
        result = await check(listener.port, context())
    assert result.outcome is Outcome.DOWN
    assert len(result.facts["certificate_chain"]) == 2


async def test_a_server_without_the_lowest_protocol_is_down(zoo: Zoo, context: Context) -> None:
    old = server_context(zoo)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with upgrading(old) as port:
        modern = await check(port, context(), minimum="TLS 1.3")
    async with upgrading(old) as port:
        usual = await check(port, context())
    assert (modern.outcome, modern.cause) == (Outcome.DOWN, "tls")
    assert "protocol version" in modern.message
    assert (usual.outcome, usual.facts["tls_version"]) == (Outcome.UP, "TLSv1.2")


SMTP = ((b"", b"220-mail\r\n220 ready\r\n"), (b"EHLO", b"250-mail\r\n250 STARTTLS\r\n"), (b"STARTTLS", b"220 go\r\n"))
IMAP = ((b"", b"* OK hello\r\n"), (b"a STARTTLS", b"* BYE not really\r\na OK go\r\n"))
POP3 = ((b"", b"+OK hello\r\n"), (b"STLS", b"+OK go\r\n"))
POSTGRES = ((b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"S"),)


@pytest.mark.parametrize(
    ("protocol", "dialogue"),
    [("smtp", SMTP), ("imap", IMAP), ("pop3", POP3), ("postgres", POSTGRES)],
    ids=["smtp", "imap", "pop3", "postgres"],
)
async def test_tls_is_asked_for_in_the_servers_protocol(
    zoo: Zoo, context: Context, protocol: str, dialogue: tuple[tuple[bytes, bytes], ...]
) -> None:
    async with upgrading(server_context(zoo), *dialogue) as port:
        result = await check(port, context(), starttls=protocol)
    assert (result.outcome, result.facts["certificate_days"]) == (Outcome.UP, 90)


@pytest.mark.parametrize(
    ("protocol", "lines"),
    [
        ("smtp", (b"220 mail\r\n", b"250 mail\r\n", b"502 not here\r\n")),
        ("imap", (b"* OK hello\r\n", b"a BAD what\r\n")),
        ("pop3", (b"+OK hello\r\n", b"-ERR what\r\n")),
        ("postgres", (b"", b"N")),
    ],
    ids=["smtp", "imap", "pop3", "postgres"],
)
async def test_a_server_without_starttls_is_down(context: Context, protocol: str, lines: tuple[bytes, ...]) -> None:
    async with saying(*lines) as listener:
        result = await check(listener.port, context(), starttls=protocol)
    assert (result.outcome, result.cause) == (Outcome.DOWN, "tls")


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3", "postgres"])
async def test_a_server_of_another_protocol_is_down(context: Context, protocol: str) -> None:
    async with saying(b"SSH-2.0-other\r\n") as listener:
        result = await check(listener.port, context(), starttls=protocol)
    assert (result.outcome, result.cause) == (Outcome.DOWN, "protocol")


async def test_what_is_said_before_the_handshake_is_not_taken_for_tls(zoo: Zoo, context: Context) -> None:
    async with saying(b"+OK hello\r\n", b"+OK go\r\n+OK injected\r\n") as listener:
        result = await check(listener.port, context(), starttls="pop3")
    assert (result.outcome, result.cause) == (Outcome.DOWN, "protocol")


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
