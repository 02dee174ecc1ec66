"""A worker end to end: a real target, real PostgreSQL, and a receiver in the place of Slack."""

from pathlib import Path

from app.db.session import Database
from tests.builders import add_channel, add_fleet
from tests.kit.eventually import rows, until
from tests.kit.ledger import open_ledger
from tests.kit.targets import open_target
from tests.runtime.conftest import OpenWorker


async def test_a_due_check_is_run_and_its_result_stored(database: Database, open_worker: OpenWorker) -> None:
    async with open_target() as target:
        async with database.transaction() as session:
            await add_fleet(session, [target.url])
        async with open_worker():
            assert (
                await until(database, "SELECT status FROM check_state WHERE status = 'up' UNION ALL SELECT ''") == "up"
            )
    ((level, code, latency),) = await rows(database, "SELECT level, code, latency_ms FROM check_result")
    assert (level, code) == (1, 200)
    assert await rows(database, "SELECT count(*) FROM check_result_default") == [(0,)]
    assert latency > 0


async def test_a_failure_opens_an_incident_and_tells_the_channel_and_its_end_does_too(
    database: Database, open_worker: OpenWorker, tmp_path: Path
) -> None:
    async with open_target(500) as target, open_ledger(tmp_path / "ledger.jsonl") as ledger:
        async with database.transaction() as session:
            fleet = await add_fleet(session, [target.url], interval_s=5)
            await add_channel(session, fleet.team, ledger.url)
        async with open_worker():
            await ledger.wait_for(1)
            await until(database, "SELECT count(*) = 1 FROM delivery WHERE state = 'sent'")
            target.status = 200
            await ledger.wait_for(2)
            await until(database, "SELECT count(*) = 2 FROM delivery WHERE state = 'sent'")
    assert [entry.body["text"] for entry in ledger.entries] == [
        "✕ Down: checkout-api: checkout-api is down",
        "● Up again: checkout-api: checkout-api recovered",
    ]
    events = await rows(database, "SELECT kind FROM event ORDER BY id")
    assert [kind for (kind,) in events] == ["went_down", "delivered", "recovered", "delivered"]
    assert await rows(database, "SELECT status FROM incident") == [("resolved",)]
