"""Asking a server in its own protocol to go on with TLS."""

import struct
from collections.abc import Awaitable, Callable
from typing import Literal

from app.core.errors import TargetFailed
from probes.stream import Stream
from probes.verdicts import one_line

Protocol = Literal["none", "smtp", "imap", "pop3", "postgres"]

_MAX_LINES = 100
_SSL_REQUEST = struct.pack("!II", 8, 80877103)


async def ask_for_tls(stream: Stream, protocol: Protocol) -> None:
    """Come to where the TLS handshake starts. Raises TargetFailed, cause "tls", when the server offers none."""
    if protocol != "none":
        await _ASK[protocol](stream)


async def read_reply(stream: Stream) -> tuple[int, list[str]]:
    """One reply of SMTP with all its lines: the code, and the texts without it."""
    texts: list[str] = []
    while len(texts) < _MAX_LINES:
        line = await stream.read_line()
        if not line[:3].isdigit() or line[3:4] not in {b"", b" ", b"-"}:
            raise TargetFailed("protocol", f"This is no answer of a mail server: {one_line(line, 100)}")
        texts.append(one_line(line[4:]))
        if line[3:4] != b"-":
            return int(line[:3]), texts
    raise TargetFailed("protocol", "The answer is longer than this protocol allows")


async def _smtp(stream: Stream) -> None:
    for command, wanted in ((b"", 220), (b"EHLO pulseboard\r\n", 250), (b"STARTTLS\r\n", 220)):
        await stream.send(command)
        code, texts = await read_reply(stream)
        if code != wanted:
            cause = "tls" if command.startswith(b"STARTTLS") else "protocol"
            raise TargetFailed(cause, f"The mail server answered {code} {texts[-1]}")


async def _imap(stream: Stream) -> None:
    greeting = await stream.read_line()
    if not greeting.upper().startswith((b"* OK", b"* PREAUTH")):
        raise TargetFailed("protocol", f"This is no greeting of an IMAP server: {one_line(greeting, 100)}")
    await stream.send(b"a STARTTLS\r\n")
    for _ in range(_MAX_LINES):
        line = await stream.read_line()
        if line.startswith(b"a "):
            _accept(line, b"a OK")
            return
    raise TargetFailed("protocol", "The answer is longer than this protocol allows")


async def _pop3(stream: Stream) -> None:
    greeting = await stream.read_line()
    if not greeting.startswith(b"+OK"):
        raise TargetFailed("protocol", f"This is no greeting of a POP3 server: {one_line(greeting, 100)}")
    await stream.send(b"STLS\r\n")
    _accept(await stream.read_line(), b"+OK")


async def _postgres(stream: Stream) -> None:
    await stream.send(_SSL_REQUEST)
    answer = await stream.read_exactly(1)
    if answer == b"N":
        raise TargetFailed("tls", "The server offers no TLS")
    if answer != b"S":
        raise TargetFailed("protocol", "This is no PostgreSQL server")


def _accept(line: bytes, start: bytes) -> None:
    if not line.upper().startswith(start.upper()):
        raise TargetFailed("tls", f"The server offers no TLS: {one_line(line, 100)}")


_ASK: dict[str, Callable[[Stream], Awaitable[None]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "postgres": _postgres,
}
