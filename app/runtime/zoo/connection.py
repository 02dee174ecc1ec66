"""One connection to a host of the zoo: reads a request, and answers as the host behaves now."""

import asyncio
import gzip
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

from app.runtime.zoo.behaviour import Behaviour, Kind

_BOMB_SIZE = 64 << 20
_PIECE = b"x" * 65536
_PAGE = b"<!doctype html><title>Zoo</title><p>All systems operational</p>\n".ljust(1023) + b"\n"
_MAX_REQUEST = 1 << 20
_NO_LINGER = struct.pack("ii", 1, 0)
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Keeper(Protocol):
    """What a connection tells its host, and asks of it."""

    def opened(self, connection: "Connection") -> None: ...
    def closed(self, connection: "Connection") -> None: ...
    def received(self, request: Received) -> tuple[Behaviour, float]:
        """The behaviour now, and its delay in seconds."""
        ...

    def page(self, request: Received) -> tuple[int, bytes] | None:
        """An answer that goes before any behaviour, for the control port."""
        ...


class Connection(asyncio.Protocol):
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._answered = False
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._piece = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        self.transport = transport
        self._keeper.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._piece = b""
        if self._timer is not None:
            self._timer.cancel()
        self._keeper.closed(self)

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        self._buffer += data
        request = _parse(self._buffer)
        if request is not None:
            self._answered = True
            self._answer(request)
        elif len(self._buffer) > _MAX_REQUEST:
            self.transport.abort()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._piece:
            self._flood(self._piece)

    def _answer(self, request: Received) -> None:
        if page := self._keeper.page(request):
            self._finish(_head(page[0], len(page[1]), "application/json") + page[1])
            return
        behaviour, delay = self._keeper.received(request)
        if delay:
            self._later(delay, lambda: _ACTS[behaviour.kind](self, behaviour, request))
        else:
            _ACTS[behaviour.kind](self, behaviour, request)

    def _finish(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()

    def _later(self, delay: float, act: Callable[[], None]) -> None:
        self._timer = self._loop.call_later(delay, act)

    def _drip(self, piece: bytes, every: float) -> None:
        self.transport.write(piece)
        self._later(every, lambda: self._drip(piece, every))

    def _flood(self, piece: bytes) -> None:
        """Write without end, as fast as the other side reads."""
        self._piece = piece
        while not self._paused and not self.transport.is_closing():
            self.transport.write(piece)

    def answer(self, behaviour: Behaviour, request: Received) -> None:
        page = b"" if behaviour.status in _BODILESS else behaviour.body.encode() or _PAGE
        self._finish(_head(behaviour.status, len(page)) + (b"" if request.method == "HEAD" else page))

    def redirect(self, behaviour: Behaviour, request: Received) -> None:
        extra = f"Location: {behaviour.location}\r\n".encode()
        self._finish(_head(behaviour.status, 0, extra=extra))

    def stay_silent(self, behaviour: Behaviour, request: Received) -> None:
        """Answer nothing, keep the connection."""

    def drip(self, behaviour: Behaviour, request: Received) -> None:
        self.transport.write(_head(behaviour.status, 1 << 20))
        self._drip(b"x", behaviour.every)

    def drip_headers(self, behaviour: Behaviour, request: Received) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\n")
        self._drip(b"X-More: yes\r\n", behaviour.every)

    def endless_headers(self, behaviour: Behaviour, request: Received) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\n")
        self._flood(b"X-More: " + b"x" * 1000 + b"\r\n")

    def endless_body(self, behaviour: Behaviour, request: Received) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self._flood(b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE))

    def gzip_bomb(self, behaviour: Behaviour, request: Received) -> None:
        bomb = _bomb()
        self._finish(_head(behaviour.status, len(bomb), extra=b"Content-Encoding: gzip\r\n") + bomb)

    def reset(self, behaviour: Behaviour, request: Received) -> None:
        # With this linger, closing sends RST rather than FIN.
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


_ACTS: dict[Kind, Callable[[Connection, Behaviour, Received], None]] = {
    Kind.ANSWER: Connection.answer,
    Kind.DRIFT: Connection.answer,
    Kind.REDIRECT: Connection.redirect,
    Kind.SILENT: Connection.stay_silent,
    Kind.DRIP: Connection.drip,
    Kind.DRIP_HEADERS: Connection.drip_headers,
    Kind.ENDLESS_HEADERS: Connection.endless_headers,
    Kind.ENDLESS_BODY: Connection.endless_body,
    Kind.GZIP_BOMB: Connection.gzip_bomb,
    Kind.RESET: Connection.reset,
    Kind.DEAD: Connection.reset,  # a connection that was accepted just before the port closed
}


def _parse(data: bytes) -> Received | None:
    """The request, None while it is not complete."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, _, rest = head.decode("latin-1").partition("\r\n")
    method, path, *_ = f"{first}   ".split(" ")
    lines = (line.partition(":") for line in rest.split("\r\n"))
    headers = {name.lower(): value.strip() for name, _, value in lines}
    length = headers.get("content-length", "0")
    if length.isdigit() and len(body) < int(length):
        return None
    return Received(method, path, headers, body)


@lru_cache(maxsize=256)
def _head(status: int, length: int, content_type: str = "text/html; charset=utf-8", extra: bytes = b"") -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"
    return (
        f"HTTP/1.1 {status} {phrase}\r\nServer: zoo\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n"
    ).encode() + (extra + b"\r\n")


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    return gzip.compress(bytes(_BOMB_SIZE), compresslevel=9)
