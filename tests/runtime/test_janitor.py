"""Housekeeping in the database, by any number of workers at the same time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.core import clock
from app.db.jobs import DELIVERIES, defer
from app.db.partitions import partition_name
from app.db.session import Database
from app.runtime.janitor import RESULTS_KEPT, Janitor
from app.runtime.metrics import Counters
from tests.kit.eventually import rows, value
from tests.kit.logs import watch_logs

PARTITIONS = (
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = 'check_result'::regclass"
)


@pytest.fixture
def janitor(database: Database) -> Janitor:
    return Janitor(database, Counters(), sender_lease_s=60)


async def _execute(database: Database, sql: str, **values: Any) -> None:
    async with database.transaction() as session:
        await (await session.connection()).execute(text(sql), values)


async def _partitions(database: Database) -> set[str]:
    return {name for (name,) in await rows(database, PARTITIONS)}


async def test_partitions_stand_for_yesterday_today_and_a_week_ahead(database: Database, janitor: Janitor) -> None:
    await janitor.make_partitions()
    today = clock.now().date()
    days = {partition_name(today + timedelta(days=offset)) for offset in range(-1, 8)}
    assert days <= await _partitions(database)


async def test_workers_that_make_partitions_at_the_same_time_do_not_collide(
    database: Database, janitor: Janitor
) -> None:
    await asyncio.gather(*[janitor.make_partitions() for _ in range(4)])
    assert len(await _partitions(database)) == 10


async def test_results_in_the_default_partition_raise_an_alarm_and_keep_nothing_from_being_made(
    database: Database, janitor: Janitor
) -> None:
    await _execute(database, "INSERT INTO check_result (check_id, at, level) VALUES (1, now(), 1)")
    with watch_logs() as logs:
        await janitor.make_partitions()
    assert "Results are in the DEFAULT partition, which retention can't drop" in logs.messages
    today = clock.now().date()
    assert partition_name(today) not in await _partitions(database)
    assert partition_name(today + timedelta(days=1)) in await _partitions(database)


async def test_partitions_are_dropped_when_their_last_day_is_kept_no_more(database: Database, janitor: Janitor) -> None:
    last_kept = clock.now().date() - RESULTS_KEPT
    for day in (last_kept, last_kept - timedelta(days=1)):
        await _execute(
            database,
            f"CREATE TABLE {partition_name(day)} PARTITION OF check_result "
            f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')",
        )
    await janitor.tidy()
    present = await _partitions(database)
    assert partition_name(last_kept) in present
    assert partition_name(last_kept - timedelta(days=1)) not in present


async def _add_job(database: Database, status: str, worker_id: int | None = None) -> None:
    async with database.transaction() as session:
        await defer(session, "deliver", queue=DELIVERIES, lock="a lock", delivery_id=1)
    await _execute(
        database,
        "UPDATE procrastinate_jobs SET status = CAST(:status AS procrastinate_job_status), worker_id = :worker",
        status=status,
        worker=worker_id,
    )


async def _add_sender(database: Database, silent_s: int) -> int:
    await _execute(
        database,
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :silent))",
        silent=silent_s,
    )
    return int(await value(database, "SELECT max(id) FROM procrastinate_workers"))


@pytest.mark.parametrize(("silent_s", "status"), [(61, "todo"), (55, "doing")])
async def test_jobs_of_a_sender_go_to_others_when_it_was_silent_for_its_lease(
    database: Database, janitor: Janitor, silent_s: int, status: str
) -> None:
    await _add_job(database, "doing", await _add_sender(database, silent_s))
    await janitor.retry_stalled()
    assert await value(database, "SELECT status FROM procrastinate_jobs") == status


async def test_a_job_whose_sender_signed_off_goes_to_others_at_once(database: Database, janitor: Janitor) -> None:
    await _add_job(database, "doing")
    await asyncio.gather(*[janitor.retry_stalled() for _ in range(3)])
    assert await rows(database, "SELECT status, attempts FROM procrastinate_jobs") == [("todo", 1)]


@pytest.mark.parametrize(("status", "age", "left"), [("succeeded", 25, 0), ("succeeded", 23, 1), ("todo", 99, 1)])
async def test_jobs_that_ended_a_day_ago_are_deleted(
    database: Database, janitor: Janitor, status: str, age: int, left: int
) -> None:
    await _add_job(database, status)
    await _execute(database, "UPDATE procrastinate_events SET at = now() - make_interval(hours => :age)", age=age)
    await janitor.tidy()
    assert await value(database, "SELECT count(*) FROM procrastinate_jobs") == left
