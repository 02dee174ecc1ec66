"""The TCP check against real listeners: open, shut, wrong, slow and endless."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvloop
from pydantic import ValidationError

from app.core.addresses import probe_policy
from app.domain.status import Outcome
from probes.base import ProbeContext, ProbeResult
from probes.curl import transport
from probes.names import Addresses, Resolver
from probes.stream import tls_context
from probes.tcp import TCP, TcpConfig
from tests.probes.helpers import Context, open_sockets
from tests.probes.servers import Server, saying, serving, silence
from tests.zoo import Zoo


async def check(server: Server | int, context: ProbeContext, **config: Any) -> ProbeResult:
    port = server if isinstance(server, int) else server.port
    return await TCP.run(TcpConfig.model_validate({"host": "127.0.0.1", "port": port} | config), context)


async def test_an_open_port_is_up_and_its_times_are_known() -> None:
    async with silence() as server:
        result = await check(server, ProbeContext(timeout=2))
    assert (result.outcome, result.message) == (Outcome.UP, "The port is open")
    assert result.facts == {"address": "127.0.0.1"}
    assert result.phases.connect is not None
    assert (result.phases.dns, result.phases.tls, result.phases.first_byte) == (None, None, None)


async def test_a_shut_port_is_down(zoo: Zoo) -> None:
    result = await check(zoo.residences["dead"].address[1], ProbeContext(timeout=2))
    assert (result.outcome, result.cause, result.message) == (Outcome.DOWN, "connect", "Connection refused")


async def test_what_is_sent_and_expected_is_bytes() -> None:
    heard = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readexactly(7))
        for piece in (b"+PO", b"NG\xff\r\n"):  # the answer may come in pieces
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read(1)

    async with serving(talk) as server:
        result = await check(server, ProbeContext(timeout=2), send=r"PING\x00\r\n", expect=r"PONG\xff")
    assert result.outcome is Outcome.UP
    assert bytes(heard) == b"PING\x00\r\n"
    assert result.phases.first_byte is not None


async def test_another_answer_is_down_and_kept_as_evidence() -> None:
    async with saying(b"-ERR go\x1b[31m away\r\n") as server:
        result = await check(server, ProbeContext(timeout=2), expect="PONG")
    assert (result.outcome, result.cause) == (Outcome.DOWN, "keyword")
    assert result.facts["body"] == "-ERR go[31m away"


async def test_an_endless_answer_ends_at_its_bound() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    async with serving(flood) as server:
        result = await check(server, ProbeContext(timeout=30), expect="PONG")
    assert (result.outcome, result.cause) == (Outcome.DOWN, "keyword")
    assert len(result.facts["body"]) <= 200


async def test_a_handshake_is_made_when_asked(zoo: Zoo, context: Context) -> None:
    port = zoo.residences["secure"].address[1]
    result = await check(port, context(), tls=True, send=r"GET / HTTP/1.0\r\n\r\n", expect="200 OK")
    assert result.outcome is Outcome.UP
    assert result.phases.tls is not None


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("bad-tls", "Certificate expired"),
        ("self-signed", "Certificate is self-signed"),
        ("wrong-name", "Certificate is not valid for this name"),
    ],
)
async def test_a_bad_certificate_is_down_unless_it_need_not_be_verified(
    zoo: Zoo, context: Context, host: str, message: str
) -> None:
    port = zoo.residences[host].address[1]
    result = await check(port, context(), tls=True)
    assert (result.outcome, result.cause, result.message) == (Outcome.DOWN, "tls", message)
    result = await check(port, context(), tls=True, verify_tls=False)
    assert result.outcome is Outcome.UP


async def test_the_server_is_asked_for_the_name_given(zoo: Zoo, context: Context) -> None:
    result = await check(zoo.residences["wrong-name"].address[1], context(), tls=True, server_name="elsewhere.example")
    assert result.outcome is Outcome.UP


async def test_a_port_without_tls_is_down_with_its_reason() -> None:
    async with saying(b"220 hello\r\n") as server:
        result = await check(server, ProbeContext(timeout=2), tls=True)
    assert (result.outcome, result.cause) == (Outcome.DOWN, "tls")
    assert result.message == "TLS handshake failed: wrong version number"


async def test_authorities_of_ours_that_can_not_be_read_are_unknown(zoo: Zoo, context: Context) -> None:
    broken = replace(context(), ca_file="/nowhere/ca.pem")
    result = await check(zoo.residences["secure"].address[1], broken, tls=True)
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "internal")


async def test_a_name_that_does_not_exist_is_down() -> None:
    result = await check(1, ProbeContext(timeout=5), host="name.invalid")
    assert result.cause == "dns"
    assert result.outcome in {Outcome.DOWN, Outcome.UNKNOWN}  # as the system's resolver answers, or doesn't


async def test_a_lookup_without_an_answer_says_nothing_about_the_target() -> None:
    hanging = threading.Event()

    def look_up(host: str) -> Addresses:
        hanging.wait()
        return Addresses()

    transport().resolver = Resolver(asyncio.get_running_loop(), look_up)
    result = await check(80, ProbeContext(timeout=0.2), host="hanging.example")
    hanging.set()
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "dns")
    assert result.latency_ms is None


def resolve_to(*addresses: str) -> None:
    """From now on every name of this loop has these addresses."""
    transport().resolver = Resolver(asyncio.get_running_loop(), lambda host: Addresses(found=addresses))


@contextmanager
def deaf(address: str, port: int) -> Iterator[None]:
    """A listener whose queue is full, so that a further connection gets no answer at all."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield


async def test_of_several_addresses_one_that_answers_is_enough() -> None:
    resolve_to("127.0.0.2", "::1", "127.0.0.1")
    async with silence() as server:
        result = await check(server, ProbeContext(timeout=5), host="several.example")
    assert (result.outcome, result.facts["address"]) == (Outcome.UP, "127.0.0.1")
    assert result.phases.dns is not None


async def test_an_address_that_never_answers_does_not_hold_up_the_next() -> None:
    resolve_to("127.0.0.3", "127.0.0.1")
    async with silence() as server:
        with deaf("127.0.0.3", server.port):
            alone = await check(server, ProbeContext(timeout=0.5), host="127.0.0.3")
            both = await check(server, ProbeContext(timeout=20), host="several.example")
    assert (alone.outcome, alone.cause) == (Outcome.DOWN, "timeout")
    assert (both.outcome, both.facts["address"]) == (Outcome.UP, "127.0.0.1")


async def test_of_several_addresses_the_policy_strikes_out_some() -> None:
    resolve_to("169.254.169.254", "127.0.0.1")
    async with silence() as server:
        context = ProbeContext(timeout=5, address_policy=probe_policy())
        result = await check(server, context, host="rebound.example")
    assert result.outcome is Outcome.UP


async def test_a_name_that_leads_to_metadata_alone_is_refused() -> None:
    resolve_to("::ffff:a9fe:a9fe")
    result = await check(80, ProbeContext(timeout=5, address_policy=probe_policy()), host="rebound.example")
    assert (result.outcome, result.cause) == (Outcome.UNKNOWN, "policy")
    assert "(rule metadata)" in result.message


def test_a_cancelled_handshake_closes_its_socket_at_once_on_uvloop() -> None:
    async def main() -> int:
        async with silence() as server:
            config = TcpConfig(host="127.0.0.1", port=server.port, tls=True)
            before = open_sockets()
            running = asyncio.ensure_future(TCP.run(config, ProbeContext(timeout=60)))
            await server.reached.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return len(open_sockets() - before)

    assert uvloop.run(main()) <= 1  # the server's end


def test_a_context_is_made_once_for_all_checks() -> None:
    assert tls_context(None) is tls_context(None)
    assert tls_context(None).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    "values",
    [
        {"host": ""},
        {"host": "https://example.com"},
        {"host": "example.com:443"},
        {"host": "a b"},
        {"host": "x" * 64},
        {"port": 0},
        {"port": 65536},
        {"send": "\\q"},
        {"expect": "tail\\"},
    ],
)
def test_what_can_not_work_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TcpConfig.model_validate({"host": "example.com", "port": 80} | values)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [(" Example.COM ", "example.com"), ("[::1]", "::1"), ("bücher.example", "xn--bcher-kva.example"), ("a.b.", "a.b.")],
)
def test_a_host_is_kept_as_it_is_asked_for(typed: str, kept: str) -> None:
    assert TcpConfig(host=typed, port=80).host == kept
