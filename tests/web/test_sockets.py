"""Sockets: a page hears only those who made it, with the rights they have now, as long as their session stands."""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from nicegui import Client
from sqlmodel import col, update
from websockets.exceptions import InvalidStatus

from app.core import clock
from app.db.session import Database
from app.domain.access import Role
from app.live.bus import BusMessage, Topic
from app.usecases.accounts import revoke_session
from models import Membership, User
from tests.kit.waiting import wait_until
from tests.web.people import OpenedPage, Person, Refused, joined_socket, open_socket


def _event(page: OpenedPage, theme: str) -> dict[str, Any]:
    element, listener = page.listener_of("theme")
    return {"id": element, "client_id": page.client_id, "listener_id": listener, "args": [f'"{theme}"']}


async def _theme_of(database: Database, person: Person) -> str:
    async with database.transaction() as session:
        return (await session.get_one(User, person.user.id)).theme


async def _until_theme(database: Database, person: Person, theme: str) -> None:
    async with asyncio.timeout(20):
        while await _theme_of(database, person) != theme:  # noqa: ASYNC110  another process changes it
            await asyncio.sleep(0.02)


async def test_a_page_hears_its_own_socket(ann: Person, web_database: Database) -> None:
    page = await ann.open_page()
    async with joined_socket(ann, page) as socket:
        await socket.emit("event", _event(page, "light"))
        await _until_theme(web_database, ann, "light")


async def test_events_replayed_by_another_persons_socket_are_not_heard(
    ann: Person, bob: Person, web_database: Database
) -> None:
    page, own = await ann.open_page(), await bob.open_page()
    changes: list[BusMessage] = []
    web_database.bus.subscribe(Topic.SESSIONS, changes.append)
    async with joined_socket(ann, page) as mine, joined_socket(bob, own) as foreign:
        await foreign.emit("event", _event(page, "dark"))
        await foreign.settled()
        await mine.emit("event", _event(page, "light"))
        await _until_theme(web_database, ann, "light")
        await asyncio.to_thread(wait_until, lambda: changes, "the change to be told")
    assert [change.data for change in changes] == [{"user_id": ann.user.id}]


@pytest.mark.parametrize("event", ["event", "ack", "log", "javascript_response", "handshake"])
@pytest.mark.parametrize("data", [None, 5, [], {"client_id": 5}, {"client_id": ["a"]}, {"client_id": "x"}, "own"])
async def test_a_malformed_message_is_dropped_quietly(ann: Person, event: str, data: Any) -> None:
    page = await ann.open_page()
    async with joined_socket(ann, page) as socket:
        assert not await socket.ask(event, {"client_id": page.client_id} if data == "own" else data)


async def test_a_socket_cannot_join_another_persons_page_afterwards(ann: Person, bob: Person) -> None:
    page, own = await ann.open_page(), await bob.open_page()
    async with open_socket(bob, own.client_id, implicit_handshake="false") as socket:
        await socket.join()
        asked = {"client_id": page.client_id, "tab_id": "t", "document_id": "d", "old_tab_id": None}
        assert await socket.ask("handshake", asked) is False
        assert await socket.ask("handshake", asked | {"client_id": own.client_id, "tab_id": 5}) is False
        assert await socket.ask("handshake", asked | {"client_id": own.client_id}) is True


@pytest.mark.parametrize("implicit", ["true", "false"])
async def test_without_a_session_the_handshake_fails_so_that_the_browser_reloads(ann: Person, implicit: str) -> None:
    page = await ann.open_page()
    async with open_socket(ann, page.client_id, {"Origin": ann.origin}, implicit_handshake=implicit) as socket:
        with pytest.raises(Refused) as refused:
            await socket.join()
    assert "Implicit handshake failed" in refused.value.said


async def test_a_socket_must_name_its_page(ann: Person) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(ann, ""):
            pass
    assert refused.value.response.status_code == 403


async def test_strangers_may_hold_only_so_many_sockets(ann: Person) -> None:
    stranger = {"Origin": ann.origin}
    async with AsyncExitStack() as held:
        for _ in range(20):
            await held.enter_async_context(open_socket(ann, "x", stranger))
        with pytest.raises(InvalidStatus):
            await held.enter_async_context(open_socket(ann, "x", stranger))
    async with asyncio.timeout(20):
        while True:
            with suppress(InvalidStatus):
                async with open_socket(ann, "x", stranger):
                    return


async def test_signing_out_sends_every_open_page_to_the_sign_in_page(ann: Person, web_database: Database) -> None:
    page = await ann.open_page()
    async with joined_socket(ann, page) as socket:
        async with web_database.transaction() as session:
            await revoke_session(session, ann.session_id)
        await socket.wait_for_end()
    assert any("run_javascript" in message and "/login?next=" in message for message in socket.received)
    async with open_socket(ann, page.client_id) as again:
        with pytest.raises(Refused):
            await again.join()


@pytest.mark.parametrize("change", ["disabled", "removed"])
async def test_a_change_that_nobody_announced_ends_the_socket_too(
    ann: Person, web_database: Database, change: str
) -> None:
    async with joined_socket(ann, await ann.open_page()) as socket:
        async with web_database.transaction() as session:
            if change == "disabled":
                await session.exec(update(User).where(col(User.id) == ann.user.id).values(disabled_at=clock.now()))
            else:
                await session.delete(await session.get_one(Membership, (ann.team_id, ann.user.id)))
        await socket.wait_for_end()


async def test_an_open_page_gets_the_role_of_now(ann: Person, web_database: Database) -> None:
    page = await ann.open_page()
    async with joined_socket(ann, page):
        async with web_database.transaction() as session:
            (await session.get_one(Membership, (ann.team_id, ann.user.id))).role = Role.VIEWER
        scope = Client.instances[page.client_id].request.scope
        await asyncio.to_thread(wait_until, lambda: scope["actor"].role is Role.VIEWER, "the page to know the new role")
