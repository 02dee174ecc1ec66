"""Passwords at rest: keyed with a pepper, then hashed with bcrypt, in threads of their own."""

import asyncio
import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from app.core.errors import Invalid, RateLimited

MIN_LENGTH = 15
MAX_LENGTH = 1000
COST = 12
_THREADS = 2
_MAX_WAITING = 32
_BUSY_S = 5

T = TypeVar("T")


class Passwords:
    """Hashes and verifies. At most `_THREADS` run at a time and `_MAX_WAITING` wait; more raise RateLimited.

    bcrypt reads 72 bytes only; what it is given here is a digest of the whole password.
    """

    def __init__(self, pepper: bytes, cost: int = COST) -> None:
        self._pepper = pepper
        self._cost = cost
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        # Well formed, so that comparing with it takes as long as with a real one.
        self._nobody = b"$2b$%02d$" % cost + b"." * 53

    async def hash(self, password: str) -> str:
        """Raises Invalid for a password that is too short or too long."""
        check_length(password)
        digest = self._digest(password)
        return (await self._run(lambda: bcrypt.hashpw(digest, bcrypt.gensalt(self._cost)))).decode()

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Whether the password is the one that was hashed; None, for an unknown user, takes as long as any.

        An account whose hash is none of ours has no password that fits.
        """
        digest = self._digest(password)
        known = hashed is not None and hashed.startswith("$2")
        stored = hashed.encode() if hashed and known else self._nobody
        return await self._run(lambda: bcrypt.checkpw(digest, stored)) and known

    def is_weak(self, hashed: str) -> bool:
        """Whether it was hashed at a lower cost than today's."""
        return int(hashed.split("$")[2]) < self._cost

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _digest(self, password: str) -> bytes:
        text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
        return base64.b64encode(hmac.digest(self._pepper, text, hashlib.sha256))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _THREADS + _MAX_WAITING:
            raise RateLimited(_BUSY_S)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def check_length(password: str) -> None:
    """Raise Invalid for a password that is too short or too long; nothing else is asked of it."""
    length = len(unicodedata.normalize("NFC", password))
    if length < MIN_LENGTH:
        text = f"Use {MIN_LENGTH} characters or more; this has {length}. A sentence of a few words is easy to remember."
        raise Invalid({"password": text})
    if length > MAX_LENGTH:
        raise Invalid({"password": f"Use at most {MAX_LENGTH:,} characters; this has {length:,}."})
