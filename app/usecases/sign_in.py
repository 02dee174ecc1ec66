"""Signing in, for browsers and for the API: one place that knows limits, timing and what is told."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import col, select, update

from app.core import clock
from app.core.errors import RateLimited, Unauthenticated
from app.db.session import Database
from app.usecases.accounts import normal_email, open_session
from app.usecases.passwords import Passwords
from app.usecases.tokens import Audience, Claims, Tokens
from models import Membership, User

LIFETIMES = {Audience.WEB: timedelta(days=7), Audience.API: timedelta(days=1)}
_WRONG = "The address or the password is wrong."
_MAX_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """`address` is the peer's, as text."""

    email: str
    password: str
    address: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    user_id: int
    token: str
    claims: Claims


class SignIn:
    """Takes the database rather than a session: no connection is held while a password is hashed."""

    def __init__(self, database: Database, passwords: Passwords, tokens: Tokens) -> None:
        self._database = database
        self._passwords = passwords
        self._tokens = tokens
        self._limits = AttemptLimits()

    async def __call__(self, attempt: Attempt, audience: Audience) -> SignedIn:
        """Open a session and make its token.

        Raises Unauthenticated with the same words and after the same time for an unknown or disabled user, one
        without a team, and a wrong password; RateLimited after too many attempts, whether they were right or not.
        """
        email = normal_email(attempt.email)
        keys = limit_keys(email, attempt.address)
        self._limits.take(keys, clock.monotonic())
        user = await self._find(email)
        hashed = user.password_hash if user else None
        if not await self._passwords.verify(attempt.password, hashed) or user is None:
            raise Unauthenticated(_WRONG)
        self._limits.give_back(keys)
        if self._passwords.is_weak(user.password_hash):
            await self._rehash(user, attempt.password)
        return await self._open(user.id or 0, audience)

    async def _find(self, email: str) -> User | None:
        members = select(Membership.user_id)
        query = select(User).where(User.email == email, col(User.disabled_at).is_(None), col(User.id).in_(members))
        async with self._database.transaction() as session:
            return (await session.exec(query)).first()

    async def _rehash(self, user: User, password: str) -> None:
        renewed = await self._passwords.hash(password)
        query = update(User).where(col(User.id) == user.id, col(User.password_hash) == user.password_hash)
        async with self._database.transaction() as session:
            await session.exec(query.values(password_hash=renewed))

    async def _open(self, user_id: int, audience: Audience) -> SignedIn:
        async with self._database.transaction() as session:
            opened = await open_session(session, user_id, LIFETIMES[audience])
        claims = Claims(user_id, opened.id, opened.expires_at)
        return SignedIn(user_id, self._tokens.issue(claims, audience), claims)


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket of `burst` attempts; one comes back every `refill_s` seconds."""

    burst: int
    refill_s: float


@dataclass(frozen=True, slots=True)
class LimitKey:
    name: str
    limit: Limit


# An account's own limit is wide, so that a stranger can't lock its owner out from elsewhere.
_PAIR = Limit(10, 360.0)
_ACCOUNT = Limit(100, 36.0)
_ADDRESS = Limit(60, 60.0)


def limit_keys(email: str, address: str) -> list[LimitKey]:
    """What an attempt counts against; addresses of one IPv6 /64 are one."""
    network = _network(address)
    return [
        LimitKey(f"pair {email} {network}", _PAIR),
        LimitKey(f"account {email}", _ACCOUNT),
        LimitKey(f"address {network}", _ADDRESS),
    ]


class AttemptLimits:
    """Buckets of attempts, in this process's memory; those unused for longest are forgotten first."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, keys: list[LimitKey], now: float) -> None:
        """Count one attempt against every key; raises RateLimited, and counts nothing, when one is used up."""
        levels = [self._level(key, now) for key in keys]
        waits = [(1 - level) * key.limit.refill_s for key, level in zip(keys, levels, strict=True) if level < 1]
        if waits:
            raise RateLimited(int(max(waits)) + 1)
        for key, level in zip(keys, levels, strict=True):
            self._buckets[key.name] = (level - 1, now)
            self._buckets.move_to_end(key.name)
        while len(self._buckets) > _MAX_KEYS:
            self._buckets.popitem(last=False)

    def give_back(self, keys: list[LimitKey]) -> None:
        """Undo one attempt: it was right."""
        for key in keys:
            if key.name in self._buckets:
                level, at = self._buckets[key.name]
                self._buckets[key.name] = (level + 1, at)

    def _level(self, key: LimitKey, now: float) -> float:
        level, at = self._buckets.get(key.name, (float(key.limit.burst), now))
        return min(key.limit.burst, level + (now - at) / key.limit.refill_s)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
