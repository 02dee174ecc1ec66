"""What workers tell of themselves in the database, and what follows for readiness and metrics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

LIVE_S = 15.0
_FORGET = "1 day"

_HEARTBEAT = text(
    """
    INSERT INTO worker_seen (id, started_at, seen_at, runs, lag_ms, counters)
    VALUES (:id, :started, now(), :runs, :lag, CAST(:counters AS jsonb))
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), runs = excluded.runs, lag_ms = excluded.lag_ms,
        counters = excluded.counters
    """
)
_QUEUES = text(
    """
    SELECT (SELECT count(*) FROM check_schedule WHERE due_at <= now()) AS due,
        (SELECT coalesce(extract(epoch FROM now() - min(due_at)), 0) FROM check_schedule WHERE due_at <= now())
            AS overdue_s,
        (SELECT count(*) FROM delivery WHERE state = 'pending') AS deliveries,
        (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM delivery WHERE state = 'pending')
            AS oldest_delivery_s,
        (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')) AS jobs,
        EXISTS (SELECT FROM check_result_default) AS stray
    """
)


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat. `lag_ms` is the longest stall of the event loop since the last one."""

    worker_id: str
    started_at: datetime
    lag_ms: float
    counters: dict[str, float]


async def heartbeat(session: AsyncSession, beat: Beat) -> None:
    """Say that the worker is alive, by the database's clock."""
    values = {
        "id": beat.worker_id,
        "started": beat.started_at,
        "runs": int(beat.counters.get("results", 0)),
        "lag": beat.lag_ms,
        "counters": orjson.dumps(beat.counters).decode(),
    }
    await (await session.connection()).execute(_HEARTBEAT, values)


async def sign_off(session: AsyncSession, worker_id: str) -> None:
    """The worker ends, and is no longer counted as live."""
    query = text("UPDATE worker_seen SET seen_at = seen_at - make_interval(secs => :live) WHERE id = :id")
    await (await session.connection()).execute(query, {"id": worker_id, "live": LIVE_S})


async def live_workers(session: AsyncSession) -> int:
    """How many workers gave a sign of life in the last LIVE_S seconds."""
    query = text("SELECT count(*) FROM worker_seen WHERE seen_at > now() - make_interval(secs => :live)")
    return int((await (await session.connection()).execute(query, {"live": LIVE_S})).scalar_one())


async def forget_workers(session: AsyncSession) -> None:
    """Delete the rows of workers that were silent for a day."""
    await (await session.connection()).execute(
        text(f"DELETE FROM worker_seen WHERE seen_at < now() - interval '{_FORGET}'")  # noqa: S608  a constant
    )


async def worker_metrics(session: AsyncSession) -> list[Metric]:
    """The workers' counters and the queues' depths, for a Prometheus collector. Times in seconds."""
    connection = await session.connection()
    queues = (await connection.execute(_QUEUES)).one()
    seen = text(
        "SELECT id, lag_ms, counters FROM worker_seen WHERE seen_at > now() - interval '1 hour' ORDER BY started_at"
    )
    workers = list(await connection.execute(seen))
    gauges = [
        _gauge("pulseboard_workers", "Workers that gave a sign of life lately", await live_workers(session)),
        _gauge("pulseboard_checks_due", "Checks that wait for a worker", queues.due),
        _gauge("pulseboard_checks_overdue_seconds", "How long the longest waiting check waits", queues.overdue_s),
        _gauge("pulseboard_deliveries_pending", "Messages owed and not sent yet", queues.deliveries),
        _gauge("pulseboard_deliveries_oldest_seconds", "Age of the oldest of them", queues.oldest_delivery_s),
        _gauge("pulseboard_jobs_open", "Background jobs that wait or run", queues.jobs),
        _gauge("pulseboard_results_astray", "1 when results are in the DEFAULT partition: an alarm", queues.stray),
    ]
    return gauges + _per_worker(workers)


def _gauge(name: str, words: str, value: Any) -> Metric:
    return GaugeMetricFamily(name, words, value=float(value))


def _per_worker(workers: list[Any]) -> list[Metric]:
    lag = GaugeMetricFamily("pulseboard_worker_loop_lag_seconds", "Longest stall of the event loop", labels=["worker"])
    for worker in workers:
        lag.add_metric([worker.id], worker.lag_ms / 1000)
    found: list[Metric] = [lag]
    for name in sorted({name for worker in workers for name in worker.counters}):
        family = CounterMetricFamily(f"pulseboard_worker_{name}", name.replace("_", " "), labels=["worker"])
        for worker in workers:
            family.add_metric([worker.id], worker.counters.get(name, 0))
        found.append(family)
    return found
