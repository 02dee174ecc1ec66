"""A TCP proxy that does harm on request: put it in front of PostgreSQL, a webhook, a target.

`async with open_proxy(TcpUpstream("127.0.0.1", 5432)) as proxy` (or UnixUpstream("/path/.s.PGSQL.5432")), connect to
`proxy.host`, `proxy.port`, and change `proxy.faults` or call `proxy.reset_all()` while traffic flows.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.kit.wire import close, reset

_CHUNK = 16 * 1024


@dataclass(frozen=True)
class TcpUpstream:
    host: str
    port: int

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)


@dataclass(frozen=True)
class UnixUpstream:
    path: str

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.path)


@dataclass(frozen=True)
class Faults:
    """What happens to each chunk from now on, on open connections as on new ones. All off: the proxy is a pipe.

    `delay_s` holds back each chunk. `bytes_per_s` is a slow line. `blackhole` takes bytes and connections and gives
    nothing on; what it took is lost, so a connection that met it stays broken. `duplicate` sends each chunk on twice.
    `half_close` ends the answer's direction after the next chunk, and leaves the other open. `refuse` resets each
    new connection.
    """

    delay_s: float = 0.0
    bytes_per_s: int | None = None
    blackhole: bool = False
    duplicate: bool = False
    half_close: bool = False
    refuse: bool = False


PASS = Faults()


@dataclass
class Proxy:
    """Use `open_proxy`. `connections` counts the open ones; `swallowed` the bytes that the black hole took."""

    upstream: TcpUpstream | UnixUpstream
    host: str = "127.0.0.1"
    port: int = 0
    faults: Faults = PASS
    swallowed: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _clients: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def connections(self) -> int:
        return len(self._clients)

    def reset_all(self) -> None:
        """Cut every open connection with a RST towards the client; new ones are taken as `faults` says."""
        for writer in list(self._clients):
            reset(writer)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._clients.add(writer)
        try:
            await self._carry(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(writer)
            self._tasks.discard(task)
            await close(writer)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.faults.refuse:
            reset(writer)
            return
        try:
            up_reader, up_writer = await self.upstream.connect()
        except OSError:
            reset(writer)
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, up_writer, answers=False))
                group.create_task(self._pump(up_reader, writer, answers=True))
        except* ConnectionError:
            reset(writer)
        finally:
            await close(up_writer)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        while chunk := await source.read(_CHUNK):
            # Read after the chunk came: a change of faults counts from the very next byte.
            faults = self.faults
            if faults.blackhole:
                self.swallowed += len(chunk)
                continue
            await asyncio.sleep(faults.delay_s)
            for _ in range(1 + faults.duplicate):
                await _trickle(sink, chunk, faults.bytes_per_s)
            if faults.half_close and answers:
                break
        if not self.faults.blackhole and sink.can_write_eof():
            sink.write_eof()


@asynccontextmanager
async def open_proxy(upstream: TcpUpstream | UnixUpstream, port: int = 0) -> AsyncIterator[Proxy]:
    """A running proxy on 127.0.0.1; port 0 takes a free one."""
    proxy = Proxy(upstream)
    server = await asyncio.start_server(proxy.accept, proxy.host, port)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()


async def _trickle(sink: asyncio.StreamWriter, chunk: bytes, bytes_per_s: int | None) -> None:
    if bytes_per_s is None:
        sink.write(chunk)
        await sink.drain()
        return
    # Ten steps a second, or one byte at a time on a line slower than that.
    step = max(1, bytes_per_s // 10)
    for start in range(0, len(chunk), step):
        piece = chunk[start : start + step]
        await asyncio.sleep(len(piece) / bytes_per_s)
        sink.write(piece)
        await sink.drain()
