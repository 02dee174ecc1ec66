"""Results into the database: fenced, judged, stored, and with everything that a transition implies."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
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
_LEVELS = {level.name.lower(): level.value for level in Level}

# One statement, so that what is refused changes nothing, and a batch costs one round trip.
_STORE = text(
    """
    WITH run AS (
        SELECT * FROM json_to_recordset(CAST(:runs AS json)) AS r(check_id int, run bigint, due_at timestamptz,
            at timestamptz, status text, candidate text, count int, seq int, changed bool, outcome text,
            latency_ms float8, message text, level int)
    ), accepted AS (
        UPDATE check_schedule s SET due_at = run.due_at, slot_at = NULL FROM run
        WHERE s.check_id = run.check_id AND s.run = run.run AND s.slot_at IS NOT NULL
        RETURNING s.check_id, s.run
    ), state AS (
        UPDATE check_state t SET status = r.status, candidate = r.candidate, count = r.count, seq = r.seq,
            since = CASE WHEN r.changed THEN r.at ELSE t.since END, updated_at = now(), last_at = r.at,
            last_outcome = r.outcome, last_latency_ms = r.latency_ms, last_message = r.message
        FROM run r JOIN accepted a USING (check_id, run) WHERE t.check_id = r.check_id
    ), hours AS (
        INSERT INTO check_hour AS h (check_id, hour, up, degraded, down, unknown,
            latency_count, latency_sum, latency_min, latency_max)
        SELECT check_id, date_trunc('hour', at, 'UTC'), (level = :up)::int, (level = :degraded)::int,
            (level = :down)::int, (level = :unknown)::int, (good IS NOT NULL)::int, coalesce(good, 0), good, good
        FROM run JOIN accepted USING (check_id, run)
        CROSS JOIN LATERAL (SELECT CASE WHEN level IN (:up, :degraded) THEN latency_ms END AS good) measured
        ON CONFLICT (check_id, hour) DO UPDATE SET up = h.up + excluded.up, degraded = h.degraded + excluded.degraded,
            down = h.down + excluded.down, unknown = h.unknown + excluded.unknown,
            latency_count = h.latency_count + excluded.latency_count,
            latency_sum = h.latency_sum + excluded.latency_sum,
            latency_min = least(h.latency_min, excluded.latency_min),
            latency_max = greatest(h.latency_max, excluded.latency_max)
    )
    SELECT check_id, run FROM accepted
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
    accepted = await _store(session, runs)
    if accepted:
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


async def _store(session: AsyncSession, runs: Sequence[Run]) -> list[Run]:
    """Settle leases, states and counts; returns the runs that were accepted."""
    # In one order, so that workers which store the same checks wait for each other instead of locking each other out.
    ordered = sorted(runs, key=lambda run: run.claim.check_id)
    values = {"runs": orjson.dumps([_row(run) for run in ordered]).decode()} | _LEVELS
    held = set((await (await session.connection()).execute(_STORE, values)).all())
    return [run for run in ordered if (run.claim.check_id, run.claim.run) in held]


def _row(run: Run) -> dict[str, Any]:
    return {
        "check_id": run.claim.check_id,
        "run": run.claim.run,
        "due_at": run.due_at,
        "at": run.at,
        "status": run.streak.status,
        "candidate": run.streak.candidate,
        "count": run.streak.count,
        "seq": run.streak.seq,
        "changed": run.change is not None,
        "outcome": run.result.outcome,
        "latency_ms": run.result.latency_ms,
        "message": run.message,
        "level": run.level,
    }


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
