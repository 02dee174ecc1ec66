"""The fault proxy itself, before an echo server over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.proxy import PASS, Faults, Proxy, TcpUpstream, UnixUpstream, open_proxy
from tests.kit.wire import close, until

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
    await close(writer)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with open_proxy(TcpUpstream(host, port)) as running:
            yield running


@pytest.fixture
async def stream(proxy: Proxy) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    yield reader, writer
    await close(writer)


async def said(stream: Stream, text: bytes, expected: bytes) -> None:
    """Say it and hear the answer."""
    reader, writer = stream
    writer.write(text)
    async with asyncio.timeout(5):
        assert await reader.readexactly(len(expected)) == expected


async def test_without_faults_it_is_a_pipe_both_ways_to_the_last_byte(stream: Stream) -> None:
    reader, writer = stream
    writer.write(b"x" * 1_000_000)
    writer.write_eof()
    assert await reader.read() == b"x" * 1_000_000


async def test_faults_change_an_open_connection(proxy: Proxy, stream: Stream) -> None:
    await said(stream, b"one", b"one")
    proxy.faults = Faults(duplicate=True)
    await said(stream, b"a", b"aaaa")
    proxy.faults = PASS
    await said(stream, b"two", b"two")


async def test_a_delay_and_a_slow_line_cost_at_least_their_time(proxy: Proxy, stream: Stream) -> None:
    clock = asyncio.get_running_loop().time
    proxy.faults = Faults(delay_s=0.05)
    start = clock()
    await said(stream, b"x", b"x")
    assert clock() - start >= 0.1
    proxy.faults = Faults(bytes_per_s=1000)
    start = clock()
    await said(stream, b"x" * 100, b"x" * 100)
    assert clock() - start >= 0.09


async def test_a_black_hole_takes_and_gives_nothing(proxy: Proxy, stream: Stream) -> None:
    proxy.faults = Faults(blackhole=True)
    stream[1].write(b"lost")
    await until(lambda: proxy.swallowed == 4)
    proxy.faults = PASS
    await said(stream, b"found", b"found")


async def test_half_closed_the_answers_end_and_the_questions_go_on(proxy: Proxy, stream: Stream) -> None:
    reader, writer = stream
    proxy.faults = Faults(half_close=True)
    writer.write(b"x")
    assert await reader.read() == b"x"
    proxy.faults = Faults(blackhole=True)
    writer.write(b"still open")
    await until(lambda: proxy.swallowed == len(b"still open"))


async def test_a_reset_reaches_every_client_and_new_ones_come_through(proxy: Proxy, stream: Stream) -> None:
    await said(stream, b"x", b"x")
    proxy.reset_all()
    with pytest.raises(ConnectionResetError):
        await stream[0].read()
    await until(lambda: proxy.connections == 0)
    again = await asyncio.open_connection(proxy.host, proxy.port)
    await said(again, b"back", b"back")
    await close(again[1])


async def test_refusing_resets_each_new_connection(proxy: Proxy) -> None:
    proxy.faults = Faults(refuse=True)
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await close(writer)


async def test_a_dead_upstream_is_a_reset() -> None:
    async with open_proxy(TcpUpstream("127.0.0.1", 1)) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await close(writer)


async def test_a_unix_socket_can_be_upstream(tmp_path: Path) -> None:
    path = str(tmp_path / "echo.sock")
    async with await asyncio.start_unix_server(echo, path), open_proxy(UnixUpstream(path)) as proxy:
        stream = await asyncio.open_connection(proxy.host, proxy.port)
        await said(stream, b"over unix", b"over unix")
        await close(stream[1])
