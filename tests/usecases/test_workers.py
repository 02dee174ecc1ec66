"""What workers tell of themselves, and what follows for readiness and metrics."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from app.core import clock
from app.db.session import Database
from app.usecases.workers import Beat, forget_workers, heartbeat, live_workers, sign_off, worker_metrics
from tests.builders import add_fleet
from tests.kit.eventually import value


async def _beat(database: Database, worker_id: str, **counters: float) -> None:
    async with database.transaction() as session:
        await heartbeat(session, Beat(worker_id, clock.now(), 12.5, counters))


async def _live(database: Database) -> int:
    async with database.transaction() as session:
        return await live_workers(session)


async def _age(database: Database, interval: str) -> None:
    async with database.transaction() as session:
        await (await session.connection()).exec_driver_sql(
            f"UPDATE worker_seen SET seen_at = seen_at - interval '{interval}'"
        )


async def test_a_worker_counts_as_live_until_it_was_silent_for_a_while(database: Database) -> None:
    assert await _live(database) == 0
    await _beat(database, "one")
    await _beat(database, "one")
    await _beat(database, "two")
    assert await _live(database) == 2
    await _age(database, "16 seconds")
    assert await _live(database) == 0


async def test_a_worker_that_signed_off_is_not_live(database: Database) -> None:
    await _beat(database, "one")
    async with database.transaction() as session:
        await sign_off(session, "one")
    assert await _live(database) == 0


async def test_a_worker_that_was_silent_for_a_day_is_forgotten(database: Database) -> None:
    await _beat(database, "one")
    await _age(database, "25 hours")
    await _beat(database, "two")
    async with database.transaction() as session:
        await forget_workers(session)
    assert await value(database, "SELECT array_agg(id) FROM worker_seen") == ["two"]


async def test_metrics_tell_the_depth_of_the_queues_and_the_counts_of_each_worker(database: Database) -> None:
    await _beat(database, "one", results=7, stale_results=2)
    async with database.transaction() as session:
        await add_fleet(session, ["http://127.0.0.1:1/"] * 3)
    async with database.transaction() as session:
        text = _rendered(await worker_metrics(session))
    for line in (
        "pulseboard_workers 1.0",
        "pulseboard_checks_due 3.0",
        "pulseboard_deliveries_pending 0.0",
        "pulseboard_results_astray 0.0",
        'pulseboard_worker_results_total{worker="one"} 7.0',
        'pulseboard_worker_stale_results_total{worker="one"} 2.0',
        'pulseboard_worker_loop_lag_seconds{worker="one"} 0.0125',
    ):
        assert line in text.splitlines()


def _rendered(metrics: list[Metric]) -> str:
    class Stored(Collector):
        def collect(self) -> list[Metric]:
            return metrics

    registry = CollectorRegistry()
    registry.register(Stored())
    return generate_latest(registry).decode()
