"""Incidents: how people read them and work on them together.

Each change names the version that was seen; when somebody was first, Conflict says so and nothing is changed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.text import clean
from app.db.session import announce
from app.domain.access import Permission, Role, may
from app.domain.incident import IncidentStatus
from app.live.bus import Topic
from app.usecases.actor import Actor
from app.usecases.events import Happening, write_event
from models import Event, Incident, Membership, Service, Transition, User
from models.incident import EventKind

MAX_COMMENT = 10_000
PAGE = 100
UNRESOLVED = (IncidentStatus.OPEN, IncidentStatus.INVESTIGATING)


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident with the names that people read beside it."""

    incident: Incident
    service: str
    group: str
    owner: User | None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the timeline; `author` None when the system wrote it."""

    event: Event
    author: User | None


async def list_incidents(
    session: AsyncSession,
    actor: Actor,
    statuses: Collection[IncidentStatus] = (),
    service_id: int | None = None,
    before: int | None = None,
) -> list[IncidentView]:
    """The team's incidents, newest first, at most 100; `before` is the number of the last one seen.

    No `statuses` mean any.
    """
    actor.require(Permission.VIEW)
    query = _views().where(Incident.team_id == actor.team_id).order_by(col(Incident.number).desc()).limit(PAGE)
    if statuses:
        query = query.where(col(Incident.status).in_(statuses))
    if service_id is not None:
        query = query.where(Incident.service_id == service_id)
    if before is not None:
        query = query.where(col(Incident.number) < before)
    return [IncidentView(*row) for row in await session.exec(query)]


async def get_incident(session: AsyncSession, actor: Actor, number: int) -> IncidentView:
    """The team's incident with this number; raises NotFound."""
    actor.require(Permission.VIEW)
    query = _views().where(Incident.team_id == actor.team_id, Incident.number == number)
    row = (await session.exec(query)).first()
    if row is None:
        raise NotFound(f"There is no incident #{number} in this team.")
    return IncidentView(*row)


async def timeline(session: AsyncSession, actor: Actor, number: int, after_id: int = 0) -> list[TimelineEntry]:
    """The incident's lines after the event `after_id`, oldest first."""
    view = await get_incident(session, actor, number)
    query = (
        select(Event, User)
        .join(User, col(User.id) == Event.actor_id, isouter=True)
        .where(Event.team_id == actor.team_id, Event.incident_id == view.incident.id, col(Event.id) > after_id)
        .order_by(col(Event.id))
    )
    return [TimelineEntry(event, author) for event, author in await session.exec(query)]


async def opening_evidence(session: AsyncSession, actor: Actor, number: int) -> dict[str, Any]:
    """What the result showed that opened the incident: see `transitions.evidence`; empty when it is gone."""
    incident = (await get_incident(session, actor, number)).incident
    query = (
        select(Transition.evidence)
        .where(Transition.check_id == incident.check_id, Transition.team_id == actor.team_id)
        .where(col(Transition.at) >= incident.opened_at)
        .order_by(col(Transition.at))
    )
    return dict((await session.exec(query)).first() or {})


async def comment(session: AsyncSession, actor: Actor, number: int, text: str) -> Event:
    """Add a comment; raises Invalid when it is empty or longer than 10,000 characters."""
    view = await get_incident(session, actor, number)
    actor.require(Permission.COMMENT)
    words = clean(text).strip()
    if not words:
        raise Invalid({"text": "Write something first."})
    if len(words) > MAX_COMMENT:
        raise Invalid({"text": f"A comment has at most {MAX_COMMENT:,} characters; this one has {len(words):,}."})
    return await write_event(session, actor.team_id, _happening(view, EventKind.COMMENT, words), actor)


async def acknowledge(session: AsyncSession, actor: Actor, number: int, version: int | None = None) -> Incident:
    """Take the incident on: it is being investigated, and owned by the actor if nobody owns it."""
    view = await get_incident(session, actor, number)
    actor.require(Permission.ACKNOWLEDGE)
    incident = view.incident
    if incident.acknowledged_at is not None:
        raise Conflict(f"#{number} is acknowledged already.")
    values = {
        "acknowledged_at": clock.now(),
        "status": IncidentStatus.INVESTIGATING,
        "owner_id": incident.owner_id or actor.user_id,
    }
    changed = await _change(session, incident, version, values)
    await write_event(session, actor.team_id, _happening(view, EventKind.ACKNOWLEDGED), actor)
    return changed


async def assign(
    session: AsyncSession, actor: Actor, number: int, owner_id: int | None, version: int | None = None
) -> Incident:
    """Give the incident to a member of the team, or to nobody."""
    view = await get_incident(session, actor, number)
    actor.require(Permission.ACKNOWLEDGE)
    owner = await _member(session, actor.team_id, owner_id) if owner_id is not None else None
    changed = await _change(session, view.incident, version, {"owner_id": owner_id})
    data = {"assignee": owner.name if owner else "nobody"}
    await write_event(session, actor.team_id, _happening(view, EventKind.ASSIGNED, data=data), actor)
    return changed


async def set_status(
    session: AsyncSession, actor: Actor, number: int, status: IncidentStatus, version: int | None = None
) -> Incident:
    """Set the status; resolving needs its own permission and is for good."""
    view = await get_incident(session, actor, number)
    resolves = status is IncidentStatus.RESOLVED
    actor.require(Permission.RESOLVE if resolves else Permission.ACKNOWLEDGE)
    if view.incident.status is status:
        raise Conflict(f"#{number} is {status.value} already.")
    values: dict[str, Any] = {"status": status}
    if resolves:
        values["resolved_at"] = clock.now()
    elif view.incident.acknowledged_at is None:
        values["acknowledged_at"] = clock.now()
    changed = await _change(session, view.incident, version, values)
    kind = EventKind.RESOLVED if resolves else EventKind.STATUS_SET
    await write_event(session, actor.team_id, _happening(view, kind, data={"status": status.value}), actor)
    return changed


async def assignable(session: AsyncSession, actor: Actor) -> Sequence[User]:
    """The members of the team who may own an incident, by name."""
    actor.require(Permission.VIEW)
    query = (
        select(User, Membership.role)
        .join(Membership, col(Membership.user_id) == User.id)
        .where(Membership.team_id == actor.team_id, col(User.disabled_at).is_(None))
        .order_by(User.name)
    )
    return [user for user, role in await session.exec(query) if may(Role(role), Permission.ACKNOWLEDGE)]


def _views() -> Any:
    return (
        select(Incident, Service.name, Service.group, User)
        .join(Service, col(Service.id) == Incident.service_id)
        .join(User, col(User.id) == Incident.owner_id, isouter=True)
    )


def _happening(view: IncidentView, kind: EventKind, text: str = "", data: dict[str, Any] | None = None) -> Happening:
    incident = view.incident
    words = {"number": incident.number, "service": view.service} | (data or {})
    return Happening(kind, text, service_id=incident.service_id, incident_id=incident.id, data=words)


async def _change(session: AsyncSession, incident: Incident, version: int | None, values: dict[str, Any]) -> Incident:
    """Compare and set; a resolved incident stays as it is."""
    seen = incident.version if version is None else version
    query = (
        update(Incident)
        .where(col(Incident.id) == incident.id, col(Incident.version) == seen, col(Incident.resolved_at).is_(None))
        .values(version=seen + 1, **values)
    )
    if (await session.exec(query)).rowcount != 1:
        await session.refresh(incident)
        what = "is resolved already" if incident.resolved_at else "was changed by somebody else just now"
        raise Conflict(f"#{incident.number} {what}.")
    await session.refresh(incident)
    announce(session, Topic.INCIDENTS, incident.team_id, ids=[incident.id])
    return incident


async def _member(session: AsyncSession, team_id: int, user_id: int) -> User:
    query = (
        select(User, Membership.role)
        .join(Membership, col(Membership.user_id) == User.id)
        .where(Membership.team_id == team_id, User.id == user_id, col(User.disabled_at).is_(None))
    )
    row = (await session.exec(query)).first()
    if row is None:
        raise NotFound("There is no such member in this team.")
    if not may(Role(row[1]), Permission.ACKNOWLEDGE):
        raise Forbidden(f"{row[0].name} may not work on incidents.")
    return row[0]
