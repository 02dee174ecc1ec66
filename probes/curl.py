"""One HTTP exchange on libcurl's multi interface, driven by the running asyncio loop.

Each exchange has a connection of its own: a check that reuses a connection would not notice that new
visitors can't connect. No proxy, cookie, netrc or redirect is followed here.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import certifi
import pycurl

from app.core.addresses import AddressPolicy, IPAddress
from probes.names import Resolver

BODY_CAP = 1 << 20
_POOL = 128
_MULTI_OK = 0
_QUICK_EXIT = 322  # CURLOPT_QUICK_EXIT, which pycurl passes on and does not name

_parse_address = lru_cache(maxsize=4096)(ip_address)


@dataclass(frozen=True, slots=True)
class Request:
    """`timeout` is in seconds. `addresses` are those of the URL's host, empty when it is an IP literal.

    At most `keep` bytes of the body are kept. `look_only` ends after the TLS handshake, without verification,
    and sends nothing: for reading the certificate of a server that can't be trusted.
    """

    url: str
    timeout: float
    policy: AddressPolicy
    method: str = "GET"
    headers: tuple[bytes, ...] = ()
    body: bytes | None = None
    resolve: str = ""
    verify_tls: bool = True
    ca_file: str | None = None
    keep: int = BODY_CAP
    certificate: bool = False
    look_only: bool = False


@dataclass(slots=True)
class Exchange:
    """What came of a request. `error` is a CURLE code, 0 when the whole answer was read or the body cap reached.

    Times are libcurl's, in seconds since the start, 0.0 when not reached. `refused` is the rule of the address
    policy and the address; `local_error` an errno of ours that kept us from opening a socket.
    """

    request: Request
    error: int = 0
    error_text: str = ""
    errno: int = 0
    status: int = 0
    header_lines: list[bytes] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    body_size: int = 0
    connected: float = 0.0
    handshaken: float = 0.0
    first_byte: float = 0.0
    total: float = 0.0
    address: str = ""
    http_version: int = 0
    redirect_url: str | None = None
    verify_result: int = 0
    certificates: list[list[tuple[str, str]]] = field(default_factory=list)
    refused: tuple[str, str] | None = None
    local_error: int = 0
    opened: bool = False

    @property
    def truncated(self) -> bool:
        return self.body_size > BODY_CAP

    def open_socket(self, purpose: int, address: Any) -> int:
        """Callback of libcurl: a file descriptor that it owns from here, or SOCKET_BAD."""
        text, port = address.addr[0].partition("%")[0], address.addr[1]
        if rule := self.request.policy(_parse_address(text), port):
            self.refused = (rule, text)
            return pycurl.SOCKET_BAD  # type: ignore[no-any-return]
        try:
            opened = socket.socket(address.family, address.socktype, address.protocol)
        except OSError as error:
            self.local_error = error.errno or errno.EIO
            return pycurl.SOCKET_BAD  # type: ignore[no-any-return]
        self.opened = True
        return opened.detach()

    def write(self, chunk: bytes) -> int:
        """Callback of libcurl: an answer other than the chunk's size ends the transfer."""
        self.body_size += len(chunk)
        room = self.request.keep - len(self.body)
        if room > 0:
            self.body += chunk[:room]
        return 0 if self.truncated else len(chunk)

    def finish(self, easy: Any, error: int, text: str) -> None:
        get = easy.getinfo
        if error == pycurl.E_WRITE_ERROR and self.truncated:
            error = 0
        self.error, self.error_text = error, text
        self.errno = get(pycurl.OS_ERRNO)
        self.status = get(pycurl.RESPONSE_CODE)
        self.connected, self.handshaken = get(pycurl.CONNECT_TIME), get(pycurl.APPCONNECT_TIME)
        self.first_byte = get(pycurl.STARTTRANSFER_TIME)
        self.total = get(pycurl.TOTAL_TIME)
        self.address = get(pycurl.PRIMARY_IP) or ""
        self.http_version = get(pycurl.INFO_HTTP_VERSION)
        self.redirect_url = get(pycurl.REDIRECT_URL)
        self.verify_result = get(pycurl.SSL_VERIFYRESULT)
        if self.request.certificate:
            self.certificates = get(pycurl.INFO_CERTINFO)


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
            _prepare(easy, request, exchange)
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
        for done in tuple(self._active.values()):
            done.cancel()
        for easy in tuple(self._active):
            self._multi.remove_handle(easy)
        self._active.clear()
        for fd in tuple(self._watched):
            self._watch(fd, pycurl.POLL_REMOVE)
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
        self._watch(fd, event)

    def _watch(self, fd: int, event: int) -> None:
        wanted = 0 if event == pycurl.POLL_REMOVE else event
        before = self._watched.pop(fd, 0)
        if wanted:
            self._watched[fd] = wanted
        for bit, add, remove, flag in (
            (pycurl.POLL_IN, self._loop.add_reader, self._loop.remove_reader, pycurl.CSELECT_IN),
            (pycurl.POLL_OUT, self._loop.add_writer, self._loop.remove_writer, pycurl.CSELECT_OUT),
        ):
            if wanted & bit and not before & bit:
                add(fd, self._advance, fd, flag)
            elif before & bit and not wanted & bit:
                remove(fd)

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


@lru_cache(maxsize=1)
def _default_ca_file() -> str:
    system = ssl.get_default_verify_paths().cafile
    return system if system and Path(system).is_file() else certifi.where()


def _prepare(easy: Any, request: Request, exchange: Exchange) -> None:
    put: Callable[[int, Any], None] = easy.setopt
    put(pycurl.URL, request.url)
    put(pycurl.NOSIGNAL, 1)
    put(_QUICK_EXIT, 1)
    put(pycurl.TIMEOUT_MS, max(1, round(request.timeout * 1000)))
    put(pycurl.CONNECTTIMEOUT_MS, max(1, round(request.timeout * 1000)))
    put(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    put(pycurl.PROXY, "")
    put(pycurl.FRESH_CONNECT, 1)
    put(pycurl.FORBID_REUSE, 1)
    put(pycurl.OPENSOCKETFUNCTION, exchange.open_socket)
    put(pycurl.WRITEFUNCTION, exchange.write)
    put(pycurl.HEADERFUNCTION, exchange.header_lines.append)
    # Asks for no compression, and decodes it piece by piece, under the cap, where it comes all the same.
    put(pycurl.ACCEPT_ENCODING, "identity")
    if request.headers:
        put(pycurl.HTTPHEADER, request.headers)
    if request.resolve:
        put(pycurl.RESOLVE, [request.resolve])
    _prepare_method(put, request)
    if request.url.startswith("https:"):
        _prepare_tls(put, request)


def _prepare_method(put: Callable[[int, Any], None], request: Request) -> None:
    if request.body is not None:
        put(pycurl.POSTFIELDS, request.body)
    if request.method == "HEAD":
        put(pycurl.NOBODY, 1)
    elif request.method != "GET":
        put(pycurl.CUSTOMREQUEST, request.method)


def _prepare_tls(put: Callable[[int, Any], None], request: Request) -> None:
    put(pycurl.SSL_SESSIONID_CACHE, 0)
    if request.verify_tls and not request.look_only:
        # A file, not a blob or a folder: only then does libcurl keep the parsed store for the next handshakes.
        put(pycurl.CAINFO, request.ca_file or _default_ca_file())
    else:
        put(pycurl.SSL_VERIFYPEER, 0)
        put(pycurl.SSL_VERIFYHOST, 0)
    if request.certificate:
        put(pycurl.OPT_CERTINFO, 1)
    if request.look_only:
        put(pycurl.PREREQFUNCTION, lambda *_: pycurl.PREREQFUNC_ABORT)


def resolve_entry(host: str, port: int, addresses: tuple[str, ...]) -> str:
    """`addresses` for libcurl's name cache, of which the entry of the next lookup takes the place."""
    listed: list[IPAddress] = [_parse_address(text.partition("%")[0]) for text in addresses]
    return f"+{host}:{port}:" + ",".join(f"[{ip}]" if ip.version == 6 else str(ip) for ip in listed)
