"""What happened to checks over time: the one module that reads results and their counts by hour.

Short ranges are read from results, long ones from the counts by hour. A bucket without results is missing:
readers draw it as a gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.uptime import Counts
from app.usecases.actor import Actor
from app.usecases.checks import checks_of, get_check
from app.usecases.services import get_service
from models import CheckResult

STRIP_DAYS = 90
_BUCKETS = 300


class Range(StrEnum):
    """How far back a chart looks."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"

    @property
    def length(self) -> timedelta:
        return _LENGTHS[self]


_LENGTHS = {
    Range.HOUR: timedelta(hours=1),
    Range.DAY: timedelta(hours=24),
    Range.WEEK: timedelta(days=7),
    Range.MONTH: timedelta(days=30),
    Range.QUARTER: timedelta(days=90),
}


@dataclass(frozen=True, slots=True)
class Series:
    """Columns of one length, oldest first; `at` is a bucket's start (UTC), durations are means in milliseconds.

    `step_s` is the bucket's width, 0 for single results. Phases are empty where only counts by hour are left.
    `failed` tells the buckets that hold a failure; a latency is None where no result was up.
    """

    step_s: float
    at: tuple[datetime, ...]
    latency: tuple[float | None, ...]
    failed: tuple[bool, ...]
    phases: dict[str, tuple[float | None, ...]]
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC) of the 90-day strip."""

    day: datetime
    counts: Counts


_PHASES = ("dns", "connect", "tls", "first_byte", "download")

_RAW = text(
    """
    SELECT at, CASE WHEN level < 3 THEN latency_ms END AS latency_ms, level = 3 AS failed,
        dns_ms, connect_ms, tls_ms, first_byte_ms, download_ms
    FROM check_result WHERE check_id = :check AND at > :start AND at <= :end ORDER BY at LIMIT 2000
    """
)

_BUCKETED = text(
    """
    SELECT date_bin(make_interval(secs => :step), at, :start) AS at,
        avg(latency_ms) FILTER (WHERE level < 3) AS latency_ms, bool_or(level = 3) AS failed,
        avg(dns_ms) AS dns_ms, avg(connect_ms) AS connect_ms, avg(tls_ms) AS tls_ms,
        avg(first_byte_ms) AS first_byte_ms, avg(download_ms) AS download_ms
    FROM check_result WHERE check_id = :check AND at > :start AND at <= :end GROUP BY 1 ORDER BY 1
    """
)

_PERCENTILES = text(
    """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) AS p50,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) AS p95
    FROM check_result WHERE check_id = :check AND at > :start AND at <= :end AND level < 3
    """
)

_HOURLY = text(
    """
    SELECT date_bin(make_interval(secs => :step), hour, :start) AS at,
        sum(latency_sum) / nullif(sum(latency_count), 0) AS latency_ms, sum(down) AS down
    FROM check_hour WHERE check_id = :check AND hour > :start GROUP BY 1 ORDER BY 1
    """
)

_DAILY = text(
    """
    SELECT date_trunc('day', hour, 'UTC') AS day, sum(up) AS up, sum(degraded) AS degraded, sum(down) AS down,
        sum(unknown) AS unknown
    FROM check_hour WHERE check_id = ANY(:checks) AND hour >= :start GROUP BY 1 ORDER BY 1
    """
)

_SINCE = text(
    """
    SELECT coalesce(sum(up), 0) AS up, coalesce(sum(degraded), 0) AS degraded, coalesce(sum(down), 0) AS down,
        coalesce(sum(unknown), 0) AS unknown
    FROM check_hour WHERE check_id = ANY(:checks) AND hour > :start
    """
)


async def latency(session: AsyncSession, actor: Actor, check_id: int, span: Range, now: datetime) -> Series:
    """The check's latency over the range that ends at `now`."""
    await get_check(session, actor, check_id)
    start = now - span.length
    if span is Range.HOUR:
        return await _detailed(session, check_id, (start, now), 0.0)
    if span is Range.DAY:
        return await _detailed(session, check_id, (start, now), span.length.total_seconds() / _BUCKETS)
    return await _hourly(session, check_id, start, span)


async def daily(session: AsyncSession, actor: Actor, service_id: int, now: datetime) -> list[Day]:
    """The last 90 days of the service, oldest first; a day without results has no counts."""
    ids = await _check_ids(session, actor, service_id)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=STRIP_DAYS - 1)
    rows = await (await session.connection()).execute(_DAILY, {"checks": ids, "start": start})
    known = {row.day: Counts(row.up, row.degraded, row.down, row.unknown) for row in rows}
    days = [start + timedelta(days=offset) for offset in range(STRIP_DAYS)]
    return [Day(day, known.get(day, Counts())) for day in days]


async def uptimes(session: AsyncSession, actor: Actor, service_id: int, now: datetime) -> dict[Range, Counts]:
    """Counts of the service's results over the last day, week, month and quarter, to the hour."""
    ids = await _check_ids(session, actor, service_id)
    found = {}
    for span in (Range.DAY, Range.WEEK, Range.MONTH, Range.QUARTER):
        values = {"checks": ids, "start": now - span.length}
        row = (await (await session.connection()).execute(_SINCE, values)).one()
        found[span] = Counts(row.up, row.degraded, row.down, row.unknown)
    return found


async def last_results(session: AsyncSession, actor: Actor, check_id: int, limit: int = 50) -> Sequence[CheckResult]:
    """The check's newest results, newest first."""
    await get_check(session, actor, check_id)
    query = select(CheckResult).where(CheckResult.check_id == check_id)
    return list(await session.exec(query.order_by(col(CheckResult.at).desc()).limit(limit)))


async def latency_around(session: AsyncSession, actor: Actor, check_id: int, start: datetime, end: datetime) -> Series:
    """The check's single results between two moments, for an incident's chart; at most 2,000."""
    await get_check(session, actor, check_id)
    return await _detailed(session, check_id, (start, end), 0.0)


async def _check_ids(session: AsyncSession, actor: Actor, service_id: int) -> list[int]:
    await get_service(session, actor, service_id)
    return [check.id or 0 for check in await checks_of(session, actor, service_id)]


async def _detailed(session: AsyncSession, check_id: int, between: tuple[datetime, datetime], step_s: float) -> Series:
    connection = await session.connection()
    values = {"check": check_id, "start": between[0], "end": between[1]}
    query = _BUCKETED.bindparams(step=step_s) if step_s else _RAW
    rows: Sequence[Any] = (await connection.execute(query, values)).all()
    percentiles = (await connection.execute(_PERCENTILES, values)).one()
    return Series(
        step_s=step_s,
        at=tuple(row.at for row in rows),
        latency=tuple(row.latency_ms for row in rows),
        failed=tuple(row.failed for row in rows),
        phases={phase: tuple(getattr(row, f"{phase}_ms") for row in rows) for phase in _PHASES},
        p50=percentiles.p50,
        p95=percentiles.p95,
    )


async def _hourly(session: AsyncSession, check_id: int, start: datetime, span: Range) -> Series:
    # A whole number of hours, so that buckets never cut one.
    step_s = 3600.0 * max(1, round(span.length.total_seconds() / 3600 / _BUCKETS))
    start = start.replace(minute=0, second=0, microsecond=0)
    values = {"check": check_id, "start": start, "step": step_s}
    rows = (await (await session.connection()).execute(_HOURLY, values)).all()
    return Series(
        step_s=step_s,
        at=tuple(row.at for row in rows),
        latency=tuple(row.latency_ms for row in rows),
        failed=tuple(row.down > 0 for row in rows),
        phases={},
    )
