"""Small helpers for sockets: the two ways to end a connection, and waiting for something to become true."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection at once with a RST; what was not sent is dropped."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Returns once the condition holds. It is polled, because what changes it may be another process."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.001)
