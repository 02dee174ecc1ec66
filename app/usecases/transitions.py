"""What a confirmed change of status implies: transition, incident, timeline and the deliveries owed. All or nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.text import clean_json
from app.db.jobs import DELIVERIES, defer
from app.db.session import announce
from app.domain.incident import SEVERITY, Announcement, IncidentStatus, MessageKind, Spell, Step, effect
from app.domain.status import Change, Status
from app.live.bus import Topic
from app.usecases.events import Happening, write_event
from models import Channel, CheckState, Delivery, Incident, Service, Team, Transition
from models.incident import EventKind
from probes.base import ProbeResult

DELIVER_TASK = "deliver"

_EVENTS = {
    Status.DOWN: EventKind.WENT_DOWN,
    Status.DEGRADED: EventKind.DEGRADED,
    Status.UP: EventKind.RECOVERED,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A change with the result that decided it. `message` is the result's, fit for the database; `service` its name."""

    team_id: int
    check_id: int
    service_id: int
    change: Change
    at: datetime
    result: ProbeResult
    message: str
    service: str = ""


async def apply_change(session: AsyncSession, judged: Judged) -> None:
    """Write down the transition and bring its incident, its timeline and its deliveries in line."""
    judged = replace(judged, service=await _service_name(session, judged.service_id))
    present = await _present_incident(session, judged.check_id)
    implied = effect(judged.change, _spell(present))
    _add_transition(session, judged, implied.announcement)
    if implied.step is Step.OPEN:
        incident: Incident | None = await _open(session, judged)
    else:
        incident = await _bring_in_line(session, judged, implied.step, present)
    await _write_timeline(session, judged, incident)
    if incident is not None and implied.announcement.message is not None:
        await _owe_deliveries(session, judged, incident, implied.announcement)


def delivery_key(incident_id: int, seq: int, channel_id: int) -> str:
    """The idempotency key of one message: the same over every retry and every process."""
    return hashlib.sha256(f"{incident_id}|{seq}|{channel_id}".encode()).hexdigest()


def _add_transition(session: AsyncSession, judged: Judged, announcement: Announcement) -> None:
    change = judged.change
    session.add(
        Transition(
            team_id=judged.team_id,
            check_id=judged.check_id,
            seq=change.seq,
            before=change.before,
            after=change.after,
            at=judged.at,
            reason=announcement.value,
            evidence=evidence(judged.result, judged.message),
        )
    )


def evidence(result: ProbeResult, message: str) -> dict[str, Any]:
    """What is kept of a result that changed a status; times in milliseconds."""
    phases = result.phases
    return {
        "outcome": result.outcome.value,
        "cause": result.cause,
        "message": message,
        "code": result.code,
        "latency_ms": result.latency_ms,
        "phases": {
            "dns": phases.dns,
            "connect": phases.connect,
            "tls": phases.tls,
            "first_byte": phases.first_byte,
            "download": phases.download,
        },
        "facts": clean_json(dict(result.facts)),
    }


async def _present_incident(session: AsyncSession, check_id: int) -> Incident | None:
    """The incident that the check's present trouble is told under, resolved by hand or not."""
    query = (
        select(Incident)
        .join(CheckState, col(CheckState.incident_id) == Incident.id)
        .where(CheckState.check_id == check_id)
    )
    return (await session.exec(query.with_for_update(of=Incident))).first()


def _spell(incident: Incident | None) -> Spell:
    if incident is None:
        return Spell.NONE
    return Spell.OPEN if incident.resolved_at is None else Spell.CLOSED_BY_HAND


async def _bring_in_line(
    session: AsyncSession, judged: Judged, step: Step, incident: Incident | None
) -> Incident | None:
    """Change or resolve the incident of this spell of trouble, and return it."""
    if judged.change.after is Status.UP:
        await _remember(session, judged.check_id, None)
    if incident is None or step is Step.NONE:
        return incident
    if step is Step.RESOLVE:
        incident.status = IncidentStatus.RESOLVED
        incident.resolved_at = judged.at
    else:
        # The title says how it is now, the severity how bad it was at its worst.
        incident.title = _title(judged)
        if step is Step.ESCALATE:
            incident.severity = SEVERITY[Status.DOWN]
    incident.version += 1
    await session.flush()
    announce(session, Topic.INCIDENTS, judged.team_id, ids=[incident.id])
    return incident


async def _open(session: AsyncSession, judged: Judged) -> Incident:
    incident = Incident(
        team_id=judged.team_id,
        number=await _next_number(session, judged.team_id),
        service_id=judged.service_id,
        check_id=judged.check_id,
        title=_title(judged),
        severity=SEVERITY[judged.change.after],
        opened_at=judged.at,
    )
    session.add(incident)
    await session.flush()
    await _remember(session, judged.check_id, incident.id)
    announce(session, Topic.INCIDENTS, judged.team_id, ids=[incident.id])
    return incident


async def _remember(session: AsyncSession, check_id: int, incident_id: int | None) -> None:
    await session.exec(update(CheckState).where(col(CheckState.check_id) == check_id).values(incident_id=incident_id))


async def _next_number(session: AsyncSession, team_id: int) -> int:
    query = (
        update(Team)
        .where(col(Team.id) == team_id)
        .values(last_incident=Team.last_incident + 1)
        .returning(col(Team.last_incident))
    )
    return int((await session.exec(query)).scalar_one())


async def _service_name(session: AsyncSession, service_id: int) -> str:
    return (await session.exec(select(Service.name).where(Service.id == service_id))).one()


def _title(judged: Judged) -> str:
    if judged.change.after is Status.DOWN:
        return f"{judged.service} is down" + (f": {judged.message}" if judged.message else "")
    return f"{judged.service} is slow: {judged.result.latency_ms or 0:,.0f} ms"


async def _write_timeline(session: AsyncSession, judged: Judged, incident: Incident | None) -> None:
    change = judged.change
    if change.before is Status.PENDING and change.after is Status.UP:
        return
    data = {
        "service": judged.service,
        "before": change.before.value,
        "after": change.after.value,
        "message": judged.message,
        "latency_ms": judged.result.latency_ms,
        "code": judged.result.code,
        "number": incident.number if incident else None,
    }
    happening = Happening(
        _EVENTS[change.after], service_id=judged.service_id, incident_id=incident.id if incident else None, data=data
    )
    await write_event(session, judged.team_id, happening)


async def _owe_deliveries(
    session: AsyncSession, judged: Judged, incident: Incident, announcement: Announcement
) -> None:
    kind = announcement.message
    assert kind is not None and incident.id is not None  # noqa: S101, PT018  the caller asked
    for channel_id in await _told(session, judged.team_id, incident.id, kind):
        delivery = Delivery(
            team_id=judged.team_id,
            incident_id=incident.id,
            channel_id=channel_id,
            seq=judged.change.seq,
            kind=kind,
            key=delivery_key(incident.id, judged.change.seq, channel_id),
            reason=announcement.value,
            message=_message(judged, incident),
            created_at=clock.now(),
        )
        session.add(delivery)
        await session.flush()
        lock = f"delivery:{incident.id}:{channel_id}"
        await defer(session, DELIVER_TASK, queue=DELIVERIES, lock=lock, delivery_id=delivery.id)


async def _told(session: AsyncSession, team_id: int, incident_id: int, kind: MessageKind) -> Sequence[int]:
    """Whom a message is owed: of a failure every channel that is on, of its end those that were told of it."""
    if kind is MessageKind.DOWN:
        channels = select(Channel.id).where(Channel.team_id == team_id, col(Channel.enabled))
        return [found for found in await session.exec(channels.order_by(col(Channel.id))) if found is not None]
    told = text("SELECT DISTINCT channel_id FROM delivery WHERE incident_id = :incident AND kind = 'down' ORDER BY 1")
    return list((await (await session.connection()).execute(told, {"incident": incident_id})).scalars())


def _message(judged: Judged, incident: Incident) -> dict[str, Any]:
    """The words of the message, fixed when it is owed, so that every retry says the same."""
    ended = judged.change.after is not Status.DOWN
    ending = "answers again, but slowly" if judged.change.after is Status.DEGRADED else "recovered"
    return {
        "service": judged.service,
        "status": judged.change.after.value,
        "title": f"{judged.service} {ending}" if ended else f"{judged.service} is down",
        "detail": judged.message,
        "incident_number": incident.number,
        "severity": incident.severity.value,
        "at": judged.at.isoformat(),
        "since": incident.opened_at.isoformat(),
        "duration_s": (judged.at - incident.opened_at).total_seconds() if ended else None,
    }
