"""The bus between processes on real PostgreSQL, and the one within a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import orjson
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.session import Database, announce, libpq_url
from app.live.bus import Bus, BusMessage, LocalBus, Topic
from app.live.postgres_bus import CHANNEL, MAX_PAYLOAD, PostgresBus, merge, pack


class Inbox:
    """What came in on some topics, in order."""

    def __init__(self, bus: Bus, *topics: Topic) -> None:
        self.messages: list[BusMessage] = []
        self._came = asyncio.Condition()
        for topic in topics:
            bus.subscribe(topic, self._take)

    async def _take(self, message: BusMessage) -> None:
        async with self._came:
            self.messages.append(message)
            self._came.notify_all()

    async def wait_for(self, count: int) -> list[BusMessage]:
        async with asyncio.timeout(20), self._came:
            await self._came.wait_for(lambda: len(self.messages) >= count)
        return self.messages


@pytest.fixture
async def buses(database_url: str) -> AsyncIterator[tuple[PostgresBus, PostgresBus]]:
    """Two buses on one database, as two processes have them."""
    pair = PostgresBus(libpq_url(database_url)), PostgresBus(libpq_url(database_url))
    for bus in pair:
        await bus.start()
    yield pair
    for bus in pair:
        await bus.close()


async def test_a_message_reaches_every_process_the_sender_included(buses: tuple[PostgresBus, PostgresBus]) -> None:
    inboxes = [Inbox(bus, Topic.CHECKS) for bus in buses]
    message = BusMessage(Topic.CHECKS, 7, {"ids": [1, 2]})
    await buses[0].publish([message])
    for inbox in inboxes:
        assert await inbox.wait_for(1) == [message]


async def test_a_message_longer_than_a_notify_arrives_whole(buses: tuple[PostgresBus, PostgresBus]) -> None:
    inbox = Inbox(buses[1], Topic.PRESENCE)
    message = BusMessage(Topic.PRESENCE, 1, {"viewers": ["Žofie 🦊" * 4000]})
    await buses[0].publish([message])
    assert await inbox.wait_for(1) == [message]


async def test_what_an_unknown_process_says_does_no_harm(
    buses: tuple[PostgresBus, PostgresBus], database_url: str
) -> None:
    inbox = Inbox(buses[1], Topic.EVENTS)
    async with await psycopg.AsyncConnection.connect(libpq_url(database_url), autocommit=True) as other:
        await other.execute("SELECT pg_notify(%s, %s)", (CHANNEL, '[["of-a-newer-version", 1, {}]]'))
    await buses[0].publish([BusMessage(Topic.EVENTS, 1, {"id": 5})])
    assert (await inbox.wait_for(1))[0].data == {"id": 5}


async def test_a_message_that_is_no_json_does_not_hold_up_the_others(buses: tuple[PostgresBus, PostgresBus]) -> None:
    inbox = Inbox(buses[1], Topic.TYPING)
    await buses[0].publish(
        [BusMessage(Topic.TYPING, 1, {"name": "\ud800"}), BusMessage(Topic.TYPING, 1, {"name": "Ann"})]
    )
    assert [message.data["name"] for message in await inbox.wait_for(1)] == ["Ann"]


async def test_after_lost_connections_messages_flow_again_and_readers_are_told_to_read_anew(
    buses: tuple[PostgresBus, PostgresBus], database_url: str
) -> None:
    inbox = Inbox(buses[1], Topic.RESYNC, Topic.EVENTS)
    async with await psycopg.AsyncConnection.connect(libpq_url(database_url), autocommit=True) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert [message.topic for message in await inbox.wait_for(1)] == [Topic.RESYNC]
    assert buses[1].healthy
    await buses[0].publish([BusMessage(Topic.EVENTS, 1, {"id": 9})])
    assert (await inbox.wait_for(2))[1].data == {"id": 9}


async def test_messages_published_before_the_end_are_sent(database_url: str) -> None:
    listener, speaker = PostgresBus(libpq_url(database_url)), PostgresBus(libpq_url(database_url))
    await listener.start()
    await speaker.start()
    inbox = Inbox(listener, Topic.EVENTS)
    await speaker.publish([BusMessage(Topic.EVENTS, 1, {"id": 1})])
    await speaker.close()
    await inbox.wait_for(1)
    await listener.close()


async def test_an_announcement_goes_out_after_the_commit_only(database: Database) -> None:
    inbox = Inbox(database.bus, Topic.CHANNELS)
    async with database.transaction() as session:
        announce(session, Topic.CHANNELS, 3)
        assert inbox.messages == []
    assert inbox.messages == [BusMessage(Topic.CHANNELS, 3)]


async def test_a_roll_back_announces_nothing(database: Database) -> None:
    inbox = Inbox(database.bus, Topic.CHANNELS)
    with suppress(ZeroDivisionError):
        async with database.transaction() as session:
            announce(session, Topic.CHANNELS, 3)
            raise ZeroDivisionError
    assert inbox.messages == []


async def test_a_handler_that_fails_does_not_stop_the_others() -> None:
    bus = LocalBus()
    bus.subscribe(Topic.EVENTS, lambda message: message.data["missing"])
    inbox = Inbox(bus, Topic.EVENTS)
    await bus.publish([BusMessage(Topic.EVENTS)])
    assert len(inbox.messages) == 1


async def test_an_ended_subscription_hears_nothing_more() -> None:
    bus = LocalBus()
    heard: list[BusMessage] = []
    unsubscribe = bus.subscribe(Topic.EVENTS, heard.append)
    unsubscribe()
    unsubscribe()
    await bus.publish([BusMessage(Topic.EVENTS)])
    assert heard == []


def test_lists_of_ids_that_wait_together_become_one() -> None:
    waiting = [
        BusMessage(Topic.CHECKS, 1, {"ids": [1, 2]}),
        BusMessage(Topic.EVENTS, 1, {"id": 4}),
        BusMessage(Topic.CHECKS, 1, {"ids": [2, 3]}),
        BusMessage(Topic.CHECKS, 2, {"ids": [1]}),
    ]
    assert merge(waiting) == [
        BusMessage(Topic.CHECKS, 1, {"ids": [1, 2, 3]}),
        BusMessage(Topic.CHECKS, 2, {"ids": [1]}),
        BusMessage(Topic.EVENTS, 1, {"id": 4}),
    ]


@given(st.lists(st.lists(st.integers(1, 10**9), max_size=3000), max_size=5), st.text(max_size=9000))
def test_no_payload_is_longer_than_a_notify_carries(ids: list[list[int]], name: str) -> None:
    messages = [BusMessage(Topic.CHECKS, team, {"ids": found}) for team, found in enumerate(ids)]
    payloads = list(pack([*messages, BusMessage(Topic.TYPING, 1, {"name": name})]))
    assert all(len(payload.encode()) <= MAX_PAYLOAD for payload in payloads)
    assert all(payload.startswith("P") or orjson.loads(payload) for payload in payloads)
