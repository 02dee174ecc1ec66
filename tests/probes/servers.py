"""Real servers of a few lines, for TCP and UDP on one port of the loopback."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """What a server sees. `reached` is set by each connection and datagram, `quiet` while no connection is open."""

    port: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server, answer: Callable[[bytes], bytes]) -> None:
        self._server = server
        self._answer = answer

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.reached.set()
        if answer := self._answer(data):
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def serving(
    talk: Talk, *, tls: ssl.SSLContext | None = None, answer: Callable[[bytes], bytes] = lambda data: b""
) -> AsyncIterator[Server]:
    """Hold `talk` with each connection, answer each datagram."""
    seen = Server()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.writers.add(writer)
        seen.quiet.clear()
        seen.reached.set()
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            await asyncio.gather(_shut(writer), return_exceptions=True)
            seen.writers.discard(writer)
            if not seen.writers:
                seen.quiet.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(seen, answer), local_addr=("127.0.0.1", seen.port))
    seen.quiet.set()
    try:
        async with server:
            yield seen
            for writer in tuple(seen.writers):
                writer.transport.abort()
            await seen.quiet.wait()
    finally:
        udp.close()
        await asyncio.sleep(0)


async def _shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def silence() -> AsyncIterator[Server]:
    """A server that accepts and never answers."""

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass

    async with serving(wait) as server:
        yield server


@asynccontextmanager
async def saying(*lines: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that says the first line at once, another for each piece that it hears, and then hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for index, line in enumerate(lines):
            if index:
                await reader.read(4096)
            writer.write(line)
            await writer.drain()

    async with serving(talk, tls=tls, answer=lambda data: lines[0] if lines else b"") as server:
        yield server


@asynccontextmanager
async def upgrading(
    context: ssl.SSLContext, *dialogue: tuple[bytes, bytes], secure: tuple[tuple[bytes, bytes], ...] = ()
) -> AsyncIterator[int]:
    """A server that hears and says each pair, makes a TLS handshake, and goes on with `secure`; yields its port.

    It serves one connection.

    In a thread, because asyncio's own servers send no TLS alert and can't upgrade a stream before Python 3.12.
    """

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            _converse(connection, dialogue)
            try:
                with context.wrap_socket(connection, server_side=True) as upgraded:
                    _converse(upgraded, secure)
                    upgraded.recv(1)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = asyncio.ensure_future(asyncio.to_thread(serve, listener))
        yield listener.getsockname()[1]
        await served


def _converse(connection: socket.socket, dialogue: tuple[tuple[bytes, bytes], ...]) -> None:
    for heard, said in dialogue:
        if heard:
            assert connection.recv(1000).startswith(heard)
        connection.sendall(said)
