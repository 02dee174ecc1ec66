"""Looking up host names without blocking the loop, and without a hanging name holding up the others.

libcurl's own resolver has at most 20 threads, which 20 dead names would fill, and does not say whether a name
does not exist or the resolver gave no answer. The first is the target's trouble, the second may be ours.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

_MAX_THREADS = 256
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY})


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a lookup found, in the order to try; `error` is empty on success."""

    found: tuple[str, ...] = ()
    error: str = ""
    no_such_name: bool = False

    @classmethod
    def failed(cls, error: socket.gaierror) -> "Addresses":
        return cls(error=str(error.strerror), no_such_name=error.errno in _NO_SUCH_NAME)


class Resolver:
    """getaddrinfo in threads of our own, one lookup per name at a time. Belongs to one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, look_up: Callable[[str], Addresses] | None = None) -> None:
        self._loop = loop
        self._look_up = look_up or look_up_now
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._pending: dict[str, asyncio.Future[Addresses]] = {}
        self._threads = 0
        self._busy = 0

    async def lookup(self, host: str) -> Addresses:
        """The addresses of an ASCII host name. Cancelling leaves the thread to end by itself."""
        pending = self._pending.get(host)
        if pending is None:
            pending = self._pending[host] = self._loop.create_future()
            self._start(host)
        return await asyncio.shield(pending)

    def close(self) -> None:
        for _ in range(self._threads):
            self._queue.put(None)

    def _start(self, host: str) -> None:
        self._busy += 1
        if self._busy > self._threads < _MAX_THREADS:
            self._threads += 1
            # Daemons: a lookup that hangs must not hold up the exit of the process.
            threading.Thread(target=self._work, name="lookup", daemon=True).start()
        self._queue.put(host)

    def _work(self) -> None:
        while (host := self._queue.get()) is not None:
            answer = self._look_up(host)
            try:
                self._loop.call_soon_threadsafe(self._deliver, host, answer)
            except RuntimeError:  # the loop is closed, nobody waits
                return

    def _deliver(self, host: str, answer: Addresses) -> None:
        self._busy -= 1
        self._pending.pop(host).set_result(answer)


def look_up_now(host: str) -> Addresses:
    """Ask the system's resolver; blocks."""
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return Addresses.failed(error)
    except (OSError, UnicodeError) as error:
        return Addresses(error=str(error))
    return Addresses(found=tuple(dict.fromkeys(str(row[4][0]) for row in rows)))
