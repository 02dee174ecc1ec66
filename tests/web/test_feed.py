"""The boards follow the database, by hints when they come and without them soon after."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import pytest
from sqlmodel import delete

from app.core import clock
from app.db.session import Database, announce, libpq_url, make_engine
from app.domain.status import Outcome
from app.live.board import TeamBoard
from app.live.bus import BusMessage, LocalBus, Topic
from app.usecases.results import judge, record
from app.usecases.schedule import claim_due
from app.web.feed import Feed
from models import Service
from probes.base import ProbeResult
from tests.builders import Fleet, add_fleet, add_service, add_team, id_of, make_due

UP = ProbeResult(Outcome.UP, 38.0)
DOWN = ProbeResult(Outcome.DOWN, None, "status", "502 Bad Gateway")


@dataclass(slots=True)
class Followed:
    """`silent` is the same database changed by somebody whose hints are all lost. `changes` counts calls to hurry."""

    database: Database
    silent: Database
    boards: dict[int, TeamBoard]
    feed: Feed
    fleet: Fleet
    changes: list[float]

    @property
    def row(self) -> list[Any]:
        """The service's row as a browser gets it."""
        rows = orjson.loads(self.board.snapshot())["rows"]
        assert len(rows) == 1
        found: list[Any] = rows[0]
        return found

    @property
    def board(self) -> TeamBoard:
        board = self.boards[id_of(self.fleet.team)]
        board.frame()
        return board


@pytest.fixture
async def followed(database: Database, database_url: str) -> AsyncIterator[Followed]:
    async with database.transaction() as session:
        fleet = await add_fleet(session, ["http://127.0.0.1:1/"])
    silent = Database(make_engine(database_url, pool_size=1), LocalBus())
    boards: dict[int, TeamBoard] = {}
    changes: list[float] = []
    feed = Feed(database, boards, lambda: changes.append(clock.monotonic()), lambda rows: rows)
    await feed.start()
    task = asyncio.create_task(feed.run())
    yield Followed(database, silent, boards, feed, fleet, changes)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await silent.close()


async def _result(database: Database, fleet: Fleet, result: ProbeResult) -> None:
    async with database.transaction() as session:
        await make_due(session, fleet.checks[0])
        (claim,) = await claim_due(session, 10)
        await record(session, [judge(claim, result, claim.monotonic, clock.monotonic())])


async def _until(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110  the feed changes it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited for {what}") from None


HINTED = pytest.mark.parametrize("hinted", [True, False], ids=["hinted", "hint lost"])


def _changer(followed: Followed, hinted: bool) -> Database:
    return followed.database if hinted else followed.silent


async def test_the_board_is_whole_before_anybody_looks(followed: Followed) -> None:
    assert followed.row[1] == followed.fleet.service.name
    assert followed.row[4] == "pending"


@HINTED
async def test_a_result_reaches_the_board(followed: Followed, hinted: bool) -> None:
    await _result(_changer(followed, hinted), followed.fleet, UP)
    await _until(lambda: followed.row[4] == "up", "the service to be up")
    assert (followed.row[6], followed.row[9], followed.row[10]) == (38, [38], "u")


@HINTED
async def test_a_failure_reaches_the_board_with_its_incident_and_its_line(followed: Followed, hinted: bool) -> None:
    await _result(followed.database, followed.fleet, UP)
    await _until(lambda: followed.row[10] == "u", "the first result")
    await _result(_changer(followed, hinted), followed.fleet, DOWN)
    await _until(lambda: followed.row[4] == "down" and followed.board.incidents, "the service to be down")
    await _until(lambda: any(line["icon"] == "down" for line in followed.board.activity), "the line of activity")
    assert followed.row[10] == "ud"
    assert followed.changes


async def test_after_a_gap_in_the_bus_all_is_read_again_and_shows_once(followed: Followed) -> None:
    await _result(followed.database, followed.fleet, DOWN)
    await _until(lambda: followed.board.activity, "the line of activity")
    assert followed.row[10] == "d"
    async with followed.silent.transaction() as session:
        unheard = await add_service(session, followed.fleet.team, "search")
    await followed.database.bus.publish([BusMessage(Topic.RESYNC)])
    await _until(lambda: id_of(unheard) in followed.board, "what only a whole reading finds")
    assert [line["icon"] for line in followed.board.activity].count("down") == 1


async def test_a_service_that_is_added_or_deleted_comes_and_goes(followed: Followed) -> None:
    async with followed.database.transaction() as session:
        added = await add_service(session, followed.fleet.team, "search")
        announce(session, Topic.SERVICES, added.team_id, ids=[id_of(added)])
    await _until(lambda: id_of(added) in followed.board, "the new service")
    async with followed.database.transaction() as session:
        await session.exec(delete(Service).where(Service.id == added.id))  # type: ignore[arg-type]
        announce(session, Topic.SERVICES, added.team_id, ids=[id_of(added)])
    await _until(lambda: id_of(added) not in followed.board, "the service to go")


async def test_a_new_team_has_a_board_at_once_for_who_asks_and_soon_for_all(followed: Followed) -> None:
    async with followed.silent.transaction() as session:
        first, second = await add_team(session, "First"), await add_team(session, "Second")
    assert (await followed.feed.board(id_of(first))).team_id == first.id
    await _until(lambda: id_of(second) in followed.boards, "the board of the other")


async def test_after_a_database_outage_the_board_catches_up(
    followed: Followed, database_url: str, postgres_admin: psycopg.Connection
) -> None:
    with psycopg.connect(libpq_url(database_url)) as connection:
        name = connection.info.dbname
    postgres_admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres_admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    await followed.database.bus.publish([BusMessage(Topic.RESYNC)])
    await asyncio.sleep(0)
    postgres_admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await _result(followed.silent, followed.fleet, UP)
    await _until(lambda: followed.row[4] == "up", "the service to be up")
