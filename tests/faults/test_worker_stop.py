"""A worker that is asked to end hands back what it has, and ends in time with exit code 0."""

import signal
from pathlib import Path

from app.db.session import Database
from tests.builders import add_channel, add_fleet
from tests.faults.conftest import FragileServer
from tests.kit.eventually import rows, until, value
from tests.kit.ledger import Behaviour, open_ledger
from tests.kit.targets import open_target
from tests.kit.worker_process import worker_process

HELD = "SELECT count(*) FROM check_schedule WHERE slot_at IS NOT NULL"


async def test_a_worker_that_is_asked_to_end_gives_its_runs_and_messages_back(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with (
        open_target(status=None) as silent,
        open_target(500) as broken,
        open_ledger(tmp_path / "ledger.jsonl") as ledger,
    ):
        ledger.mode(Behaviour.HOLD_BEFORE_READ)
        async with database.transaction() as session:
            await add_fleet(session, [silent.url] * 200, "Search", timeout_s=60, interval_s=600)
            fleet = await add_fleet(session, [broken.url] * 10, timeout_s=60, interval_s=600)
            await add_channel(session, fleet.team, ledger.url)
        with worker_process(database_url, tmp_path, sender_lease_s=60) as worker:
            await silent.wait_for_requests(200)
            await ledger.wait_until(lambda: ledger.holding == 10, 30)
            worker.send(signal.SIGTERM)
            assert worker.wait_for_end() == 0
        assert await value(database, HELD) == 0
        assert await value(database, "SELECT count(*) FROM check_schedule WHERE due_at <= now()") == 200
        assert await rows(database, "SELECT DISTINCT status FROM procrastinate_jobs") == [("todo",)]
        ledger.mode(Behaviour.OK)
        ledger.release()
        with worker_process(database_url, tmp_path):
            await until(database, "SELECT bool_and(state = 'sent') FROM delivery")
        assert len(ledger.entries) == 10


async def test_a_worker_that_is_asked_to_end_stores_what_it_measured(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with open_target() as target:
        async with database.transaction() as session:
            await add_fleet(session, [target.url] * 20, interval_s=600)
        with worker_process(database_url, tmp_path) as worker:
            await target.wait_for_requests(20)
            worker.send(signal.SIGTERM)
            assert worker.wait_for_end() == 0
    assert await value(database, "SELECT count(*) FROM check_result") == 20


async def test_the_second_request_ends_a_worker_at_once(database: Database, database_url: str, tmp_path: Path) -> None:
    async with open_target(status=None) as target:
        async with database.transaction() as session:
            await add_fleet(session, [target.url], timeout_s=60, interval_s=600)
        with worker_process(database_url, tmp_path) as worker:
            await target.wait_for_requests(1)
            worker.send(signal.SIGTERM)
            worker.send(signal.SIGINT)
            assert worker.wait_for_end() == 0
    assert await value(database, HELD) == 1


async def test_a_worker_ends_without_its_database(
    fragile_server: FragileServer, fragile_database: Database, tmp_path: Path
) -> None:
    with worker_process(fragile_server.url, tmp_path) as worker:
        await until(fragile_database, "SELECT count(*) = 1 FROM worker_seen")
        fragile_server.kill()
        worker.send(signal.SIGTERM)
        assert worker.wait_for_end() == 0
