"""Results into the database: fenced, judged, stored, and with everything that a transition implies."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.text import clean
from app.db.session import announce, driver_connection
from app.domain.schedule import next_slot
from app.domain.status import Change, Outcome, Status, Streak, advance, observe
from app.live.bus import Topic
from app.usecases.schedule import Claim
from app.usecases.transitions import Judged, apply_change
from models.result import Level
from probes.base import ProbeResult

_MAX_MESSAGE = 500

_ACCEPT = text(
    """
    UPDATE check_schedule s SET due_at = v.due_at, slot_at = NULL
    FROM unnest(CAST(:ids AS int[]), CAST(:runs AS bigint[]), CAST(:dues AS timestamptz[])) AS v(check_id, run, due_at)
    WHERE s.check_id = v.check_id AND s.run = v.run AND s.slot_at IS NOT NULL
    RETURNING s.check_id, s.run
    """
)

_STATE = text(
    """
    UPDATE check_state t
    SET status = v.status, candidate = v.candidate, count = v.count, seq = v.seq,
        since = coalesce(v.since, t.since), updated_at = now(), last_at = v.at, last_outcome = v.outcome,
        last_latency_ms = v.latency, last_message = v.message
    FROM unnest(CAST(:ids AS int[]), CAST(:statuses AS text[]), CAST(:candidates AS text[]), CAST(:counts AS int[]),
        CAST(:seqs AS int[]), CAST(:sinces AS timestamptz[]), CAST(:ats AS timestamptz[]), CAST(:outcomes AS text[]),
        CAST(:latencies AS float8[]), CAST(:messages AS text[]))
        AS v(check_id, status, candidate, count, seq, since, at, outcome, latency, message)
    WHERE t.check_id = v.check_id
    """
)

_HOUR = text(
    """
    INSERT INTO check_hour AS h (check_id, hour, up, degraded, down, unknown,
        latency_count, latency_sum, latency_min, latency_max)
    SELECT * FROM unnest(CAST(:ids AS int[]), CAST(:hours AS timestamptz[]), CAST(:ups AS int[]),
        CAST(:degradeds AS int[]), CAST(:downs AS int[]), CAST(:unknowns AS int[]), CAST(:latency_counts AS int[]),
        CAST(:latencies AS float8[]), CAST(:minima AS real[]), CAST(:maxima AS real[]))
    ON CONFLICT (check_id, hour) DO UPDATE SET up = h.up + excluded.up, degraded = h.degraded + excluded.degraded,
        down = h.down + excluded.down, unknown = h.unknown + excluded.unknown,
        latency_count = h.latency_count + excluded.latency_count, latency_sum = h.latency_sum + excluded.latency_sum,
        latency_min = least(h.latency_min, excluded.latency_min),
        latency_max = greatest(h.latency_max, excluded.latency_max)
    """
)

_COPY = (
    "COPY check_result (check_id, at, latency_ms, dns_ms, connect_ms, tls_ms, first_byte_ms, download_ms, level, code, "
    "message) FROM STDIN (FORMAT binary)"
)
_COPY_TYPES = [
    "int4",
    "timestamptz",
    "float4",
    "float4",
    "float4",
    "float4",
    "float4",
    "float4",
    "int2",
    "int4",
    "text",
]


@dataclass(frozen=True, slots=True)
class Run:
    """A claim with what came of it; `at` is when the run began, `ended_at` when it ended, by the database's clock."""

    claim: Claim
    result: ProbeResult
    at: datetime
    ended_at: datetime
    streak: Streak
    change: Change | None
    level: Level

    @property
    def due_at(self) -> datetime:
        """When the check is next due: soon while a failure is being confirmed, else its next slot."""
        if self.streak.suspect:
            return self.ended_at + timedelta(seconds=self.claim.retry_interval_s)
        return next_slot(self.claim.slot_at, self.claim.interval_s, self.ended_at)

    @property
    def message(self) -> str | None:
        return clean(self.result.message)[:_MAX_MESSAGE] or None


def judge(claim: Claim, result: ProbeResult, started: float, ended: float) -> Run:
    """What a result means for its check's streak; `started` and `ended` are monotonic readings in seconds."""
    observed = observe(result.outcome, result.latency_ms, claim.policy)
    streak, change = advance(claim.streak, observed, claim.policy)
    return Run(claim, result, claim.time(started), claim.time(ended), streak, change, _level(result.outcome, observed))


async def record(session: AsyncSession, runs: Sequence[Run]) -> int:
    """Store the runs whose lease still holds; returns how many were refused as stale.

    Everything happens in the session's transaction: results, states, counts and, for runs with a change, the
    transition, the incident, its timeline and the deliveries owed.
    """
    if not runs:
        return 0
    accepted = await _accept(session, sorted(runs, key=lambda run: run.claim.check_id))
    if accepted:
        await _store_states(session, accepted)
        await _store_counts(session, accepted)
        await _copy_results(session, accepted)
    for run in accepted:
        if run.change:
            await apply_change(session, _judged(run, run.change))
    by_team: defaultdict[int, list[int]] = defaultdict(list)
    for run in accepted:
        by_team[run.claim.team_id].append(run.claim.check_id)
    for team_id, ids in by_team.items():
        announce(session, Topic.CHECKS, team_id, ids=ids)
    return len(runs) - len(accepted)


async def _accept(session: AsyncSession, runs: Sequence[Run]) -> list[Run]:
    values = {
        "ids": [run.claim.check_id for run in runs],
        "runs": [run.claim.run for run in runs],
        "dues": [run.due_at for run in runs],
    }
    held = {tuple(row) for row in await (await session.connection()).execute(_ACCEPT, values)}
    return [run for run in runs if (run.claim.check_id, run.claim.run) in held]


async def _store_states(session: AsyncSession, runs: Sequence[Run]) -> None:
    values = {
        "ids": [run.claim.check_id for run in runs],
        "statuses": [run.streak.status.value for run in runs],
        "candidates": [run.streak.candidate and run.streak.candidate.value for run in runs],
        "counts": [run.streak.count for run in runs],
        "seqs": [run.streak.seq for run in runs],
        "sinces": [run.at if run.change else None for run in runs],
        "ats": [run.at for run in runs],
        "outcomes": [run.result.outcome.value for run in runs],
        "latencies": [run.result.latency_ms for run in runs],
        "messages": [run.message for run in runs],
    }
    await (await session.connection()).execute(_STATE, values)


async def _store_counts(session: AsyncSession, runs: Sequence[Run]) -> None:
    levels = [run.level for run in runs]
    # An UP run alone has a latency that says something of the target.
    latencies = [run.result.latency_ms if run.level in {Level.UP, Level.DEGRADED} else None for run in runs]
    values: dict[str, list[Any]] = {
        "ids": [run.claim.check_id for run in runs],
        "hours": [run.at.replace(minute=0, second=0, microsecond=0) for run in runs],
        "ups": [int(level is Level.UP) for level in levels],
        "degradeds": [int(level is Level.DEGRADED) for level in levels],
        "downs": [int(level is Level.DOWN) for level in levels],
        "unknowns": [int(level is Level.UNKNOWN) for level in levels],
        "latency_counts": [int(latency is not None) for latency in latencies],
        "latencies": [latency or 0.0 for latency in latencies],
        "minima": latencies,
        "maxima": latencies,
    }
    await (await session.connection()).execute(_HOUR, values)


async def _copy_results(session: AsyncSession, runs: Sequence[Run]) -> None:
    connection = await driver_connection(session)
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for run in runs:
            result, phases = run.result, run.result.phases
            message = run.message if run.level is not Level.UP else None
            await copy.write_row(
                (
                    run.claim.check_id,
                    run.at,
                    result.latency_ms,
                    phases.dns,
                    phases.connect,
                    phases.tls,
                    phases.first_byte,
                    phases.download,
                    run.level.value,
                    result.code,
                    message,
                )
            )


def _judged(run: Run, change: Change) -> Judged:
    claim = run.claim
    return Judged(claim.team_id, claim.check_id, claim.service_id, change, run.at, run.result, run.message or "")


def _level(outcome: Outcome, observed: Status | None) -> Level:
    if outcome is Outcome.UNKNOWN:
        return Level.UNKNOWN
    if outcome is Outcome.DOWN:
        return Level.DOWN
    return Level.DEGRADED if observed is Status.DEGRADED else Level.UP
