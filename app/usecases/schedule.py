"""Claims of due checks. The database clock decides; a lease and a fencing token keep workers apart."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.crypto import Sealer
from app.domain.schedule import LEASE_GRACE_S
from app.domain.status import Policy, Status, Streak
from app.usecases.configs import open_config
from probes import PROBES

_CLAIM = text(
    """
    WITH due AS (
        SELECT check_id FROM check_schedule WHERE due_at <= now()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE check_schedule s
    SET due_at = now() + make_interval(secs => c.timeout_s + :grace),
        slot_at = coalesce(s.slot_at, s.due_at), run = s.run + 1
    FROM due JOIN "check" c ON c.id = due.check_id JOIN check_state t ON t.check_id = due.check_id
    WHERE s.check_id = due.check_id
    RETURNING s.check_id, s.team_id, c.service_id, s.run, s.slot_at, now() AS claimed_at, c.version,
        c.interval_s, c.timeout_s, c.retries, c.retry_interval_s, c.recoveries, c.degraded_ms,
        t.status, t.candidate, t.count AS streak_count, t.seq
    """
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One run that this worker holds. `claimed_at` is the database's time; `monotonic` ours at the same moment."""

    check_id: int
    team_id: int
    service_id: int
    run: int
    slot_at: datetime
    claimed_at: datetime
    monotonic: float
    version: int
    interval_s: int
    timeout_s: int
    retry_interval_s: int
    policy: Policy
    streak: Streak

    def time(self, monotonic: float) -> datetime:
        """The database's time at one of our monotonic readings: no worker's wall clock gets into a result."""
        return self.claimed_at + timedelta(seconds=monotonic - self.monotonic)


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """What a claim needs besides itself, worth keeping until the check's version changes. `error` is ours to mend."""

    version: int
    kind: str
    config: Any
    error: str = ""


async def claim_due(session: AsyncSession, limit: int, grace_s: float = LEASE_GRACE_S) -> list[Claim]:
    """Take up to `limit` due checks, the longest overdue first. A check whose lease has run out is due again.

    The lease lasts for the check's timeout and `grace_s` seconds more.
    """
    rows = await (await session.connection()).execute(_CLAIM, {"limit": limit, "grace": grace_s})
    monotonic = clock.monotonic()
    return [_claim(row, monotonic) for row in rows.all()]


def _claim(row: Any, monotonic: float) -> Claim:
    candidate = None if row.candidate is None else Status(row.candidate)
    return Claim(
        check_id=row.check_id,
        team_id=row.team_id,
        service_id=row.service_id,
        run=row.run,
        slot_at=row.slot_at,
        claimed_at=row.claimed_at,
        monotonic=monotonic,
        version=row.version,
        interval_s=row.interval_s,
        timeout_s=row.timeout_s,
        retry_interval_s=row.retry_interval_s,
        policy=Policy(row.retries + 1, row.recoveries, row.degraded_ms),
        streak=Streak(Status(row.status), candidate, row.streak_count, row.seq),
    )


async def load_configs(session: AsyncSession, check_ids: list[int], sealer: Sealer) -> dict[int, CheckConfig]:
    """The configs of these checks, secrets opened. One that can't be read is an error of ours, told in its result."""
    query = text('SELECT id, team_id, version, kind, config FROM "check" WHERE id = ANY(:ids)')
    rows = await (await session.connection()).execute(query, {"ids": check_ids})
    return {row.id: _typed(row, sealer) for row in rows}


async def release(session: AsyncSession, claims: list[Claim]) -> None:
    """Give back runs that were not made, so that another worker takes them at once."""
    query = text(
        """
        UPDATE check_schedule s SET due_at = s.slot_at, slot_at = NULL
        FROM unnest(CAST(:ids AS int[]), CAST(:runs AS bigint[])) AS v(check_id, run)
        WHERE s.check_id = v.check_id AND s.run = v.run AND s.slot_at IS NOT NULL
        """
    )
    held = {"ids": [claim.check_id for claim in claims], "runs": [claim.run for claim in claims]}
    await (await session.connection()).execute(query, held)


def check_context(team_id: int, check_id: int) -> str:
    """What a check's secrets are sealed for."""
    return f"check:team={team_id}:id={check_id}"


def _typed(row: Any, sealer: Sealer) -> CheckConfig:
    try:
        cls = PROBES[row.kind].config
        config = open_config(cls, row.config, sealer, check_context(row.team_id, row.id))
    except Exception as error:  # one poisoned row must not stop the others
        return CheckConfig(row.version, row.kind, None, f"The check's settings can't be read ({type(error).__name__})")
    return CheckConfig(row.version, row.kind, config)
