"""What the board shows, read from the database: for every team at once, or only for what changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.status import Outcome, Status
from app.domain.uptime import Counts
from app.live.board import POINTS, CheckRow, ServiceRow
from app.usecases.events import recent_events, sentence
from models import CheckState, Event, Incident, Service, Team
from models.incident import EventKind
from models.result import LEVEL_CHARS, Level
from probes import PROBES

_ICONS = {
    EventKind.WENT_DOWN: "down",
    EventKind.DEGRADED: "degraded",
    EventKind.RECOVERED: "up",
    EventKind.DELIVERED: "delivery",
    EventKind.DELIVERY_FAILED: "delivery",
    EventKind.COMMENT: "comment",
    EventKind.ACKNOWLEDGED: "ack",
    EventKind.ASSIGNED: "user",
    EventKind.STATUS_SET: "ack",
    EventKind.RESOLVED: "up",
}

# Read for every result, so as plain rows: entities of the mapper cost several times as much.
_CHECKS = """
    SELECT c.id, c.team_id, c.service_id, c.kind, c.interval_s, c.timeout_s, c.degraded_ms, c.paused, t.status,
        extract(epoch FROM t.since)::float8 AS since, extract(epoch FROM t.last_at)::float8 AS last_at,
        t.last_outcome, t.last_latency_ms, t.last_message
    FROM "check" c JOIN check_state t ON t.check_id = c.id
"""
_CHECKS_BY_ID = text(f"{_CHECKS} WHERE c.id = ANY(:ids)")
_CHECKS_OF_TEAM = text(
    f"{_CHECKS} WHERE c.team_id = :team AND (CAST(:services AS int[]) IS NULL OR c.service_id = ANY(:services)) "
    "ORDER BY c.id"
)

_HISTORY = text(
    """
    SELECT c.check_id, array_agg(r.latency_ms ORDER BY r.at) AS latencies, array_agg(r.level ORDER BY r.at) AS levels
    FROM unnest(CAST(:ids AS int[])) AS c(check_id)
    CROSS JOIN LATERAL (
        SELECT at, latency_ms, level FROM check_result WHERE check_id = c.check_id AND at > now() - interval '7 days'
        ORDER BY at DESC LIMIT :points
    ) r
    GROUP BY c.check_id
    """
)

_UPTIMES = text(
    """
    SELECT c.team_id, c.service_id, sum(h.up) AS up, sum(h.degraded) AS degraded, sum(h.down) AS down
    FROM check_hour h JOIN "check" c ON c.id = h.check_id
    WHERE h.hour > now() - interval '24 hours' GROUP BY c.team_id, c.service_id
    """
)


async def team_ids(session: AsyncSession) -> list[int]:
    return [found for found in await session.exec(select(Team.id).order_by(col(Team.id))) if found is not None]


async def board_services(
    session: AsyncSession, team_id: int, only: list[int] | None = None
) -> list[tuple[ServiceRow, list[CheckRow]]]:
    """The team's services by group and name, each with its checks in their order; `only` limits to these ids."""
    query = select(Service).where(Service.team_id == team_id).order_by(Service.group, Service.name)
    if only is not None:
        query = query.where(col(Service.id).in_(only))
    by_service: dict[int, list[CheckRow]] = {}
    values = {"team": team_id, "services": only}
    for row in await (await session.connection()).execute(_CHECKS_OF_TEAM, values):
        by_service.setdefault(row.service_id, []).append(_check_row(row))
    return [(_service_row(service), by_service.get(service.id or 0, [])) for service in await session.exec(query)]


async def board_checks(session: AsyncSession, check_ids: list[int]) -> list[tuple[int, CheckRow]]:
    """(team id, row) of these checks."""
    rows = await (await session.connection()).execute(_CHECKS_BY_ID, {"ids": check_ids})
    return [(row.team_id, _check_row(row)) for row in rows]


async def changed_checks(session: AsyncSession, since: datetime) -> list[int]:
    """The checks whose state was written after `since`, by the database's clock."""
    query = select(CheckState.check_id).where(col(CheckState.updated_at) > since)
    return list(await session.exec(query))


async def board_history(session: AsyncSession, check_ids: list[int]) -> dict[int, tuple[list[float | None], list[str]]]:
    """The last points of these checks, oldest first: latencies (None unless up) and level characters."""
    rows = await (await session.connection()).execute(_HISTORY, {"ids": check_ids, "points": POINTS})
    return {row.check_id: _points(row.latencies, row.levels) for row in rows}


async def board_uptimes(session: AsyncSession) -> dict[int, dict[int, float | None]]:
    """Team id -> service id -> percent over the last 24 hours, to two decimals."""
    found: dict[int, dict[int, float | None]] = {}
    for row in await (await session.connection()).execute(_UPTIMES):
        uptime = Counts(row.up, row.degraded, row.down).uptime
        found.setdefault(row.team_id, {})[row.service_id] = None if uptime is None else round(uptime, 2)
    return found


async def board_incidents(session: AsyncSession, team_id: int) -> list[dict[str, Any]]:
    """The team's open incidents, worst and oldest first."""
    query = (
        select(Incident)
        .where(Incident.team_id == team_id, col(Incident.resolved_at).is_(None))
        .order_by(col(Incident.severity), col(Incident.opened_at))
    )
    return [_incident(incident) for incident in await session.exec(query)]


async def board_activity(session: AsyncSession, team_id: int, after_id: int = 0) -> list[dict[str, Any]]:
    """The team's newest lines, oldest first."""
    events = await recent_events(session, team_id, limit=POINTS, after_id=after_id)
    numbers = await _incident_numbers(session, [event.incident_id for event in events if event.incident_id])
    return [_activity(event, numbers) for event in reversed(events)]


async def newest_event_id(session: AsyncSession) -> int:
    query = text("SELECT coalesce(max(id), 0) FROM event")
    return int((await (await session.connection()).execute(query)).scalar_one())


async def events_after(session: AsyncSession, after_id: int, limit: int = 1000) -> list[tuple[int, int, int | None]]:
    """(id, team id, service id) of the lines that came after one, oldest first."""
    query = select(Event.id, Event.team_id, Event.service_id).where(col(Event.id) > after_id)
    rows = await session.exec(query.order_by(col(Event.id)).limit(limit))
    return [(found or 0, team_id, service_id) for found, team_id, service_id in rows]


async def database_time(session: AsyncSession) -> datetime:
    now: datetime = (await (await session.connection()).execute(text("SELECT now()"))).scalar_one()
    return now


async def _incident_numbers(session: AsyncSession, ids: list[int]) -> dict[int, int]:
    query = select(Incident.id, Incident.number).where(col(Incident.id).in_(ids))
    return {found: number for found, number in await session.exec(query) if found is not None}


def _service_row(service: Service) -> ServiceRow:
    return ServiceRow(service.id or 0, service.name, service.group, tuple(service.tags))


def _check_row(row: Any) -> CheckRow:
    return CheckRow(
        check_id=row.id,
        service_id=row.service_id,
        label=PROBES[row.kind].title if row.kind in PROBES else row.kind,
        interval_s=row.interval_s,
        timeout_s=row.timeout_s,
        degraded_ms=row.degraded_ms,
        paused=row.paused,
        status=Status(row.status),
        since=row.since,
        last_at=row.last_at,
        latency_ms=row.last_latency_ms,
        level=_level(row),
        message=row.last_message or "",
    )


def _level(row: Any) -> str:
    if row.last_outcome is None:
        return ""
    if row.last_outcome == Outcome.UNKNOWN:
        return LEVEL_CHARS[Level.UNKNOWN]
    if row.last_outcome == Outcome.DOWN:
        return LEVEL_CHARS[Level.DOWN]
    slow = row.degraded_ms is not None and (row.last_latency_ms or 0) > row.degraded_ms
    return LEVEL_CHARS[Level.DEGRADED if slow else Level.UP]


def _points(latencies: list[float | None], levels: list[int]) -> tuple[list[float | None], list[str]]:
    up = {Level.UP, Level.DEGRADED}
    shown = [latency if level in up else None for latency, level in zip(latencies, levels, strict=True)]
    return shown, [LEVEL_CHARS[Level(level)] for level in levels]


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity.value,
        "status": incident.status.value,
        "opened_at": incident.opened_at.timestamp(),
        "service_id": incident.service_id,
        "viewers": [],
    }


def _activity(event: Event, numbers: dict[int, int]) -> dict[str, Any]:
    href = ""
    if event.incident_id in numbers:
        href = f"/incidents/{numbers[event.incident_id]}"
    elif event.service_id and event.kind is not EventKind.SERVICE_DELETED:
        href = f"/services/{event.service_id}"
    return {
        "id": event.id,
        "at": event.at.timestamp(),
        "icon": _ICONS.get(event.kind, "settings"),
        "text": sentence(event),
        "href": href,
    }
