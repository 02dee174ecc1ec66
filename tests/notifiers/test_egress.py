"""Where messages may go: decided on the address that is connected to, with real sockets and TLS."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from app.core.errors import PermanentNotifyError, StartError
from notifiers.egress import AllowList, GuardedTransport, build_client
from tests.kit.ledger import Behaviour, Ledger, open_ledger

LOOPBACK_SPELLINGS = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "2130706433",
    "127.1",
    "0x7f.1",
]
ELSEWHERE = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "[fd00::1]",
    "169.254.169.254",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "100.100.100.200",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "0.0.0.0",
    "[::]",
    "224.0.0.1",
]


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_this_machine_is_refused_however_it_is_spelt(ledger: Ledger, scheme: str, host: str) -> None:
    async with build_client("") as http:
        with pytest.raises(PermanentNotifyError, match="rule not-public"):
            await http.post(f"{scheme}://{host}:{ledger.port}/hook")
    assert ledger.entries == []


@pytest.mark.parametrize("host", ELSEWHERE)
async def test_private_metadata_and_odd_addresses_are_refused(host: str) -> None:
    async with build_client("") as http:
        with pytest.raises(PermanentNotifyError, match=r"\(rule [a-z-]+\)"):
            await http.post(f"https://{host}/latest/meta-data")


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0"])
async def test_metadata_services_stay_refused_even_when_listed(host: str) -> None:
    async with build_client(f"{host}, {host}:80, 0.0.0.0/0, ::/0") as http:
        with pytest.raises(PermanentNotifyError, match=r"rule (metadata|unspecified)"):
            await http.post(f"http://{host}/latest/meta-data")


async def test_a_public_address_is_refused_without_tls() -> None:
    async with build_client("") as http:
        with pytest.raises(PermanentNotifyError, match="rule plain-http"):
            await http.post("http://93.184.215.14/hook")


@pytest.mark.parametrize(
    "entry",
    ["127.0.0.1", "127.0.0.1:{port}", "127.0.0.0/8", "x.example, 127.0.0.1:{port} ::1", "LOCALHOST:{port},[::1]:1"],
)
async def test_what_the_operator_listed_is_reached(ledger: Ledger, entry: str) -> None:
    host = "localhost" if "LOCALHOST" in entry else "127.0.0.1"
    async with build_client(entry.format(port=ledger.port)) as http:
        answer = await http.post(f"http://{host}:{ledger.port}/hook")
    assert answer.text == "ok"
    assert ledger.entries[0].headers["host"] == f"{host}:{ledger.port}"


@pytest.mark.parametrize("entry", ["127.0.0.1:1", "127.0.0.2", "10.0.0.0/8", "localhost", "example.com"])
async def test_what_the_operator_did_not_list_is_refused(ledger: Ledger, entry: str) -> None:
    async with build_client(entry) as http:
        with pytest.raises(PermanentNotifyError):
            await http.post(f"http://127.0.0.1:{ledger.port}/hook")
    assert ledger.entries == []


@pytest.mark.parametrize(
    "entry", ["http://host/", "host:99999", "a b:c", "[::1", "::1:80:x", "user@host:1:2", "10.0.0.0/33"]
)
def test_a_list_with_a_mistake_stops_the_start(entry: str) -> None:
    with pytest.raises(StartError, match="PULSEBOARD_NOTIFY_ALLOW"):
        build_client(entry)


async def test_a_redirect_to_this_machine_is_not_followed(ledger: Ledger, tmp_path: Path) -> None:
    async with open_ledger(tmp_path / "inner.jsonl") as inner, build_client(f"127.0.0.1:{ledger.port}") as http:
        ledger.mode(Behaviour.REDIRECT, location=inner.url)
        assert (await http.post(ledger.url)).status_code == 307
    assert inner.entries == []


async def test_the_address_is_in_no_log(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with build_client("127.0.0.1") as http:
        await http.post(ledger.url_of("/services/canary-7f3a"))
    assert "canary" not in caplog.text


async def test_a_proxy_from_the_environment_is_not_used(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with build_client("127.0.0.1") as http:
        assert (await http.post(ledger.url)).text == "ok"


class ScriptedNames(asyncio.SelectorEventLoop):
    """A loop whose name server gives scripted answers for names under .test: each once, the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[str] = []

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        if not str(host).endswith(".test"):
            return await super().getaddrinfo(host, port, **options)
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        resolve = super().getaddrinfo
        return [entry for address in addresses for entry in await resolve(address, port, **options)]


def run_with_names(steps: Callable[[], Coroutine[Any, Any, None]], *answers: list[str]) -> list[str]:
    """Run with scripted names; gives what was asked."""
    loop = ScriptedNames(*answers)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(steps())
    return loop.asked


def test_a_name_that_changes_its_address_after_the_check_gains_nothing(tmp_path: Path) -> None:
    async def steps() -> None:
        async with open_ledger(tmp_path / "l.jsonl") as ledger, build_client(f"127.0.0.1:{ledger.port}") as http:
            answer = await http.post(f"http://rebound.test:{ledger.port}/hook")
            assert answer.text == "ok"
            assert ledger.entries[0].headers["host"] == f"rebound.test:{ledger.port}"

    # A second question would be answered with an address where nothing listens.
    assert run_with_names(steps, ["127.0.0.1"], ["127.0.0.99"]) == ["rebound.test"]


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["169.254.169.254"], ["::ffff:10.0.0.1"]]
)
def test_a_public_name_for_an_inner_address_is_refused(answer: list[str]) -> None:
    async def steps() -> None:
        async with build_client("") as http:
            with pytest.raises(PermanentNotifyError):
                await http.post("https://inner.test/hook")

    run_with_names(steps, answer)


@pytest.mark.parametrize("answer", [["127.0.0.99", "127.0.0.1"], ["127.0.0.1", "127.0.0.99"]])
def test_a_dead_address_is_passed_over_for_a_living_one(tmp_path: Path, answer: list[str]) -> None:
    async def steps() -> None:
        async with open_ledger(tmp_path / "l.jsonl") as ledger, build_client("127.0.0.0/8") as http:
            assert (await http.post(f"http://two.test:{ledger.port}/hook", content=b"whole")).text == "ok"
            assert ledger.entries[0].body == "whole"

    run_with_names(steps, answer)


async def test_a_name_that_no_server_could_know_is_a_failed_connection() -> None:
    async with build_client("") as http:
        with pytest.raises(httpx.ConnectError):
            await http.post(f"https://{'a' * 64}.example/hook")


@asynccontextmanager
async def tls_server(authority: trustme.CA, name: str) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def trusting(authority: trustme.CA) -> httpx.AsyncClient:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return build_client("", GuardedTransport(AllowList.parse("127.0.0.0/8"), context))


def test_tls_verifies_the_name_that_was_asked_for(tmp_path: Path) -> None:
    authority = trustme.CA()

    async def steps() -> None:
        async with tls_server(authority, "named.test") as port, trusting(authority) as http:
            assert (await http.post(f"https://named.test:{port}/hook")).text == "ok"
            with pytest.raises(httpx.ConnectError, match="match"):
                await http.post(f"https://other.test:{port}/hook")

    run_with_names(steps, ["127.0.0.1"])


async def test_an_unknown_authority_is_refused() -> None:
    async with tls_server(trustme.CA(), "127.0.0.1") as port, build_client("127.0.0.1") as http:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.post(f"https://127.0.0.1:{port}/hook")
