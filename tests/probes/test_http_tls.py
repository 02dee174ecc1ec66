"""Certificates: what is trusted, what is not, and why, in words."""

import asyncio
import ssl
from dataclasses import replace

import pytest

from app.domain.status import Outcome
from tests.probes.helpers import Context, check
from tests.zoo import Behaviour, Zoo


async def test_a_trusted_certificate_is_up_and_its_days_are_known(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("secure"), context())
    assert (result.outcome, result.code) == (Outcome.UP, 200)
    assert result.facts["certificate_days"] == 90
    assert result.facts["certificate_subject"] == "CN = Zoo host"
    assert result.facts["certificate_issuer"] == "CN = Zoo authority"
    assert result.facts["certificate_expires"].endswith("+00:00")
    phases = result.phases
    assert phases.tls is not None
    assert phases.tls > 0
    parts = (phases.dns, phases.connect, phases.tls, phases.first_byte, phases.download)
    assert sum(part or 0 for part in parts) == pytest.approx(result.latency_ms, abs=0.01)


@pytest.mark.parametrize(
    ("host", "message", "days"),
    [
        ("bad-tls", "Certificate expired 3 days ago", -3),
        ("self-signed", "Certificate is self-signed", 90),
        ("wrong-name", "Certificate is not valid for this name", 90),
    ],
)
async def test_a_bad_certificate_is_down_with_its_reason(
    zoo: Zoo, context: Context, host: str, message: str, days: int
) -> None:
    result = await check(zoo.url(host), context())
    assert (result.outcome, result.cause, result.code) == (Outcome.DOWN, "tls", None)
    assert result.message == message
    assert result.facts["certificate_days"] == days


async def test_nothing_is_sent_to_a_server_with_a_bad_certificate(zoo: Zoo, context: Context) -> None:
    await check(zoo.url("bad-tls"), context(), headers={"Authorization": "secret"})
    await zoo.until(lambda: not zoo.residences["bad-tls"].connections)
    assert zoo.residences["bad-tls"].request_count == 0


@pytest.mark.parametrize("host", ["bad-tls", "self-signed", "wrong-name"])
async def test_a_bad_certificate_is_accepted_when_it_need_not_be_verified(
    zoo: Zoo, context: Context, host: str
) -> None:
    result = await check(zoo.url(host), context(), verify_tls=False)
    assert result.outcome is Outcome.UP
    assert "certificate_days" in result.facts


async def test_an_authority_of_a_stranger_is_not_trusted(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("secure"), replace(context(), ca_file=None))
    assert (result.outcome, result.cause) == (Outcome.DOWN, "tls")
    assert result.message == "Certificate comes from an authority that is not trusted"


async def test_a_bundle_of_ours_that_can_not_be_read_is_unknown(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("secure"), replace(context(), ca_file="/nowhere/ca.pem"))
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "internal")


async def test_plain_http_on_a_tls_port_is_down(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("fast").replace("http:", "https:"), context(timeout=0.5))
    assert (result.outcome, result.cause) in {(Outcome.DOWN, "tls"), (Outcome.DOWN, "timeout")}


async def test_an_outdated_protocol_is_down(zoo: Zoo, context: Context) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(zoo.ca_file.parent / "valid.pem")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=old)
    async with server:
        result = await check(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", context())
    assert (result.outcome, result.cause) == (Outcome.DOWN, "tls")
    assert result.message.startswith("TLS handshake failed")


async def test_a_login_page_in_place_of_the_site_is_told_by_its_keyword(zoo: Zoo, context: Context) -> None:
    zoo.set("secure", Behaviour(body="<h1>Sign in to the network</h1>"))
    result = await check(zoo.url("secure"), context(), keyword="All systems operational")
    assert (result.outcome, result.cause) == (Outcome.DOWN, "keyword")
