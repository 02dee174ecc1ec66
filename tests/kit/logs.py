"""What the program logged, and waiting for it to log something."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from loguru import logger


class Logs:
    def __init__(self) -> None:
        self.messages: list[str] = []
        self._came = asyncio.Event()

    def take(self, message: str) -> None:
        self.messages.append(message.rstrip("\n"))
        self._came.set()

    async def wait_for(self, message: str, within_s: float = 40.0) -> None:
        """Returns once this very message was logged since the last call of `forget`."""
        try:
            async with asyncio.timeout(within_s):
                while message not in self.messages:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"not logged within {within_s} s: {message}; but {self.messages}") from None

    def forget(self) -> None:
        self.messages.clear()


@contextmanager
def watch_logs() -> Iterator[Logs]:
    """The messages logged from this event loop's thread inside the block, level INFO and above."""
    logs = Logs()
    sink = logger.add(logs.take, level="INFO", format="{message}")
    try:
        yield logs
    finally:
        logger.remove(sink)
