"""Redirects: how many, where to, and what goes along."""

from ipaddress import ip_address

import pytest

from app.core.addresses import probe_policy
from app.domain.status import Outcome
from probes.base import ProbeContext
from tests.probes.helpers import Context, check
from tests.zoo import Behaviour, Kind, Zoo


def _redirect(location: str, status: int = 302) -> Behaviour:
    return Behaviour(kind=Kind.REDIRECT, status=status, location=location)


async def test_a_redirect_is_followed_and_its_time_counted(zoo: Zoo, context: Context) -> None:
    zoo.set("redirecting", _redirect(zoo.url("secure", "/here")))
    result = await check(zoo.url("redirecting"), context())
    assert (result.outcome, result.code, result.facts["redirects"]) == (Outcome.UP, 200, 1)
    assert zoo.residences["secure"].requests[-1].path == "/here"
    phases = result.phases
    parts = (phases.dns, phases.connect, phases.tls, phases.first_byte, phases.download)
    assert all(part is not None for part in parts)
    assert sum(part or 0 for part in parts) == pytest.approx(result.latency_ms, abs=0.02)


async def test_a_redirect_is_the_answer_when_none_may_be_followed(zoo: Zoo, context: Context) -> None:
    zoo.set("redirecting", _redirect(zoo.url("second"), status=301))
    result = await check(zoo.url("redirecting"), context(), max_redirects=0, expected_status="301")
    assert (result.outcome, result.code) == (Outcome.UP, 301)
    assert result.facts["headers"]["location"] == zoo.url("second")
    assert zoo.residences["second"].request_count == 0


@pytest.mark.parametrize("limit", [1, 3, 10])
async def test_a_loop_ends_at_the_limit(zoo: Zoo, context: Context, limit: int) -> None:
    result = await check(zoo.url("redirect-loop"), context(), max_redirects=limit)
    assert (result.outcome, result.cause) == (Outcome.DOWN, "redirect")
    assert f"More than {limit} redirect" in result.message
    assert zoo.residences["redirect-loop"].request_count == limit + 1


async def test_a_redirect_to_metadata_is_refused(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("redirect-metadata"), context())
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "policy")
    assert result.message == (
        "Address 169.254.169.254 may not be checked (rule metadata) (after 1 redirect, at 169.254.169.254)"
    )


async def test_every_hop_is_judged_by_the_address_it_connects_to(zoo: Zoo) -> None:
    host, port = zoo.residences["second"].address
    asked = []

    def refuse_the_second(address: object, at: int) -> str | None:
        asked.append((str(address), at))
        return "own-port" if at == port else None

    zoo.set("redirecting", _redirect(f"http://localhost:{port}/"))
    result = await check(zoo.url("redirecting"), ProbeContext(timeout=5, address_policy=refuse_the_second))
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "policy")
    assert (host, port) in asked
    assert zoo.residences["second"].request_count == 0


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "dict://127.0.0.1:1/"]
)
async def test_a_redirect_to_another_scheme_is_refused(zoo: Zoo, context: Context, location: str) -> None:
    zoo.set("redirecting", _redirect(location))
    result = await check(zoo.url("redirecting"), context())
    assert (result.outcome, result.cause) == (Outcome.DOWN, "redirect")
    assert "http:// or https://" in result.message


async def test_a_redirect_to_a_dead_host_names_the_hop(zoo: Zoo, context: Context) -> None:
    zoo.set("redirecting", _redirect(zoo.url("dead")))
    result = await check(zoo.url("redirecting"), context())
    assert (result.outcome, result.cause) == (Outcome.DOWN, "connect")
    assert result.message == "Connection refused (after 1 redirect, at 127.0.0.1)"


async def test_secret_headers_do_not_follow_to_another_origin(zoo: Zoo, context: Context) -> None:
    zoo.set("redirecting", _redirect(zoo.url("second")))
    headers = {"Authorization": "Bearer s", "X-Api-Key": "s", "Cookie": "s=1", "Accept-Language": "lv"}
    await check(zoo.url("redirecting"), context(), headers=headers)
    sent = zoo.residences["second"].requests[-1].headers
    assert not {"authorization", "x-api-key", "cookie"} & sent.keys()
    assert sent["accept-language"] == "lv"


async def test_headers_follow_to_the_same_origin(zoo: Zoo, context: Context) -> None:
    await check(zoo.url("redirect-loop"), context(), headers={"X-Api-Key": "s"}, max_redirects=1)
    assert [sent.headers["x-api-key"] for sent in zoo.residences["redirect-loop"].requests] == ["s", "s"]


@pytest.mark.parametrize(
    ("status", "sent", "then"),
    [
        (301, ("POST", b"x"), ("GET", b"")),
        (302, ("POST", b"x"), ("GET", b"")),
        (303, ("PUT", b"x"), ("GET", b"")),
        (303, ("HEAD", b""), ("HEAD", b"")),
        (302, ("PUT", b"x"), ("PUT", b"x")),
        (307, ("POST", b"x"), ("POST", b"x")),
        (308, ("PATCH", b"x"), ("PATCH", b"x")),
    ],
)
async def test_the_method_after_a_redirect_is_the_one_browsers_use(
    zoo: Zoo, context: Context, status: int, sent: tuple[str, bytes], then: tuple[str, bytes]
) -> None:
    zoo.set("redirecting", _redirect(zoo.url("second"), status=status))
    await check(zoo.url("redirecting"), context(), method=sent[0], body=sent[1].decode())
    arrived = zoo.residences["second"].requests[-1]
    assert (arrived.method, arrived.body) == then


async def test_our_own_ports_can_not_be_reached_by_a_redirect(zoo: Zoo) -> None:
    port = zoo.residences["second"].address[1]
    policy = probe_policy({(ip_address("0.0.0.0"), port)})
    zoo.set("redirecting", _redirect(f"http://[::ffff:127.0.0.2]:{port}/"))
    result = await check(zoo.url("redirecting"), ProbeContext(timeout=5, address_policy=policy))
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "policy")
    assert "rule own-port" in result.message
