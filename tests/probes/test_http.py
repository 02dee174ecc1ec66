"""The HTTP probe against real servers: what an answer, or the lack of one, is taken for."""

import json
from ipaddress import ip_address

import pytest

from app.core.addresses import probe_policy
from app.domain.status import Outcome
from probes.base import ProbeContext
from probes.http import HTTP
from probes.http_config import HttpConfig
from tests.probes.helpers import Context, check, no_more_files, page, replying
from tests.zoo import Behaviour, Kind, Zoo


async def test_a_good_answer_is_up_with_its_phases_and_facts(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("fast"), context())
    assert (result.outcome, result.code, result.cause, result.message) == (Outcome.UP, 200, "", "200 OK")
    assert result.facts["address"] == "127.0.0.1"
    assert result.facts["http_version"] == "1.1"
    assert result.facts["headers"]["content-type"] == "text/html; charset=utf-8"
    assert "body" not in result.facts
    phases = result.phases
    assert phases.tls is None
    parts = [phases.dns, phases.connect, phases.first_byte, phases.download]
    assert all(part is not None and part >= 0 for part in parts)
    assert sum(part or 0 for part in parts) == pytest.approx(result.latency_ms, abs=0.01)


async def test_a_slow_answer_spends_its_time_before_the_first_byte(zoo: Zoo, context: Context) -> None:
    zoo.set("slow", Behaviour(delay=0.2))
    result = await check(zoo.url("slow"), context())
    assert result.phases.first_byte is not None
    assert result.phases.first_byte >= 200
    assert result.latency_ms is not None
    assert result.latency_ms >= result.phases.first_byte


@pytest.mark.parametrize(
    ("status", "expected", "outcome"),
    [
        (200, "200-399", Outcome.UP),
        (204, "200-399", Outcome.UP),
        (404, "200-399", Outcome.DOWN),
        (404, "200-299, 404", Outcome.UP),
        (502, "200-399", Outcome.DOWN),
        (200, "201", Outcome.DOWN),
        (599, "599", Outcome.UP),
    ],
)
async def test_the_status_decides(zoo: Zoo, context: Context, status: int, expected: str, outcome: Outcome) -> None:
    zoo.set("fast", Behaviour(status=status))
    result = await check(zoo.url("fast"), context(), expected_status=expected)
    assert (result.outcome, result.code) == (outcome, status)
    assert result.cause == ("" if outcome is Outcome.UP else "status")


async def test_a_wrong_status_is_named_and_the_body_kept_as_evidence(zoo: Zoo, context: Context) -> None:
    zoo.set("fast", Behaviour(status=502, body="upstream\0 \x1b[31mgone" + "x" * 5000))
    result = await check(zoo.url("fast"), context())
    assert result.message == "502 Bad Gateway"
    assert result.facts["body"].startswith("upstream [31mgone")
    assert len(result.facts["body"]) <= 2048


async def test_a_keyword_must_be_in_the_body(zoo: Zoo, context: Context) -> None:
    zoo.set("keyword", Behaviour(body="Tere, maailm: kõik on korras"))
    found = await check(zoo.url("keyword"), context(), keyword="kõik on korras")
    missing = await check(zoo.url("keyword"), context(), keyword="Kõik on korras")
    assert found.outcome is Outcome.UP
    assert (missing.outcome, missing.cause, missing.code) == (Outcome.DOWN, "keyword", 200)
    assert missing.message == "The answer does not contain the keyword"


async def test_a_keyword_is_found_in_the_encoding_that_the_answer_claims(context: Context) -> None:
    text = "Größe: für alle".encode("latin-1")
    async with replying(page(text, b"Content-Type: text/plain; charset=ISO-8859-1\r\n")) as url:
        result = await check(url, context(), keyword="für alle")
    assert result.outcome is Outcome.UP


@pytest.mark.parametrize("charset", ["zip", "undefined", "no-such", "idna", "\xff"])
async def test_a_foolish_charset_is_taken_for_utf_8(context: Context, charset: str) -> None:
    header = f"Content-Type: text/plain; charset={charset}\r\n".encode("latin-1")
    async with replying(page(b"hello", header)) as url:
        result = await check(url, context(), keyword="absent")
    assert result.cause == "keyword"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_is_sent_as_named(zoo: Zoo, context: Context, method: str) -> None:
    result = await check(zoo.url("fast", "/path?q=1"), context(), method=method)
    assert result.outcome is Outcome.UP
    sent = zoo.residences["fast"].requests[-1]
    assert (sent.method, sent.path) == (method, "/path?q=1")


async def test_headers_and_body_are_sent_as_given(zoo: Zoo, context: Context) -> None:
    headers = {"X-Token": "s3cret", "X-Empty": "", "X-Wide": "ē", "User-Agent": "mine"}
    await check(zoo.url("fast"), context(), method="POST", headers=headers, body='{"a": "ā"}')
    sent = zoo.residences["fast"].requests[-1]
    assert sent.body.decode() == '{"a": "ā"}'
    assert sent.headers["content-type"] == "application/json"
    assert (sent.headers["x-token"], sent.headers["x-empty"], sent.headers["user-agent"]) == ("s3cret", "", "mine")
    assert sent.headers["x-wide"].encode("latin-1").decode() == "ē"
    assert sent.headers["accept-encoding"] == "identity"


async def test_a_content_type_of_the_user_wins(zoo: Zoo, context: Context) -> None:
    await check(zoo.url("fast"), context(), method="PUT", headers={"content-type": "text/xml"}, body="<a/>")
    assert zoo.residences["fast"].requests[-1].headers["content-type"] == "text/xml"


async def test_proxies_of_the_environment_are_ignored(
    zoo: Zoo, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await check(zoo.url("fast"), context())).outcome is Outcome.UP
    assert (await check(zoo.url("secure"), context())).outcome is Outcome.UP


async def test_a_closed_port_is_down(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("dead"), context())
    assert (result.outcome, result.cause, result.message) == (Outcome.DOWN, "connect", "Connection refused")


async def test_a_host_that_dies_and_returns_is_seen(zoo: Zoo, context: Context) -> None:
    found = []
    for behaviour in (Behaviour(), Behaviour(kind=Kind.DEAD), Behaviour()):
        zoo.set("fast", behaviour)
        found.append((await check(zoo.url("fast"), context())).outcome)
    assert found == [Outcome.UP, Outcome.DOWN, Outcome.UP]


async def test_a_reset_is_down(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("resetting"), context())
    assert (result.outcome, result.cause) == (Outcome.DOWN, "protocol")
    assert result.message in {"Connection reset", "The connection was closed without an answer"}


async def test_an_answer_that_is_no_http_is_down(context: Context) -> None:
    async with replying(b"SSH-2.0-OpenSSH_9.6\r\n") as url:
        result = await check(url, context())
    assert (result.outcome, result.cause) == (Outcome.DOWN, "protocol")


async def test_an_answer_that_ends_early_is_down(context: Context) -> None:
    async with replying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort") as url:
        result = await check(url, context())
    assert (result.outcome, result.cause) == (Outcome.DOWN, "body")
    assert result.message == "The answer ended before it was complete"


async def test_a_name_that_does_not_exist_is_down(context: Context) -> None:
    result = await check("http://no-such-host.localhost.invalid/", context())
    if result.outcome is Outcome.UNKNOWN:
        pytest.skip("this machine has no resolver that answers")
    assert (result.outcome, result.cause, result.message) == (Outcome.DOWN, "dns", "The host name does not exist")


async def test_a_name_is_looked_up_and_its_time_counted(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.url("fast").replace("127.0.0.1", "localhost"), context())
    assert result.outcome is Outcome.UP
    assert result.phases.dns is not None
    assert result.phases.dns > 0
    assert zoo.residences["fast"].requests[-1].headers["host"].startswith("localhost:")


async def test_an_ipv6_address_is_checked(context: Context) -> None:
    async with replying(page(b"hi"), host="::1") as url:
        assert (await check(url, context())).outcome is Outcome.UP


async def test_our_lack_of_file_descriptors_is_unknown(zoo: Zoo, context: Context) -> None:
    await check(zoo.url("fast"), context())
    with no_more_files():
        result = await check(zoo.url("fast"), context())
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "internal")
    assert "EMFILE" in result.message
    assert (await check(zoo.url("fast"), context())).outcome is Outcome.UP


async def test_the_result_can_be_stored_as_json(zoo: Zoo, context: Context) -> None:
    zoo.set("fast", Behaviour(status=500, body="\0\ud800".encode("utf-8", "replace").decode() + "\x07"))
    for name in ("fast", "secure", "bad-tls", "dead", "redirect-loop"):
        result = await check(zoo.url(name), context())
        text = json.dumps(dict(result.facts), allow_nan=False)
        assert "\\u0000" not in text


async def test_an_international_url_is_sent_in_ascii(context: Context) -> None:
    async with replying(page(b"")) as url:
        result = await check(url + "jūra?q=ž", context())
    assert result.outcome is Outcome.UP
    config = HttpConfig(url="https://Bērni.example/")
    assert HTTP.describe(config) == "GET https://Bērni.example/"


async def test_odd_spellings_of_an_address_are_judged_by_where_they_lead(zoo: Zoo) -> None:
    port = zoo.residences["fast"].address[1]
    own = ProbeContext(timeout=5, address_policy=probe_policy({(ip_address("127.0.0.1"), port)}))
    for host in ("127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        result = await check(f"http://{host}:{port}/", own)
        assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "policy"), host
    assert zoo.residences["fast"].request_count == 0
