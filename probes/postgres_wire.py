"""What a check needs of PostgreSQL's protocol 3: signing in and simple queries, with every message bounded."""

import asyncio
import base64
import hashlib
import hmac
import secrets
import struct
import unicodedata

from app.core.errors import TargetFailed
from probes.stream import Stream
from probes.verdicts import one_line

_VERSION = 196608  # 3.0
_MAX_MESSAGE = 1 << 20
_MAX_ITERATIONS = 100_000
_OK, _CLEARTEXT, _MD5, _SASL = 0, 3, 5, 10
_SCRAM = b"SCRAM-SHA-256"


class Session:
    """A connection of one user. Its methods raise TargetFailed for what the server answers."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.parameters: dict[str, str] = {}

    async def start(self, user: str, password: str, database: str) -> None:
        names = {"user": user, "database": database, "client_encoding": "UTF8", "application_name": "pulseboard"}
        words = b"".join(f"{name}\0{value}\0".encode() for name, value in names.items()) + b"\0"
        await self._stream.send(struct.pack("!II", len(words) + 8, _VERSION) + words)
        await self._sign_in(user, password)
        while (message := await self._receive())[0] != b"Z":
            if message[0] == b"S":
                name, value = message[1].split(b"\0")[:2]
                self.parameters[one_line(name)] = one_line(value)

    async def query(self, sql: str) -> tuple[int, str | None]:
        """The number of rows, and the first value of the first one as text, None for NULL or without rows."""
        await self._send(b"Q", sql.encode() + b"\0")
        rows, size, first, error = 0, 0, None, None
        while (message := await self._receive(raising=False))[0] != b"Z":
            kind, body = message
            size += len(body)
            if kind == b"E":
                error = _refusal(body)
            if kind in {b"G", b"W"} or size > _MAX_MESSAGE:
                raise TargetFailed("answer", "The query asks for data, or its answer is larger than 1 MiB")
            if kind == b"D":
                first = first if rows else _first_value(body)
                rows += 1
        if error is not None:
            raise error
        return rows, first

    async def end(self) -> None:
        await self._send(b"X", b"")

    async def _sign_in(self, user: str, password: str) -> None:
        method, rest = await self._receive_authentication()
        if method == _CLEARTEXT:
            await self._send(b"p", password.encode() + b"\0")
        elif method == _MD5:
            await self._send(b"p", md5_answer(user, password, rest) + b"\0")
        elif method == _SASL:
            if _SCRAM not in rest.split(b"\0"):
                raise TargetFailed("auth", "The server wants a way to sign in that Pulseboard does not have")
            await self._scram(password)
        elif method != _OK:
            raise TargetFailed("auth", f"The server wants a way to sign in that Pulseboard does not have ({method})")
        if method != _OK and (await self._receive_authentication())[0] != _OK:
            raise TargetFailed("protocol", "The server asks for more after the password")

    async def _scram(self, password: str) -> None:
        nonce = base64.b64encode(secrets.token_bytes(18))
        opening = b"n=,r=" + nonce
        await self._send(b"p", _SCRAM + b"\0" + struct.pack("!I", len(opening) + 3) + b"n,," + opening)
        _, challenge = await self._receive_authentication()
        answer, signature = await asyncio.to_thread(scram_answer, password, opening, challenge)
        await self._send(b"p", answer)
        _, final = await self._receive_authentication()
        if not hmac.compare_digest(_attributes(final).get(b"v", b""), signature):
            raise TargetFailed("auth", "The server does not know the password itself")

    async def _receive_authentication(self) -> tuple[int, bytes]:
        kind, body = await self._receive()
        if kind != b"R" or len(body) < 4:
            raise TargetFailed("protocol", "This is no PostgreSQL server")
        (method,) = struct.unpack_from("!I", body)
        return method, body[4:]

    async def _send(self, kind: bytes, body: bytes) -> None:
        await self._stream.send(kind + struct.pack("!I", len(body) + 4) + body)

    async def _receive(self, *, raising: bool = True) -> tuple[bytes, bytes]:
        head = await self._stream.read_exactly(5)
        (length,) = struct.unpack("!I", head[1:])
        if not head[:1].isalpha() and not head[:1].isdigit():
            raise TargetFailed("protocol", "This is no PostgreSQL server")
        if not 4 <= length <= _MAX_MESSAGE:
            raise TargetFailed("protocol", "The answer is longer than this check reads")
        body = await self._stream.read_exactly(length - 4)
        if raising and head[:1] == b"E":
            raise _refusal(body)
        return head[:1], body


def md5_answer(user: str, password: str, salt: bytes) -> bytes:
    inner = hashlib.md5(password.encode() + user.encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt[:4], usedforsecurity=False).hexdigest().encode()


def scram_answer(password: str, opening: bytes, challenge: bytes) -> tuple[bytes, bytes]:
    """RFC 5802's client-final message, and the signature that the server must show in turn."""
    given = _attributes(challenge)
    try:
        nonce, salt, iterations = given[b"r"], base64.b64decode(given[b"s"]), int(given[b"i"])
    except (KeyError, ValueError):
        raise TargetFailed("protocol", "The server's challenge can't be read") from None
    if not nonce.startswith(opening.rpartition(b"r=")[2]) or not 0 < iterations <= _MAX_ITERATIONS:
        raise TargetFailed("protocol", "The server's challenge is not valid")
    secret = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", secret, salt, iterations)
    client_key = _mac(salted, b"Client Key")
    final = b"c=biws,r=" + nonce
    signed = b",".join((opening, challenge, final))
    mask = _mac(hashlib.sha256(client_key).digest(), signed)
    proof = bytes(one ^ other for one, other in zip(client_key, mask, strict=True))
    signature = _mac(_mac(salted, b"Server Key"), signed)
    return final + b",p=" + base64.b64encode(proof), base64.b64encode(signature)


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _attributes(message: bytes) -> dict[bytes, bytes]:
    return {part[:1]: part[2:] for part in message.split(b",")}


def _first_value(row: bytes) -> str | None:
    if len(row) < 6:
        return None
    (length,) = struct.unpack_from("!i", row, 2)
    return row[6 : 6 + length].decode("utf-8", "replace") if length >= 0 else None


def _refusal(body: bytes) -> TargetFailed:
    fields = {part[:1]: one_line(part[1:]) for part in body.split(b"\0") if part}
    state, text = fields.get(b"C", ""), fields.get(b"M", "")
    return TargetFailed("auth" if state.startswith("28") else "status", f"{state} {text}".strip() or "An error")
