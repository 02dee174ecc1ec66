"""A TCP connection with optional TLS, for checks that speak a protocol themselves.

It owns its socket, so that closing it, also when a run is cancelled, takes effect at once on every event loop.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from app.core.errors import ProbeUnable, TargetFailed
from probes.exchange import default_ca_file
from probes.verdicts import TARGET_ERRNOS, tls_message

_CHUNK = 16 * 1024
_LIMIT = 64 * 1024
T = TypeVar("T")


class Stream:
    """A connected socket. Its methods raise TargetFailed for what the target does, cause "protocol" or "tls"."""

    def __init__(self, connected: socket.socket, first_byte: Callable[[], None]) -> None:
        """`first_byte` is called whenever application data arrives."""
        self._socket = connected
        self._first_byte = first_byte
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Make the handshake. Raises ssl.SSLCertVerificationError for a certificate that is not trusted."""
        if self._buffer:
            raise TargetFailed("protocol", "The server sent more before the TLS handshake than it should")
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name or None)
        try:
            await self._drive(tls.do_handshake)
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLEOFError:
            raise TargetFailed("tls", "TLS handshake failed: the connection was closed") from None
        except ssl.SSLError as error:
            raise TargetFailed("tls", tls_message(error)) from None
        self.tls = tls

    async def send(self, data: bytes) -> None:
        if self.tls is None:
            await self._send_raw(data)
        elif data:
            tls = self.tls
            await self._drive(lambda: tls.write(data))

    async def receive(self) -> bytes:
        """Some bytes, at most 16 KiB; none at the end of the stream."""
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data
        return await self._receive_more()

    async def read_exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._fill()
        return self._take(count)

    async def read_until(self, end: bytes, limit: int = _LIMIT) -> bytes:
        """Everything up to and with `end`."""
        while (found := self._buffer.find(end)) < 0:
            if len(self._buffer) > limit:
                raise TargetFailed("protocol", "The answer is longer than this protocol allows")
            await self._fill()
        return self._take(found + len(end))

    async def read_line(self) -> bytes:
        """One line without its end, at most 64 KiB long."""
        return (await self.read_until(b"\n")).rstrip(b"\r\n")

    def close(self) -> None:
        self._socket.close()

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _fill(self) -> None:
        data = await self._receive_more()
        if not data:
            what = "in the middle of an answer" if self._buffer else "without an answer"
            raise TargetFailed("protocol", f"The connection was closed {what}")
        self._buffer += data

    async def _receive_more(self) -> bytes:
        if self.tls is None:
            data = await self._receive_raw()
        else:
            tls = self.tls
            try:
                data = await self._drive(lambda: tls.read(_CHUNK))
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""
            except ssl.SSLError as error:
                raise TargetFailed("tls", tls_message(error)) from None
        if data:
            self._first_byte()
        return data

    async def _drive(self, step: Callable[[], T]) -> T:
        """Repeat a step of OpenSSL's until it needs nothing more from the socket."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await self._send_raw(self._outgoing.read())
                data = await self._receive_raw()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                self._say_why()
                raise
            else:
                await self._send_raw(self._outgoing.read())
                return done

    def _say_why(self) -> None:
        """Send OpenSSL's alert, if the socket takes it right now."""
        try:
            self._socket.send(self._outgoing.read())
        except OSError:
            return

    async def _send_raw(self, data: bytes) -> None:
        if not data:
            return
        try:
            await self._loop.sock_sendall(self._socket, data)
        except OSError as error:
            raise _broken(error) from None

    async def _receive_raw(self) -> bytes:
        try:
            return await self._loop.sock_recv(self._socket, _CHUNK)
        except OSError as error:
            raise _broken(error) from None


@lru_cache(maxsize=64)
def tls_context(
    ca_file: str | None, verify: bool = True, minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
) -> ssl.SSLContext:
    """A client's context. Raises ProbeUnable when our bundle of authorities can't be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = minimum
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        context.load_verify_locations(ca_file or default_ca_file())
    except OSError as error:
        reason = f"Our own trouble: the authorities to trust can't be read ({error.strerror or 'not PEM'})"
        raise ProbeUnable("internal", reason) from None
    return context


def _broken(error: OSError) -> TargetFailed | ProbeUnable:
    number = error.errno or 0
    if number in TARGET_ERRNOS:
        return TargetFailed("protocol", TARGET_ERRNOS[number])
    return ProbeUnable("internal", f"Our own trouble: {errno.errorcode.get(number, str(number))}")
