"""Checks run side by side; our own failures become UNKNOWN, and slow targets keep nobody waiting."""

import time

import pytest
from sqlalchemy import text

from app.core.addresses import IPAddress, probe_policy
from app.db.session import Database
from app.runtime.checker import Checker, Means
from app.runtime.metrics import Counters, LoopLag
from app.runtime.recorder import Recorder
from app.usecases.schedule import Claim, claim_due
from probes import PROBES
from probes.base import Probe, ProbeConfig, ProbeContext, ProbeResult
from tests.builders import SEALER, add_fleet, make_due
from tests.kit.eventually import rows, until
from tests.kit.targets import open_target
from tests.runtime.conftest import OpenWorker

LAST = "SELECT last_outcome, last_message FROM check_state ORDER BY check_id"


class Bench:
    """A checker with its recorder, for claims made by hand."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.counters = Counters()
        self.lag = LoopLag()
        self.lag.start()
        self.recorder = Recorder(database, self.counters)
        self.checker = Checker(Means(SEALER, probe_policy(), self.lag, self.counters), self.recorder, 100)

    async def claim(self) -> list[Claim]:
        async with self.database.transaction() as session:
            claims = await claim_due(session, 100)
            await self.checker.prepare(session, claims)
        return claims

    async def run(self) -> None:
        """Run what is due, to the end."""
        self.checker.start(await self.claim())
        await self.finish()

    async def finish(self) -> None:
        assert await self.checker.stop(patience_s=20) == []
        await self.recorder.stop()
        self.lag.stop()


async def test_settings_that_can_not_be_read_are_our_trouble_and_stop_no_other_check(database: Database) -> None:
    async with open_target() as target:
        async with database.transaction() as session:
            fleet = await add_fleet(session, [target.url] * 3)
            fleet.checks[0].config = {"url": 7}
            fleet.checks[1].kind = "carrier-pigeon"
        await Bench(database).run()
    assert await rows(database, LAST) == [
        ("unknown", "The check's settings can't be read (ValidationError)"),
        ("unknown", "The check's settings can't be read (KeyError)"),
        ("up", "200 OK"),
    ]


async def test_a_probe_that_raises_says_nothing_about_its_target(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(config: ProbeConfig, context: ProbeContext) -> ProbeResult:
        raise ZeroDivisionError

    monkeypatch.setitem(PROBES, "broken", Probe("broken", "Broken", ProbeConfig, run, str))
    async with database.transaction() as session:
        await add_fleet(session, [""], kind="broken", config={})
    await Bench(database).run()
    assert await rows(database, LAST) == [("unknown", "The check failed inside Pulseboard")]


async def test_a_measurement_during_a_stall_of_our_own_is_not_believed(database: Database) -> None:
    async with open_target(status=None) as target:
        async with database.transaction() as session:
            await add_fleet(session, [target.url], timeout_s=1)
        bench = Bench(database)
        bench.checker.start(await bench.claim())
        await target.wait_for_requests(1)
        time.sleep(1.5)  # noqa: ASYNC251  the stall
        await bench.finish()
    ((outcome, message),) = await rows(database, LAST)
    assert (outcome, message) == ("unknown", "The check was not measured: Pulseboard was too busy")
    assert bench.counters.overloaded_results == 1


async def test_settings_are_read_again_only_when_they_changed(database: Database) -> None:
    async with open_target() as old, open_target() as new:
        async with database.transaction() as session:
            fleet = await add_fleet(session, [old.url])
        bench = Bench(database)
        for url, version in ((new.url, 1), (new.url, 2)):
            await bench.run()
            async with database.transaction() as session:
                query = text(
                    "UPDATE \"check\" SET config = jsonb_build_object('url', CAST(:url AS text)), version = :version"
                )
                await (await session.connection()).execute(query, {"url": url, "version": version})
                await make_due(session, fleet.checks[0])
        await bench.run()
        assert (old.requests, new.requests) == (2, 1)


async def test_what_does_not_end_in_time_is_given_back(database: Database) -> None:
    async with open_target(status=None) as target:
        async with database.transaction() as session:
            await add_fleet(session, [target.url] * 3, timeout_s=60)
        bench = Bench(database)
        claims = await bench.claim()
        bench.checker.start(claims)
        await target.wait_for_requests(3)
        assert bench.checker.free == 97
        unfinished = await bench.checker.stop(patience_s=0.01)
        bench.lag.stop()
    assert unfinished == claims
    assert bench.checker.running == 0


async def test_an_address_of_our_own_is_refused_by_the_rule(database: Database) -> None:
    def refuse(address: IPAddress, port: int) -> str | None:
        return "own-port"

    async with open_target() as target:
        async with database.transaction() as session:
            await add_fleet(session, [target.url])
        bench = Bench(database)
        bench.checker = Checker(Means(SEALER, refuse, bench.lag, bench.counters), bench.recorder, 10)
        await bench.run()
        assert target.requests == 0


async def test_two_hundred_silent_targets_keep_no_other_check_waiting(
    database: Database, open_worker: OpenWorker
) -> None:
    async with open_target(status=None) as silent, open_target() as quick:
        async with database.transaction() as session:
            await add_fleet(session, [silent.url] * 200, timeout_s=60, interval_s=60)
        async with open_worker():
            await silent.wait_for_requests(200)
            async with database.transaction() as session:
                await add_fleet(session, [quick.url] * 5, "Shipping", timeout_s=1, interval_s=1)
            await until(database, "SELECT count(*) >= 15 FROM check_result WHERE level = 1")
    assert await rows(database, "SELECT DISTINCT level FROM check_result") == [(1,)]
