"""Who is here and who is typing: one process, several over a bus, and several over PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from app.db.session import libpq_url
from app.live.bus import BusMessage, LocalBus, Topic
from app.live.postgres_bus import PostgresBus
from app.live.presence import BEAT_S, TTL_S, Presence, Viewer

PATIENCE_S = 20.0


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def viewer(name: str = "Ann", incident_id: int = 7, user_id: int | None = None) -> Viewer:
    return Viewer(incident_id, user_id or sum(name.encode()), name, name[:2].upper(), "#6c5ce7")


def names(presence: Presence, incident_id: int = 7) -> list[str]:
    return [found.name for found in presence.here(incident_id)]


def test_a_person_is_here_from_joining_until_leaving(clock: Clock) -> None:
    presence = Presence(LocalBus(), now=clock)
    leave = presence.join(viewer("Ann"))
    assert names(presence) == ["Ann"]
    leave()
    assert names(presence) == []


def test_one_person_in_two_tabs_counts_once_and_stays_until_both_are_closed(clock: Clock) -> None:
    presence = Presence(LocalBus(), now=clock)
    first, second = presence.join(viewer("Ann")), presence.join(viewer("Ann"))
    assert names(presence) == ["Ann"]
    first()
    first()
    assert names(presence) == ["Ann"]
    second()
    assert names(presence) == []


def test_two_people_of_the_same_name_are_two(clock: Clock) -> None:
    presence = Presence(LocalBus(), now=clock)
    presence.join(viewer("Ann", user_id=1))
    presence.join(viewer("Ann", user_id=2))
    assert names(presence) == ["Ann", "Ann"]


def test_people_are_here_only_at_their_incident(clock: Clock) -> None:
    presence = Presence(LocalBus(), now=clock)
    presence.join(viewer("Ann", incident_id=7))
    presence.join(viewer("Ben", incident_id=8))
    assert names(presence, 7) == ["Ann"]
    assert names(presence, 8) == ["Ben"]


async def test_people_of_other_processes_are_here_too_and_go_when_they_leave(clock: Clock) -> None:
    bus = LocalBus()
    one, other = Presence(bus, "one", clock), Presence(bus, "other", clock)
    one.join(viewer("Ann"))
    leave = other.join(viewer("Ben"))
    await other.beat()
    assert names(one) == ["Ann", "Ben"]
    leave()
    await other.beat()
    assert names(one) == ["Ann"]


async def test_one_person_in_two_processes_counts_once(clock: Clock) -> None:
    bus = LocalBus()
    one, other = Presence(bus, "one", clock), Presence(bus, "other", clock)
    one.join(viewer("Ann"))
    other.join(viewer("Ann"))
    await other.beat()
    assert names(one) == ["Ann"]


async def test_the_viewers_of_a_process_that_died_are_gone_after_its_time_to_live(clock: Clock) -> None:
    bus = LocalBus()
    one, other = Presence(bus, "one", clock), Presence(bus, "other", clock)
    other.join(viewer("Ben"))
    await other.beat()
    clock.seconds += TTL_S
    assert names(one) == ["Ben"]
    clock.seconds += 0.1
    assert names(one) == []


async def test_a_process_that_still_beats_keeps_its_viewers(clock: Clock) -> None:
    bus = LocalBus()
    one, other = Presence(bus, "one", clock), Presence(bus, "other", clock)
    other.join(viewer("Ben"))
    for _ in range(10):
        await other.beat()
        clock.seconds += BEAT_S
    assert names(one) == ["Ben"]


async def test_watchers_hear_of_joins_leaves_and_of_ghosts_that_are_dropped(clock: Clock) -> None:
    bus = LocalBus()
    one, other = Presence(bus, "one", clock), Presence(bus, "other", clock)
    seen: list[list[str]] = []
    one.watch(7, lambda: seen.append(names(one)))
    leave = one.join(viewer("Ann"))
    leave()
    other.join(viewer("Ben"))
    await other.beat()
    clock.seconds += TTL_S + 1
    await one.beat()
    assert seen == [["Ann"], [], ["Ben"], []]


async def test_watchers_hear_nothing_of_other_incidents_nor_of_beats_without_news(clock: Clock) -> None:
    bus = LocalBus()
    one, other = Presence(bus, "one", clock), Presence(bus, "other", clock)
    other.join(viewer("Ben"))
    await other.beat()
    seen: list[str] = []
    one.watch(7, lambda: seen.append("here"))
    one.join(viewer("Ann", incident_id=8))
    await other.beat()
    assert seen == []


def test_a_watcher_that_ended_hears_nothing_and_leaves_the_others_alone(clock: Clock) -> None:
    presence = Presence(LocalBus(), now=clock)
    seen: list[str] = []
    end = presence.watch(7, lambda: seen.append("first"))
    end()
    presence.watch(7, lambda: seen.append("second"))
    end()
    presence.join(viewer("Ann"))
    assert seen == ["second"]


def test_rows_of_incidents_for_the_board_get_their_viewers(clock: Clock) -> None:
    presence = Presence(LocalBus(), now=clock)
    presence.join(viewer("Ann"))
    rows = [{"id": 7, "title": "down", "viewers": []}, {"id": 8, "title": "slow", "viewers": []}]
    assert presence.with_viewers(rows) == [
        {"id": 7, "title": "down", "viewers": [{"name": "Ann", "initials": "AN", "color": "#6c5ce7"}]},
        {"id": 8, "title": "slow", "viewers": []},
    ]


async def test_typing_is_told_to_the_team_with_the_incident_and_the_name() -> None:
    bus = LocalBus()
    told: list[BusMessage] = []
    bus.subscribe(Topic.TYPING, told.append)
    await Presence(bus).typing(3, viewer("Ann", user_id=5))
    assert told == [BusMessage(Topic.TYPING, 3, {"incident_id": 7, "user_id": 5, "name": "Ann"})]


@asynccontextmanager
async def process(database_url: str, name: str) -> AsyncIterator[Presence]:
    """Presence as one process has it: its own connection, and its loop running."""
    bus = PostgresBus(libpq_url(database_url))
    presence = Presence(bus, name)
    await bus.start()
    loop = asyncio.create_task(presence.run())
    try:
        yield presence
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop
        await bus.close()


async def until(presence: Presence, expected: list[str]) -> None:
    """Wait until exactly these people are at incident 7."""
    changed = asyncio.Event()
    end: Callable[[], None] = presence.watch(7, changed.set)
    async with asyncio.timeout(PATIENCE_S):
        while names(presence) != expected:
            changed.clear()
            await changed.wait()
    end()


async def test_two_processes_tell_each_other_over_postgresql(database_url: str) -> None:
    async with process(database_url, "one") as one, process(database_url, "other") as other:
        leave = one.join(viewer("Ann"))
        other.join(viewer("Ben"))
        await until(one, ["Ann", "Ben"])
        await until(other, ["Ann", "Ben"])
        leave()
        await until(other, ["Ben"])


async def test_a_process_that_starts_later_learns_at_once_who_is_here(database_url: str) -> None:
    async with process(database_url, "one") as one:
        one.join(viewer("Ann"))
        await one.beat()
        async with process(database_url, "late") as late, asyncio.timeout(BEAT_S * 0.8):
            await until(late, ["Ann"])


async def test_many_viewers_fit_into_a_message(database_url: str) -> None:
    crowd = [viewer(f"Person with a long name, number {number:03}", user_id=number) for number in range(1, 301)]
    async with process(database_url, "one") as one, process(database_url, "other") as other:
        for person in crowd:
            one.join(person)
        await until(other, [person.name for person in crowd])
