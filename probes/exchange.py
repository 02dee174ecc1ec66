"""One HTTP exchange as values: what to send, and what libcurl saw of the answer."""

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

from app.core.addresses import AddressPolicy

BODY_CAP = 1 << 20
_QUICK_EXIT = 322  # CURLOPT_QUICK_EXIT, which pycurl passes on and does not name
_REFUSED: int = pycurl.SOCKET_BAD

_parse_address = lru_cache(maxsize=4096)(ip_address)


@dataclass(frozen=True, slots=True)
class Request:
    """`timeout` is in seconds. `resolve` is a `resolve_entry`, empty when the URL's host is an IP literal.

    At most `keep` bytes of the body are kept. `ca_file` is trusted instead of the system's bundle.
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

    @property
    def secure(self) -> bool:
        return self.url.startswith("https:")


@dataclass(slots=True)
class Exchange:
    """What came of a request. `error` is a CURLE code, 0 when the whole answer was read or the body cap reached.

    Times are libcurl's, in seconds since the start, 0.0 when not reached; it reports a name lookup of its own
    nowhere, as it makes none. `refused` is the rule of the address policy and the address; `local_error` an errno
    of ours that kept us from opening a socket.
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
        """Callback of libcurl, before each connection: a file descriptor that it owns from here, or SOCKET_BAD."""
        text, port = address.addr[0].partition("%")[0], address.addr[1]
        if rule := self.request.policy(_parse_address(text), port):
            self.refused = (rule, text)
            return _REFUSED
        try:
            opened = socket.socket(address.family, address.socktype, address.protocol)
        except OSError as error:
            self.local_error = error.errno or errno.EIO
            return _REFUSED
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
        """Take over what libcurl knows, before the handle serves another exchange."""
        get = easy.getinfo
        capped = error == pycurl.E_WRITE_ERROR and self.truncated
        self.error, self.error_text = (0, "") if capped else (error, text)
        self.status = get(pycurl.RESPONSE_CODE)
        self.connected = get(pycurl.CONNECT_TIME)
        self.total = get(pycurl.TOTAL_TIME)
        self.address = get(pycurl.PRIMARY_IP) or ""
        if self.header_lines:
            self.first_byte = get(pycurl.STARTTRANSFER_TIME)
            self.http_version = get(pycurl.INFO_HTTP_VERSION)
            self.redirect_url = get(pycurl.REDIRECT_URL)
        if self.error:
            self.errno = get(pycurl.OS_ERRNO)
        if self.request.secure:
            self.handshaken = get(pycurl.APPCONNECT_TIME)
            self.verify_result = get(pycurl.SSL_VERIFYRESULT)
            self.certificates = get(pycurl.INFO_CERTINFO)


def resolve_entry(host: str, port: int, addresses: tuple[str, ...]) -> str:
    """`addresses` for libcurl's name cache, of which the entry of the next lookup takes the place."""
    listed = (f"[{text.partition('%')[0]}]" if ":" in text else text for text in addresses)
    return f"+{host}:{port}:{','.join(listed)}"


def prepare(easy: Any, exchange: Exchange) -> None:
    """Set a fresh libcurl handle up for the exchange."""
    put: Callable[[int, Any], None] = easy.setopt
    request = exchange.request
    put(pycurl.URL, request.url)
    put(pycurl.NOSIGNAL, 1)
    put(_QUICK_EXIT, 1)
    put(pycurl.TIMEOUT_MS, max(1, round(request.timeout * 1000)))
    put(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    put(pycurl.PROXY, "")  # not even one of the environment
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
    if request.secure:
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
    put(pycurl.OPT_CERTINFO, 1)
    if request.verify_tls:
        # A file, not a blob or a folder: only then does libcurl keep the parsed store for the next handshakes.
        put(pycurl.CAINFO, request.ca_file or default_ca_file())
    else:
        put(pycurl.SSL_VERIFYPEER, 0)
        put(pycurl.SSL_VERIFYHOST, 0)


@lru_cache(maxsize=1)
def default_ca_file() -> str:
    system = ssl.get_default_verify_paths().cafile
    return system if system and Path(system).is_file() else certifi.where()
