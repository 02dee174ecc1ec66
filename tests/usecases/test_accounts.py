"""Accounts: one setup for good, sessions that end when they should."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, delete, func, select, update

from app.core import clock
from app.core.errors import Conflict, Forbidden, Invalid, Unauthenticated
from app.db.session import Database
from app.domain.access import Role
from app.live.bus import BusMessage, Topic
from app.usecases import accounts
from app.usecases.passwords import Passwords
from models import AuthSession, Installation, Membership, User
from tests.builders import add_team, add_user, id_of

FORM = {"name": "Ada", "email": "Ada@Example.com ", "password": "correct horse battery", "team": "Ops"}


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(b"pepper", cost=4)
    yield made
    made.close()


async def _token(database: Database) -> str:
    async with database.transaction() as session:
        token = await accounts.ensure_setup_token(session)
    assert token is not None
    return token


async def _set_up(database: Database, passwords: Passwords, token: str, **changes: str) -> User:
    async with database.transaction() as session:
        return await accounts.complete_setup(session, passwords, token, FORM | changes)


async def _count_users(database: Database) -> int:
    async with database.transaction() as session:
        return (await session.exec(select(func.count()).select_from(User))).one()


async def test_setup_makes_an_admin_with_a_team(database: Database, passwords: Passwords) -> None:
    user = await _set_up(database, passwords, await _token(database))
    async with database.transaction() as session:
        membership = (await session.exec(select(Membership))).one()
    assert (user.email, user.name, membership.role) == ("ada@example.com", "Ada", Role.ADMIN)
    assert await passwords.verify(FORM["password"], user.password_hash)


async def test_only_the_hash_of_the_setup_token_is_stored(database: Database) -> None:
    token = await _token(database)
    async with database.transaction() as session:
        row = await session.get_one(Installation, 1)
    assert row.setup_token_hash is not None
    assert token not in row.setup_token_hash


async def test_each_start_voids_the_setup_links_before_it(database: Database, passwords: Passwords) -> None:
    older, newer = await _token(database), await _token(database)
    with pytest.raises(Forbidden):
        await _set_up(database, passwords, older)
    await _set_up(database, passwords, newer)


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800"])
async def test_a_wrong_setup_token_makes_nobody(database: Database, passwords: Passwords, token: str) -> None:
    with pytest.raises(Forbidden):
        await _set_up(database, passwords, token)
    await _token(database)
    with pytest.raises(Forbidden):
        await _set_up(database, passwords, token)
    assert await _count_users(database) == 0


async def test_of_fifty_setups_at_once_exactly_one_succeeds(database: Database, passwords: Passwords) -> None:
    token = await _token(database)
    tries = (_set_up(database, passwords, token, email=f"a{n}@example.com", team=f"Team {n}") for n in range(50))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 49
    assert await _count_users(database) == 1


async def test_setup_stays_closed_when_everybody_is_deleted(database: Database, passwords: Passwords) -> None:
    token = await _token(database)
    await _set_up(database, passwords, token)
    async with database.transaction() as session:
        await session.exec(delete(User))
        assert await accounts.ensure_setup_token(session) is None
        assert not await accounts.needs_setup(session)
    with pytest.raises(Conflict):
        await _set_up(database, passwords, token)


async def test_an_admin_made_from_the_shell_closes_setup(database: Database, passwords: Passwords) -> None:
    token = await _token(database)
    async with database.transaction() as session:
        await accounts.create_user(session, passwords, accounts.new_user(FORM | {"role": "admin"}))
    with pytest.raises(Conflict):
        await _set_up(database, passwords, token)


async def test_a_refused_form_leaves_setup_open(database: Database, passwords: Passwords) -> None:
    token = await _token(database)
    with pytest.raises(Invalid):
        await _set_up(database, passwords, token, password="short")
    await _set_up(database, passwords, token)


def test_every_wrong_field_is_named_at_once_and_no_value_is_echoed() -> None:
    with pytest.raises(Invalid) as refused:
        accounts.new_user({"name": "  ", "email": "me at home", "password": "hunter2", "team": "x" * 101})
    assert refused.value.fields.keys() == {"name", "email", "password", "team"}
    assert "hunter2" not in str(refused.value.fields)


@pytest.mark.parametrize("changes", [{"role": "owner"}, {"email": "a@b\nc"}, {"name": "\x00\x07"}])
def test_an_unfit_value_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        accounts.new_user(FORM | changes)


async def test_an_address_is_taken_once_whatever_its_case(database: Database, passwords: Passwords) -> None:
    async with database.transaction() as session:
        await accounts.create_user(session, passwords, accounts.new_user(FORM))
    async with database.transaction() as session:
        with pytest.raises(Invalid) as refused:
            await accounts.create_user(session, passwords, accounts.new_user(FORM | {"email": "ADA@example.COM"}))
    assert "email" in refused.value.fields
    assert await _count_users(database) == 1


async def _session_of(database: Database, lifetime: timedelta = timedelta(hours=1)) -> tuple[str, int]:
    async with database.transaction() as session:
        user = await add_user(session, await add_team(session), role=Role.DEVELOPER)
        opened = await accounts.open_session(session, id_of(user), lifetime)
    return opened.id, id_of(user)


async def test_a_session_speaks_for_its_user_with_their_role(database: Database) -> None:
    session_id, user_id = await _session_of(database)
    async with database.transaction() as session:
        actor = await accounts.actor_for(session, session_id, user_id)
    assert (actor.user_id, actor.role, actor.team_name, actor.session_id) == (
        user_id,
        Role.DEVELOPER,
        "Payments",
        session_id,
    )


@pytest.mark.parametrize("ended", ["revoked", "expired", "disabled", "removed", "unknown", "somebody else's"])
async def test_a_session_that_has_ended_speaks_for_nobody(database: Database, ended: str) -> None:
    lifetime = timedelta(seconds=-1) if ended == "expired" else timedelta(hours=1)
    session_id, user_id = await _session_of(database, lifetime)
    async with database.transaction() as session:
        if ended == "revoked":
            await accounts.revoke_session(session, session_id)
        if ended == "disabled":
            await session.exec(update(User).values(disabled_at=clock.now()))
        if ended == "removed":
            await session.exec(delete(Membership))
    wanted = {"unknown": ("nothing", user_id), "somebody else's": (session_id, user_id + 1)}
    async with database.transaction() as session:
        with pytest.raises(Unauthenticated):
            await accounts.actor_for(session, *wanted.get(ended, (session_id, user_id)))


async def test_of_several_teams_the_first_is_taken_unless_another_is_named(database: Database) -> None:
    session_id, user_id = await _session_of(database)
    async with database.transaction() as session:
        other = await add_team(session, "Another")
        session.add(Membership(team_id=id_of(other), user_id=user_id, role=Role.VIEWER))
    async with database.transaction() as session:
        assert (await accounts.actor_for(session, session_id, user_id)).team_name == "Payments"
        named = await accounts.actor_for(session, session_id, user_id, id_of(other))
        assert (named.team_name, named.role) == ("Another", Role.VIEWER)
        with pytest.raises(Unauthenticated):
            await accounts.actor_for(session, session_id, user_id, 999_999)


async def test_revoking_is_told_to_every_process_once(database: Database) -> None:
    heard: list[BusMessage] = []
    database.bus.subscribe(Topic.SESSIONS, heard.append)
    session_id, user_id = await _session_of(database)
    for _ in range(2):
        async with database.transaction() as session:
            await accounts.revoke_session(session, session_id)
    assert [message.data for message in heard] == [{"user_id": user_id}]


async def test_expired_sessions_are_forgotten_when_the_next_one_opens(database: Database) -> None:
    expired, user_id = await _session_of(database, timedelta(seconds=-1))
    async with database.transaction() as session:
        opened = await accounts.open_session(session, user_id, timedelta(hours=1))
        left = list(await session.exec(select(AuthSession.id).where(col(AuthSession.user_id) == user_id)))
    assert left == [opened.id]
    assert expired not in left


async def test_a_theme_is_remembered_and_an_unknown_one_refused(database: Database) -> None:
    session_id, user_id = await _session_of(database)
    async with database.transaction() as session:
        actor = await accounts.actor_for(session, session_id, user_id)
        await accounts.set_theme(session, actor, "light")
        assert (await accounts.actor_for(session, session_id, user_id)).theme == "light"
        with pytest.raises(Invalid):
            await accounts.set_theme(session, actor, "blue")
