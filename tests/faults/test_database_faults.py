"""The database hangs, is locked, or is killed: nothing is called down for it, and everything goes on afterwards."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import AsyncAdaptedQueuePool, text

from app.db.session import Database
from tests.builders import add_channel, add_fleet
from tests.faults.conftest import FragileServer, resume
from tests.kit.eventually import rows, until, value
from tests.kit.ledger import Behaviour, open_ledger
from tests.kit.logs import watch_logs
from tests.kit.targets import open_target
from tests.kit.worker import running_worker

AWAY, BACK = "The database is away; trying again", "The database is back"
QUICK: dict[str, Any] = {"interval_s": 1, "timeout_s": 1}
RESULTS = "SELECT count(*) FROM check_result"


async def test_a_hung_server_costs_a_deadline_and_leaves_no_connection_taken(
    fragile_server: FragileServer, fragile_database: Database
) -> None:
    database = fragile_database
    database.deadline_s = 0.5
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_outlast(fragile_server, database)) for _ in range(3)]
    assert [task.result() for task in tasks] == ["TimeoutError"] * 3
    pool = database.engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    assert pool.checkedout() == 0
    assert await value(database, "SELECT 1") == 1


async def _outlast(server: FragileServer, database: Database) -> str:
    try:
        async with database.transaction() as session:
            connection = await session.connection()
            await connection.execute(text("SELECT 1"))
            server.hang()
            await connection.execute(text("SELECT 2"))
    except TimeoutError as error:
        return type(error).__name__
    return "answered"


async def test_checks_go_on_by_themselves_after_every_backend_hung(
    fragile_server: FragileServer, fragile_database: Database, tmp_path: Path
) -> None:
    async with open_target() as target, running_worker(fragile_server.url, tmp_path):
        await _add_checks(fragile_database, target.url)
        await until(fragile_database, "SELECT count(*) > 5 FROM check_result")
        with watch_logs() as logs:
            hung = fragile_server.hang()
            await logs.wait_for(AWAY)
            resume(hung)
            await logs.wait_for(BACK)
        before = await value(fragile_database, RESULTS)
        await until(fragile_database, f"SELECT count(*) > {before} + 10 FROM check_result")
    await _nothing_was_called_down(fragile_database)


async def test_results_wait_for_a_locked_table_and_none_is_called_down(
    fragile_server: FragileServer, fragile_database: Database, tmp_path: Path
) -> None:
    async with open_target() as target, running_worker(fragile_server.url, tmp_path) as worker:
        await _add_checks(fragile_database, target.url)
        await until(fragile_database, "SELECT count(*) > 5 FROM check_result")
        with watch_logs() as logs:
            async with fragile_database.transaction() as session:
                await (await session.connection()).execute(text("LOCK TABLE check_result IN ACCESS EXCLUSIVE MODE"))
                await logs.wait_for(AWAY)
                assert worker.recorder.waiting > 0
            await logs.wait_for(BACK)
        before = await value(fragile_database, RESULTS)
        await until(fragile_database, f"SELECT count(*) > {before} + 10 FROM check_result")
        assert worker.counters.dropped_results == 0
    await _nothing_was_called_down(fragile_database)


async def test_a_worker_outlives_a_killed_server_and_its_messages_leave_afterwards(
    fragile_server: FragileServer, fragile_database: Database, tmp_path: Path
) -> None:
    async with (
        open_target() as target,
        open_ledger(tmp_path / "ledger.jsonl") as ledger,
        running_worker(fragile_server.url, tmp_path),
    ):
        await _add_checks(fragile_database, target.url, ledger.url)
        await until(fragile_database, "SELECT count(*) > 5 FROM check_result")
        with watch_logs() as logs:
            fragile_server.kill()
            await logs.wait_for(AWAY)
            fragile_server.server.launch()
            await logs.wait_for(BACK)
        await _nothing_was_called_down(fragile_database)
        target.status = 500
        await ledger.wait_for(1, within_s=30)


async def test_a_message_that_was_accepted_while_the_database_was_away_is_not_sent_again(
    fragile_server: FragileServer, fragile_database: Database, tmp_path: Path
) -> None:
    async with (
        open_target(500) as target,
        open_ledger(tmp_path / "ledger.jsonl") as ledger,
        running_worker(fragile_server.url, tmp_path, sender_lease_s=60),
    ):
        ledger.mode(Behaviour.HOLD_AFTER_READ)
        await _add_checks(fragile_database, target.url, ledger.url)
        await ledger.wait_until(lambda: ledger.holding == 5, 30)
        with watch_logs() as logs:
            fragile_server.kill()
            await logs.wait_for(AWAY)
            ledger.mode(Behaviour.OK)
            ledger.release()
            await ledger.wait_until(lambda: ledger.holding == 0)
            await asyncio.sleep(5)  # longer than a sender that is asked to end would wait
            fragile_server.server.launch()
            await logs.wait_for(BACK)
        await until(fragile_database, "SELECT count(*) = 5 AND bool_and(state = 'sent') FROM delivery")
        await until(fragile_database, "SELECT bool_and(status = 'succeeded') FROM procrastinate_jobs")
        assert len(ledger.entries) == 5


async def test_a_worker_starts_while_the_database_is_away(
    fragile_server: FragileServer, fragile_database: Database, tmp_path: Path
) -> None:
    async with open_target() as target:
        await _add_checks(fragile_database, target.url)
        fragile_server.kill()
        with watch_logs() as logs:
            async with running_worker(fragile_server.url, tmp_path):
                await logs.wait_for(AWAY)
                fragile_server.server.launch()
                await logs.wait_for(BACK)
                await until(fragile_database, "SELECT count(*) > 5 FROM check_result")


async def _add_checks(database: Database, url: str, webhook: str | None = None) -> None:
    async with database.transaction() as session:
        fleet = await add_fleet(session, [url] * 5, **QUICK)
        if webhook is not None:
            await add_channel(session, fleet.team, webhook)


async def _nothing_was_called_down(database: Database) -> None:
    assert await rows(database, "SELECT DISTINCT level FROM check_result WHERE level = 3") == []
    assert await value(database, "SELECT count(*) FROM incident") == 0


@pytest.fixture(autouse=True)
def _no_backend_stays_stopped(fragile_server: FragileServer) -> object:
    """A server with a stopped backend could not be ended."""
    yield
    for process in fragile_server.hang():
        resume([process])
