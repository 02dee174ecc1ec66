"""libcurl's multi interface, driven by the running asyncio loop.

Each exchange has a connection of its own: a check that reuses a connection would not notice that new visitors
can't connect. No proxy, cookie, netrc or redirect is followed here.
"""

import asyncio
from typing import Any

import pycurl

from probes.exchange import Exchange, Request, prepare
from probes.names import Resolver

_POOL = 128


class Transport:
    """libcurl's multi handle and the resolver of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.resolver = Resolver(loop)
        self._loop = loop
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._timer: asyncio.TimerHandle | None = None
        self._watched: dict[int, int] = {}
        self._active: dict[Any, asyncio.Future[tuple[int, str]]] = {}
        self._pool: list[Any] = []

    async def perform(self, request: Request) -> Exchange:
        """One exchange; its failure is a value. Cancelling closes the connection at once."""
        exchange = Exchange(request)
        easy = self._pool.pop() if self._pool else pycurl.Curl()
        done: asyncio.Future[tuple[int, str]] = self._loop.create_future()
        try:
            prepare(easy, exchange)
            self._multi.add_handle(easy)
            self._active[easy] = done
            exchange.finish(easy, *await done)
        finally:
            if self._active.pop(easy, None) is not None:
                self._multi.remove_handle(easy)
            self._release(easy)
        return exchange

    def close(self) -> None:
        """Close every connection; exchanges under way are cancelled."""
        for easy, done in self._active.items():
            self._multi.remove_handle(easy)
            done.cancel()
        self._active.clear()
        self._set_timer(None)
        self._multi.close()
        for easy in self._pool:
            easy.close()
        self._pool.clear()
        self.resolver.close()

    def _release(self, easy: Any) -> None:
        easy.reset()
        if len(self._pool) < _POOL:
            self._pool.append(easy)
        else:
            easy.close()

    def _on_timer(self, delay_ms: int) -> None:
        # libcurl forbids calling it from here, so that even a due timer waits for the loop.
        self._set_timer(None if delay_ms < 0 else delay_ms / 1000)

    def _set_timer(self, delay: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay is None else self._loop.call_later(delay, self._on_due)

    def _on_due(self) -> None:
        self._timer = None
        self._advance(pycurl.SOCKET_TIMEOUT, 0)

    def _on_socket(self, event: int, fd: int, multi: Any, data: Any) -> None:
        wanted = 0 if event == pycurl.POLL_REMOVE else event
        before = self._watched.pop(fd, 0)
        if wanted:
            self._watched[fd] = wanted
        changed = wanted ^ before
        if changed & pycurl.POLL_IN:
            if wanted & pycurl.POLL_IN:
                self._loop.add_reader(fd, self._advance, fd, pycurl.CSELECT_IN)
            else:
                self._loop.remove_reader(fd)
        if changed & pycurl.POLL_OUT:
            if wanted & pycurl.POLL_OUT:
                self._loop.add_writer(fd, self._advance, fd, pycurl.CSELECT_OUT)
            else:
                self._loop.remove_writer(fd)

    def _advance(self, fd: int, flag: int) -> None:
        _, running = self._multi.socket_action(fd, flag)
        if running < len(self._active):
            self._settle()

    def _settle(self) -> None:
        queued = 1
        while queued:
            queued, succeeded, failed = self._multi.info_read()
            for easy in succeeded:
                self._finish(easy, 0, "")
            for easy, code, text in failed:
                self._finish(easy, code, text)

    def _finish(self, easy: Any, code: int, text: str) -> None:
        done = self._active.pop(easy)
        self._multi.remove_handle(easy)
        if not done.done():
            done.set_result((code, text))


_transports: dict[asyncio.AbstractEventLoop, Transport] = {}


def transport() -> Transport:
    """The running loop's transport, made at its first use."""
    loop = asyncio.get_running_loop()
    found = _transports.get(loop)
    if found is None:
        for stale in [other for other in _transports if other.is_closed()]:
            del _transports[stale]
        found = _transports[loop] = Transport(loop)
    return found


def close_transport() -> None:
    """Close the running loop's transport, if it has one; the next exchange makes a new one."""
    if found := _transports.pop(asyncio.get_running_loop(), None):
        found.close()
