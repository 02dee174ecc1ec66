"""Results into the database: what is accepted, what is stored, and what a change of status implies."""

from dataclasses import replace
from typing import Any

import pytest

from app.db.session import Database
from app.domain.status import Outcome, Status
from app.live.bus import BusMessage, Topic
from app.usecases.results import Run, judge, record
from app.usecases.schedule import Claim, claim_due
from app.usecases.transitions import delivery_key
from models import Check
from probes.base import Phases, ProbeResult
from tests.builders import Fleet, add_channel, add_fleet, id_of, make_due
from tests.kit.eventually import rows, value

URL = "http://127.0.0.1:1/"
UP = ProbeResult(Outcome.UP, latency_ms=12.5, code=200, phases=Phases(1.0, 2.0, None, 3.0, 4.0))
SLOW = ProbeResult(Outcome.UP, latency_ms=900.0, code=200)
DOWN = ProbeResult(Outcome.DOWN, latency_ms=3.0, cause="status", message="500 Internal Server Error", code=500)
OURS = ProbeResult(Outcome.UNKNOWN, cause="internal", message="Our own trouble")


async def _fleet(database: Database, checks: int = 1, channels: int = 0, **values: Any) -> Fleet:
    async with database.transaction() as session:
        fleet = await add_fleet(session, [URL] * checks, **values)
        for number in range(channels):
            await add_channel(session, fleet.team, "https://hooks.example.com/x", name=f"#channel-{number}")
    return fleet


async def _claim(database: Database, *checks: Check) -> list[Claim]:
    """Claims of all that is due, after making `checks` due."""
    async with database.transaction() as session:
        for check in checks:
            await make_due(session, check)
        return await claim_due(session, 100)


def _run(claim: Claim, result: ProbeResult) -> Run:
    return judge(claim, result, claim.monotonic + 0.1, claim.monotonic + 0.2)


async def _record(database: Database, *runs: Run) -> int:
    async with database.transaction() as session:
        return await record(session, runs)


async def _go_through(database: Database, check: Check, *results: ProbeResult) -> None:
    """Run the check once for each result."""
    for result in results:
        (claim,) = await _claim(database, check)
        assert await _record(database, _run(claim, result)) == 0


async def test_a_result_is_stored_with_its_phases_and_by_the_databases_clock(database: Database) -> None:
    await _fleet(database)
    (claim,) = await _claim(database)
    await _record(database, _run(claim, UP))
    ((at, *rest),) = await rows(
        database,
        "SELECT at, level, code, latency_ms, dns_ms, connect_ms, tls_ms, first_byte_ms, download_ms FROM check_result",
    )
    assert rest == [1, 200, 12.5, 1.0, 2.0, None, 3.0, 4.0]
    assert (at - claim.claimed_at).total_seconds() == pytest.approx(0.1)


async def test_the_state_follows_the_last_result(database: Database) -> None:
    await _fleet(database)
    (claim,) = await _claim(database)
    await _record(database, _run(claim, UP))
    ((status, seq, outcome, latency),) = await rows(
        database, "SELECT status, seq, last_outcome, last_latency_ms FROM check_state"
    )
    assert (status, seq, outcome, latency) == ("up", 1, "up", 12.5)


async def test_results_of_an_hour_are_counted_and_unknown_apart(database: Database) -> None:
    fleet = await _fleet(database, degraded_ms=500, retries=5)
    await _go_through(database, fleet.checks[0], UP, UP, SLOW, DOWN, OURS)
    counts = (
        "SELECT sum(up), sum(degraded), sum(down), sum(unknown), sum(latency_count), min(latency_min) FROM check_hour"
    )
    assert [tuple(row) for row in await rows(database, counts)] == [(2, 1, 1, 1, 3, 12.5)]


async def test_the_next_run_keeps_the_phase_of_the_slots(database: Database) -> None:
    await _fleet(database, interval_s=30)
    (claim,) = await _claim(database)
    await _record(database, _run(claim, UP))
    due = await value(database, "SELECT due_at FROM check_schedule")
    assert (due - claim.slot_at).total_seconds() == 30


async def test_a_failure_on_its_way_to_be_confirmed_is_looked_at_again_soon(database: Database) -> None:
    await _fleet(database, retries=1, retry_interval_s=3)
    (claim,) = await _claim(database)
    run = _run(claim, DOWN)
    await _record(database, run)
    due = await value(database, "SELECT due_at FROM check_schedule")
    assert (due - run.ended_at).total_seconds() == 3
    assert await rows(database, "SELECT status, candidate, count FROM check_state") == [("pending", "down", 1)]


async def test_a_result_whose_lease_another_worker_took_over_is_refused(database: Database) -> None:
    fleet = await _fleet(database)
    (late,) = await _claim(database)
    (present,) = await _claim(database, fleet.checks[0])
    assert await _record(database, _run(late, DOWN)) == 1
    assert await value(database, "SELECT count(*) FROM check_result") == 0
    assert await _record(database, _run(present, UP)) == 0
    assert await value(database, "SELECT status FROM check_state") == "up"


async def test_a_result_is_accepted_once(database: Database) -> None:
    await _fleet(database)
    (claim,) = await _claim(database)
    assert await _record(database, _run(claim, UP)) == 0
    assert await _record(database, _run(claim, UP)) == 1
    assert await value(database, "SELECT count(*) FROM check_result") == 1


async def test_of_two_results_of_one_check_in_a_batch_the_one_whose_lease_holds_counts(database: Database) -> None:
    fleet = await _fleet(database)
    (late,) = await _claim(database)
    (present,) = await _claim(database, fleet.checks[0])
    assert await _record(database, _run(late, DOWN), _run(present, UP)) == 1
    assert await rows(database, "SELECT level FROM check_result") == [(1,)]


async def test_a_stale_result_does_not_hold_up_the_batch(database: Database) -> None:
    fleet = await _fleet(database, checks=3)
    claims = await _claim(database)
    await _claim(database, fleet.checks[1])
    assert await _record(database, *[_run(claim, UP) for claim in claims]) == 1
    assert await value(database, "SELECT count(*) FROM check_result") == 2


async def test_the_result_of_a_deleted_check_is_stale(database: Database) -> None:
    await _fleet(database)
    (claim,) = await _claim(database)
    await _execute(database, 'DELETE FROM "check"')
    assert await _record(database, _run(claim, UP)) == 1


async def test_our_own_trouble_neither_advances_nor_resets_a_streak(database: Database) -> None:
    fleet = await _fleet(database, retries=1)
    await _go_through(database, fleet.checks[0], UP, DOWN, OURS)
    assert await rows(database, "SELECT status, candidate, count FROM check_state") == [("up", "down", 1)]
    await _go_through(database, fleet.checks[0], DOWN)
    assert await value(database, "SELECT status FROM check_state") == "down"


async def test_a_confirmed_failure_writes_everything_that_follows_from_it(database: Database) -> None:
    fleet = await _fleet(database, channels=2)
    await _go_through(database, fleet.checks[0], UP, DOWN)
    ((number, severity, title),) = await rows(database, "SELECT number, severity, title FROM incident")
    assert (number, severity, title) == (1, "critical", "checkout-api is down: 500 Internal Server Error")
    assert await rows(database, "SELECT seq, before, after FROM transition ORDER BY seq") == [
        (1, "pending", "up"),
        (2, "up", "down"),
    ]
    incident, channels = (
        await value(database, "SELECT id FROM incident"),
        await rows(database, "SELECT id FROM channel"),
    )
    deliveries = await rows(database, "SELECT key, kind, state FROM delivery ORDER BY channel_id")
    assert deliveries == [(delivery_key(incident, 2, channel), "down", "pending") for (channel,) in channels]
    assert await value(database, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'deliver'") == 2
    assert await value(database, "SELECT incident_id FROM check_state") == incident
    assert await rows(database, "SELECT kind FROM event") == [("went_down",)]


async def test_a_recovery_ends_the_incident_and_tells_whom_the_failure_was_told(database: Database) -> None:
    fleet = await _fleet(database, channels=1)
    await _go_through(database, fleet.checks[0], UP, DOWN)
    async with database.transaction() as session:
        await add_channel(session, fleet.team, "https://hooks.example.com/y", name="#added-later")
    await _go_through(database, fleet.checks[0], UP)
    assert await value(database, "SELECT status FROM incident WHERE resolved_at IS NOT NULL") == "resolved"
    assert await value(database, "SELECT incident_id FROM check_state") is None
    told = "SELECT c.name, d.kind FROM delivery d JOIN channel c ON c.id = d.channel_id ORDER BY d.id"
    assert await rows(database, told) == [("#channel-0", "down"), ("#channel-0", "recovered")]


async def test_a_channel_that_is_off_is_owed_nothing(database: Database) -> None:
    fleet = await _fleet(database, channels=1)
    await _execute(database, "UPDATE channel SET enabled = false")
    await _go_through(database, fleet.checks[0], DOWN)
    assert await value(database, "SELECT count(*) FROM delivery") == 0


async def test_a_change_that_can_not_be_written_down_whole_leaves_nothing(database: Database) -> None:
    fleet = await _fleet(database, channels=1)
    await _go_through(database, fleet.checks[0], UP)
    await _execute(database, "ALTER TABLE delivery ADD CONSTRAINT refuses CHECK (false) NOT VALID")
    (claim,) = await _claim(database, fleet.checks[0])
    with pytest.raises(Exception, match="refuses"):
        await _record(database, _run(claim, DOWN))
    for table in ("incident", "delivery", "event", "procrastinate_jobs"):
        assert await value(database, f"SELECT count(*) FROM {table}") == 0
    assert await rows(database, "SELECT status, seq FROM check_state") == [("up", 1)]
    await _execute(database, "ALTER TABLE delivery DROP CONSTRAINT refuses")
    assert await _record(database, _run(claim, DOWN)) == 0


async def test_text_that_a_target_made_up_is_stored_without_its_tricks(database: Database) -> None:
    fleet = await _fleet(database)
    hostile = replace(
        DOWN, message="a\x00b\ud800\u202ec" + "x" * 9999, facts={"body": "\x00\ud800", "n\x00": [1.5, "\x1b"]}
    )
    await _go_through(database, fleet.checks[0], hostile)
    message = await value(database, "SELECT message FROM check_result")
    assert message.startswith("abcx")
    assert len(message) == 500
    assert await value(database, "SELECT evidence -> 'facts' FROM transition") == {"body": "", "n": [1.5, ""]}


async def test_what_was_stored_is_announced_by_team_after_the_commit(database: Database) -> None:
    heard: list[BusMessage] = []
    fleet = await _fleet(database, checks=2)
    claims = await _claim(database)
    database.bus.subscribe(Topic.CHECKS, heard.append)
    await _record(database, *[_run(claim, UP) for claim in claims])
    assert heard == [BusMessage(Topic.CHECKS, id_of(fleet.team), {"ids": [id_of(check) for check in fleet.checks]})]


async def test_transitions_are_numbered_without_gaps_and_alternate(database: Database) -> None:
    fleet = await _fleet(database)
    await _go_through(database, fleet.checks[0], UP, DOWN, UP, OURS, DOWN, DOWN, UP)
    assert await rows(database, "SELECT seq, after FROM transition ORDER BY seq") == [
        (1, "up"),
        (2, "down"),
        (3, "up"),
        (4, "down"),
        (5, "up"),
    ]
    assert await value(database, "SELECT array_agg(number ORDER BY id) FROM incident") == [1, 2]
    assert await value(database, "SELECT status FROM check_state") == Status.UP


async def _execute(database: Database, sql: str) -> None:
    async with database.transaction() as session:
        await (await session.connection()).exec_driver_sql(sql)
