"""Who a session speaks for is asked seldom, but an end is never overlooked for long."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import event

from app.core.errors import Unauthenticated
from app.db.session import DATABASE_AWAY, Database, make_engine
from app.usecases.accounts import open_session, revoke_session
from app.usecases.tokens import Audience, Claims, Tokens
from app.web.sessions import Sessions
from tests.builders import add_team, add_user, id_of

TOKENS = Tokens(b"k" * 32)


@dataclass(slots=True)
class Watched:
    """`asked` counts the questions to the database."""

    database: Database
    sessions: Sessions
    claims: Claims
    asked: int = 0


@pytest.fixture
async def watched(database: Database) -> Watched:
    async with database.transaction() as session:
        user = await add_user(session, await add_team(session))
        opened = await open_session(session, id_of(user), timedelta(hours=1))
    found = Watched(database, Sessions(database, TOKENS), Claims(id_of(user), opened.id, opened.expires_at))

    def count(*_: object) -> None:
        found.asked += 1

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    return found


async def _revoke(watched: Watched) -> None:
    async with watched.database.transaction() as session:
        await revoke_session(session, watched.claims.session_id)
    watched.asked = 0


async def test_many_requests_in_a_moment_ask_once(watched: Watched) -> None:
    for _ in range(20):
        await watched.sessions.from_cookie(TOKENS.issue(watched.claims, Audience.WEB))
    assert watched.asked == 1


async def test_after_word_of_a_change_it_asks_again(watched: Watched) -> None:
    actor = await watched.sessions.actor(watched.claims.session_id)
    await _revoke(watched)
    assert await watched.sessions.actor(watched.claims.session_id) == actor
    watched.sessions.forget(actor.user_id + 1)
    assert await watched.sessions.actor(watched.claims.session_id) == actor
    watched.sessions.forget(actor.user_id)
    with pytest.raises(Unauthenticated):
        await watched.sessions.actor(watched.claims.session_id)
    assert watched.asked == 1


async def test_a_look_at_all_sessions_finds_the_ended_ones(watched: Watched) -> None:
    ids = {watched.claims.session_id, "unknown"}
    assert (await watched.sessions.renew(ids)).keys() == {watched.claims.session_id}
    await _revoke(watched)
    assert await watched.sessions.renew(ids) == {}
    with pytest.raises(Unauthenticated):
        await watched.sessions.actor(watched.claims.session_id)


async def test_a_token_of_another_user_for_the_same_session_is_refused(watched: Watched) -> None:
    claims = Claims(watched.claims.user_id + 1, watched.claims.session_id, watched.claims.expires_at)
    with pytest.raises(Unauthenticated):
        await watched.sessions.from_cookie(TOKENS.issue(claims, Audience.WEB))


async def test_while_the_database_is_away_those_known_stay_and_strangers_wait(watched: Watched) -> None:
    actor = await watched.sessions.actor(watched.claims.session_id)
    healthy = watched.database.engine
    watched.database.engine = make_engine("postgresql://nobody@127.0.0.1:1/nothing")
    watched.sessions.forget()
    assert await watched.sessions.actor(actor.session_id) == actor
    with pytest.raises(DATABASE_AWAY):
        await watched.sessions.actor("unknown")
    with pytest.raises(DATABASE_AWAY):
        await watched.sessions.renew({actor.session_id})
    assert await watched.sessions.actor(actor.session_id) == actor
    await watched.database.engine.dispose()
    watched.database.engine = healthy
