"""A sender dies before it sends, after it sent, and after it wrote that down: the message arrives in all three."""

from pathlib import Path

import pytest
from sqlalchemy import text

from app.db.session import Database
from app.domain.status import Outcome
from app.usecases.results import judge, record
from app.usecases.schedule import claim_due
from probes.base import ProbeResult
from tests.builders import add_channel, add_fleet
from tests.kit.eventually import rows, until, value
from tests.kit.ledger import Behaviour, Ledger, open_ledger
from tests.kit.worker_process import worker_process

JOB_DONE = "SELECT count(*) = 1 FROM procrastinate_jobs WHERE status = 'succeeded'"


async def _owe(database: Database, webhook: str) -> str:
    """Owe a channel one message; returns its key."""
    async with database.transaction() as session:
        fleet = await add_fleet(session, ["http://127.0.0.1:1/"], interval_s=86_400)
        await add_channel(session, fleet.team, webhook)
    async with database.transaction() as session:
        (claim,) = await claim_due(session, 1)
        down = ProbeResult(Outcome.DOWN, cause="status", message="502 Bad Gateway")
        await record(session, [judge(claim, down, claim.monotonic, claim.monotonic)])
    return str(await value(database, "SELECT key FROM delivery"))


async def _is_settled_once(database: Database, ledger: Ledger, key: str) -> None:
    await until(database, JOB_DONE)
    assert await rows(database, "SELECT state, attempts FROM delivery") == [("sent", 1)]
    assert await rows(database, "SELECT count(*) FROM event WHERE kind = 'delivered'") == [(1,)]
    assert {entry.key for entry in ledger.entries} == {key}


async def test_a_sender_killed_before_it_sent_delays_the_message_only(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        key = await _owe(database, ledger.url)
        ledger.mode(Behaviour.HOLD_BEFORE_READ)
        with worker_process(database_url, tmp_path):
            await ledger.wait_until(lambda: ledger.holding == 1, 30)
        ledger.mode(Behaviour.OK)
        ledger.release()
        with worker_process(database_url, tmp_path):
            await _is_settled_once(database, ledger, key)
        assert len(ledger.entries) == 1


async def test_a_sender_killed_after_it_sent_causes_one_duplicate_with_the_same_key(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        key = await _owe(database, ledger.url)
        ledger.mode(Behaviour.HOLD_AFTER_READ)
        with worker_process(database_url, tmp_path):
            await ledger.wait_until(lambda: ledger.holding == 1, 30)
        assert await value(database, "SELECT state FROM delivery") == "pending"
        ledger.mode(Behaviour.OK)
        ledger.release()
        with worker_process(database_url, tmp_path):
            await _is_settled_once(database, ledger, key)
        assert len(ledger.entries) == 2


async def test_a_sender_killed_after_it_wrote_down_that_it_sent_causes_no_duplicate(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        key = await _owe(database, ledger.url)
        ledger.mode(Behaviour.HOLD_AFTER_READ)
        async with database.transaction() as session:
            with worker_process(database_url, tmp_path):
                await ledger.wait_until(lambda: ledger.holding == 1, 30)
                # The end of the job now waits for us, and so the sender stands between the two.
                await (await session.connection()).execute(text("SELECT FROM procrastinate_jobs FOR UPDATE"))
                ledger.mode(Behaviour.OK)
                ledger.release()
                await until(database, "SELECT state = 'sent' FROM delivery")
        assert await value(database, "SELECT status FROM procrastinate_jobs") == "doing"
        with worker_process(database_url, tmp_path):
            await _is_settled_once(database, ledger, key)
        assert len(ledger.entries) == 1


@pytest.mark.parametrize("held", [Behaviour.HOLD_BEFORE_READ, Behaviour.HOLD_AFTER_READ])
async def test_a_message_of_a_dead_sender_is_taken_over_by_one_that_lives(
    database: Database, database_url: str, tmp_path: Path, held: Behaviour
) -> None:
    async with open_ledger(tmp_path / "ledger.jsonl") as ledger:
        key = await _owe(database, ledger.url)
        ledger.mode(held)
        with worker_process(database_url, tmp_path) as first:
            await ledger.wait_until(lambda: ledger.holding == 1, 30)
            with worker_process(database_url, tmp_path):
                await until(database, "SELECT count(*) = 2 FROM worker_seen")
                first.kill()
                ledger.mode(Behaviour.OK)
                ledger.release()
                await _is_settled_once(database, ledger, key)
