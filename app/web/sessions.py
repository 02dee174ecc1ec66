"""Who a cookie or a socket speaks for, asked of the database at most once in a few seconds."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from app.core import clock
from app.core.errors import Unauthenticated
from app.db.session import DATABASE_AWAY, Database
from app.usecases.accounts import actors_for
from app.usecases.actor import Actor
from app.usecases.tokens import Audience, Tokens

FRESH_S = 4.0
# How long somebody whose session stood a moment ago waits for a database that hangs.
_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class _Held:
    actor: Actor
    at: float


class Sessions:
    """Holds each live session's actor for FRESH_S seconds.

    While the database doesn't answer, those that are held stay good: nobody can be locked out then either.
    """

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens
        self._held: dict[str, _Held] = {}
        self._asking: dict[str, asyncio.Task[Actor | None]] = {}

    async def from_cookie(self, token: str) -> Actor:
        """Raises Unauthenticated for a token that isn't ours, has expired, or whose session has ended."""
        if not token:
            raise Unauthenticated()
        claims = self._tokens.read(token, Audience.WEB)
        actor = await self.actor(claims.session_id)
        if actor.user_id != claims.user_id:
            raise Unauthenticated()
        return actor

    async def actor(self, session_id: str) -> Actor:
        """Raises Unauthenticated when the session has ended, its user is disabled or in no team."""
        held = self._held.get(session_id)
        if held and clock.monotonic() - held.at < FRESH_S:
            return held.actor
        # One question for all that wait, who then go on in the order they came: events keep theirs.
        task = self._asking.get(session_id)
        if task is None:
            task = self._asking[session_id] = asyncio.create_task(self._ask_one(session_id))
            task.add_done_callback(_heed)
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE_S if held else None)
        if held and not done:
            return held.actor
        actor = task.result()
        if actor is None:
            raise Unauthenticated()
        return actor

    async def renew(self, session_ids: Collection[str]) -> dict[str, Actor]:
        """Ask for all of these at once, and forget the others; returns those that still stand.

        Raises one of DATABASE_AWAY when there is no answer; then nothing is known to have ended.
        """
        found: dict[str, Actor] = {}
        if session_ids:
            async with self._database.transaction() as session:
                found = await actors_for(session, session_ids)
        now = clock.monotonic()
        self._held = {session_id: _Held(actor, now) for session_id, actor in found.items()}
        return found

    def forget(self, user_id: int | None = None) -> None:
        """Ask anew about this user's sessions, or about all."""
        for session_id, held in self._held.items():
            if user_id in {None, held.actor.user_id}:
                self._held[session_id] = _Held(held.actor, -FRESH_S)

    async def _ask_one(self, session_id: str) -> Actor | None:
        try:
            async with self._database.transaction() as session:
                actor = (await actors_for(session, {session_id})).get(session_id)
        except DATABASE_AWAY:
            held = self._held.get(session_id)
            if held is None:
                raise
            return held.actor
        finally:
            del self._asking[session_id]
        if actor is None:
            self._held.pop(session_id, None)
        else:
            self._held[session_id] = _Held(actor, clock.monotonic())
        return actor


def _heed(task: asyncio.Task[Actor | None]) -> None:
    # Nobody may be left to take the exception of a question whose askers have gone.
    if not task.cancelled():
        task.exception()
