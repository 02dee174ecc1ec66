"""What the tests of the probes share."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from probes.base import ProbeContext, ProbeResult
from probes.http import HTTP
from probes.http_config import HttpConfig

_OPEN = Path("/proc/self/fd")

Context = Callable[..., ProbeContext]


async def check(url: str, context: ProbeContext, **config: Any) -> ProbeResult:
    """One run of the HTTP probe."""
    return await HTTP.run(HttpConfig(url=url, **config), context)


def page(body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


@asynccontextmanager
async def replying(answer: bytes, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """A server that sends the same bytes to every request; yields its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def open_sockets() -> set[str]:
    """The sockets that the process has open."""
    found = set()
    for entry in _OPEN.iterdir():
        try:
            found.add(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return {target for target in found if target.startswith("socket:")}


@contextmanager
def no_more_files() -> Iterator[None]:
    """The process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers = [os.dup(0) for _ in range(max(int(entry.name) for entry in _OPEN.iterdir()))]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(fillers) + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)
