"""A worker is killed, or stands still for longer than its leases: others take over, and nothing counts twice."""

import asyncio
import random
import signal
from collections import Counter
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from app.db.session import Database
from tests.builders import add_channel, add_fleet
from tests.kit.audit import audit, keep_audit
from tests.kit.eventually import rows, until, value
from tests.kit.ledger import open_ledger
from tests.kit.targets import open_target
from tests.kit.worker_process import worker_process

LEASE_S = 1.5
QUICK: dict[str, Any] = {"interval_s": 1, "timeout_s": 1}
KILLS = 12
SEED = 20261


async def test_the_slot_of_a_killed_worker_is_run_once_more_when_its_lease_is_over(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with open_target(status=None) as target:
        await keep_audit(database)
        async with database.transaction() as session:
            await add_fleet(session, [target.url], interval_s=3600, timeout_s=1)
        with worker_process(database_url, tmp_path, lease_grace_s=LEASE_S - 1):
            await target.wait_for_requests(1)
        target.status = 200
        with worker_process(database_url, tmp_path, lease_grace_s=LEASE_S - 1):
            await until(database, "SELECT status = 'up' FROM check_state")
    first, second, accepted = await audit(database)
    assert [first.what, second.what, accepted.what] == ["claimed", "claimed", "accepted"]
    assert first.slot_at == second.slot_at == accepted.slot_at
    assert accepted.run == second.run
    assert second.at - first.at >= timedelta(seconds=LEASE_S)


async def test_a_failure_that_is_being_confirmed_is_remembered_over_a_kill(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with open_target(500) as target:
        async with database.transaction() as session:
            await add_fleet(session, [target.url], retries=2, retry_interval_s=1, **QUICK)
        with worker_process(database_url, tmp_path):
            await until(database, "SELECT count >= 1 FROM check_state")
        with worker_process(database_url, tmp_path):
            await until(database, "SELECT status = 'down' FROM check_state")
    needed = "SELECT count(*) FROM check_result r JOIN transition t ON r.at <= t.at WHERE r.level = 3"
    assert await value(database, needed) == 3
    assert await value(database, "SELECT count(*) FROM incident") == 1


async def test_workers_killed_at_random_leave_nothing_half_done(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    async with open_target() as target, open_ledger(tmp_path / "ledger.jsonl") as ledger:
        await keep_audit(database)
        async with database.transaction() as session:
            fleet = await add_fleet(session, [target.url] * 4, **QUICK)
            await add_channel(session, fleet.team, ledger.url)
        for _ in range(KILLS):
            with worker_process(database_url, tmp_path):
                seen = target.requests
                await target.wait_for_requests(seen + 1)
                await asyncio.sleep(chance.uniform(0, 0.7))
                target.status = 500 if target.status == 200 else 200
        target.status = 200
        with worker_process(database_url, tmp_path):
            await until(database, "SELECT bool_and(status = 'up') FROM check_state")
            await until(database, "SELECT bool_and(state = 'sent') FROM delivery")
    await _every_slot_counted_once(database)
    await _every_transition_is_whole(database)
    sent = {key for (key,) in await rows(database, "SELECT key FROM delivery")}
    assert {entry.key for entry in ledger.entries} == sent
    assert sum(Counter(entry.key for entry in ledger.entries).values()) - len(sent) <= KILLS * 4


async def _every_slot_counted_once(database: Database) -> None:
    accepted = Counter((entry.check_id, entry.slot_at) for entry in await audit(database) if entry.what == "accepted")
    assert max(accepted.values()) == 1
    assert await value(database, "SELECT count(*) FROM check_result") == len(accepted)


async def _every_transition_is_whole(database: Database) -> None:
    """Numbers without gaps, each from where the last one led to, and each with its incident, line and message."""
    told = await rows(database, "SELECT check_id, seq, before, after FROM transition ORDER BY check_id, seq")
    for _, changes in groupby(told, key=lambda row: row[0]):
        status = "pending"
        for number, (_, seq, before, after) in enumerate(changes, start=1):
            assert (seq, before) == (number, status)
            status = after
    downs = await value(database, "SELECT count(*) FROM transition WHERE after = 'down'")
    ups = await value(database, "SELECT count(*) FROM transition WHERE before = 'down'")
    assert downs == ups
    for table, condition in (
        ("incident", "status = 'resolved'"),
        ("delivery", "kind = 'down'"),
        ("delivery", "kind = 'recovered'"),
        ("event", "kind = 'went_down'"),
        ("event", "kind = 'recovered'"),
    ):
        assert await value(database, f"SELECT count(*) FROM {table} WHERE {condition}") == downs


async def test_a_worker_that_stood_still_for_longer_than_its_lease_changes_nothing_when_it_wakes(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with open_target(status=None) as target, open_ledger(tmp_path / "ledger.jsonl") as ledger:
        async with database.transaction() as session:
            fleet = await add_fleet(session, [target.url], interval_s=3600, timeout_s=1)
            await add_channel(session, fleet.team, ledger.url)
        with worker_process(database_url, tmp_path) as zombie:
            await target.wait_for_requests(1)
            zombie.send(signal.SIGSTOP)
            target.status = 500
            with worker_process(database_url, tmp_path):
                await until(database, "SELECT state = 'sent' FROM delivery")
                zombie.send(signal.SIGCONT)
                await until(database, "SELECT bool_or((counters ->> 'stale_results')::int = 1) FROM worker_seen")
    assert await rows(database, "SELECT status, seq, last_message FROM check_state") == [
        ("down", 1, "500 Internal Server Error")
    ]
    assert await rows(database, "SELECT level FROM check_result") == [(3,)]
    assert await value(database, "SELECT count(*) FROM transition") == 1
    assert len(ledger.entries) == 1
