"""A target whose state a test sets: an HTTP server that answers with a status, or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.kit.wire import close


@dataclass
class Target:
    """`status` is what is answered from now on, None for silence. `requests` counts those that were read."""

    port: int = 0
    status: int | None = 200
    requests: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def wait_for_requests(self, count: int, within_s: float = 20.0) -> None:
        """Returns once `count` requests were read since the start."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: self.requests >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            async with self._changed:
                self._changed.notify_all()
            if self.status is None:
                await reader.read()
                return
            writer.write(f"HTTP/1.1 {self.status} Answer\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            await close(writer)


@asynccontextmanager
async def open_target(status: int | None = 200) -> AsyncIterator[Target]:
    """A running target on a free port of 127.0.0.1."""
    target = Target(status=status)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await target.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1000)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        server.close()
        open_tasks = list(tasks)
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks)
