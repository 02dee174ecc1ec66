"""Results reach the database: together, at once when they matter, and whatever is wrong with one of them."""

from dataclasses import replace
from typing import Any

import pytest

from app.db.session import Database
from app.domain.status import Outcome
from app.runtime import recorder as module
from app.runtime.metrics import Counters
from app.runtime.recorder import Recorder
from app.usecases.results import Run, judge
from app.usecases.schedule import claim_due
from probes.base import ProbeResult
from tests.builders import add_fleet
from tests.kit.eventually import rows, until, value

UP = ProbeResult(Outcome.UP, latency_ms=5.0, code=200)
DOWN = ProbeResult(Outcome.DOWN, cause="status", message="502 Bad Gateway", code=502)
# As a probe with a bug might say it.
NO_CODE: Any = "many"


async def _runs(database: Database, *results: ProbeResult) -> list[Run]:
    """A run of a check of its own for each result."""
    async with database.transaction() as session:
        await add_fleet(session, ["http://127.0.0.1:1/"] * len(results), retries=1)
    async with database.transaction() as session:
        claims = sorted(await claim_due(session, 100), key=lambda claim: claim.check_id)
    return [
        judge(claim, result, claim.monotonic, claim.monotonic) for claim, result in zip(claims, results, strict=True)
    ]


async def test_results_are_stored_when_the_clock_says_so(database: Database) -> None:
    recorder = Recorder(database, Counters())
    recorder.start()
    for run in await _runs(database, DOWN, DOWN):
        recorder.add(replace(run, streak=run.claim.streak))
    recorder.wake()
    await until(database, "SELECT count(*) = 2 FROM check_result")
    await recorder.stop()


async def test_a_change_does_not_wait_for_the_clock(database: Database) -> None:
    recorder = Recorder(database, Counters())
    recorder.start()
    (run,) = await _runs(database, UP)
    recorder.add(run)
    await until(database, "SELECT count(*) = 1 FROM transition")
    await recorder.stop()


async def test_what_waits_is_stored_at_the_end(database: Database) -> None:
    counters = Counters()
    recorder = Recorder(database, counters)
    for run in await _runs(database, UP, DOWN, DOWN):
        recorder.add(run)
    await recorder.stop()
    assert await value(database, "SELECT count(*) FROM check_result") == 3
    assert (counters.results, recorder.waiting) == (3, 0)


async def test_one_result_that_can_not_be_stored_holds_up_none_and_is_called_unknown(database: Database) -> None:
    counters = Counters()
    recorder = Recorder(database, counters)
    for run in await _runs(database, DOWN, replace(DOWN, code=NO_CODE), DOWN):
        recorder.add(run)
    await recorder.stop()
    assert await rows(database, "SELECT level, message FROM check_result ORDER BY check_id") == [
        (3, "502 Bad Gateway"),
        (4, "The result could not be stored"),
        (3, "502 Bad Gateway"),
    ]
    assert (counters.results, counters.unstorable_results) == (3, 1)
    assert await rows(database, "SELECT count FROM check_state ORDER BY check_id") == [(1,), (0,), (1,)]


async def test_a_change_that_can_not_be_stored_changes_nothing(database: Database) -> None:
    recorder = Recorder(database, Counters())
    (run,) = await _runs(database, replace(UP, code=NO_CODE))
    recorder.add(run)
    await recorder.stop()
    assert await rows(database, "SELECT status, seq FROM check_state") == [("pending", 0)]
    assert await rows(database, "SELECT level FROM check_result") == [(4,)]


async def test_a_stale_result_is_counted(database: Database) -> None:
    counters = Counters()
    recorder = Recorder(database, counters)
    (run,) = await _runs(database, UP)
    recorder.add(run)
    recorder.add(run)
    await recorder.stop()
    assert (counters.results, counters.stale_results) == (1, 1)


async def test_a_full_buffer_drops_the_oldest_plain_result_and_counts_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_WAITING", 2)
    counters = Counters()
    recorder = Recorder(database, counters)
    first, *others = await _runs(database, DOWN, UP, DOWN)
    for run in (first, *others):
        recorder.add(run)
    await recorder.stop()
    stored = await rows(database, "SELECT check_id FROM check_result ORDER BY check_id")
    assert stored == [(run.claim.check_id,) for run in others]
    assert counters.dropped_results == 1
