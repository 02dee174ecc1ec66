"""The team's activity: one line per thing that happened; those of an incident are its timeline."""

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.db.session import announce
from app.live.bus import Topic
from app.usecases.actor import Actor
from models import Event, Incident
from models.incident import EventKind


@dataclass(frozen=True, slots=True)
class Happening:
    """What to write down. `text` and `data` are as in models.Event; names go into `data`."""

    kind: EventKind
    text: str = ""
    service_id: int | None = None
    incident_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


async def write_event(session: AsyncSession, team_id: int, happening: Happening, actor: Actor | None = None) -> Event:
    """Add the line and announce it.

    The lines of one incident become visible in the order of their ids, so that a reader may ask for those after the
    last one it has seen: their writers wait for each other.
    """
    if happening.incident_id is not None:
        query = select(Incident.id).where(Incident.id == happening.incident_id)
        await session.exec(query.with_for_update(key_share=True))
    event = Event(
        team_id=team_id,
        at=clock.now(),
        kind=happening.kind,
        actor_id=actor.user_id if actor else None,
        service_id=happening.service_id,
        incident_id=happening.incident_id,
        text=happening.text,
        data=happening.data | ({"actor": actor.name} if actor else {}),
    )
    session.add(event)
    await session.flush()
    announce(session, Topic.EVENTS, team_id, id=event.id, incident_id=happening.incident_id)
    return event


async def recent_events(session: AsyncSession, team_id: int, limit: int = 30, after_id: int = 0) -> list[Event]:
    """The team's newest lines, newest first."""
    query = select(Event).where(Event.team_id == team_id, col(Event.id) > after_id)
    return list(await session.exec(query.order_by(col(Event.id).desc()).limit(limit)))


_SENTENCES = {
    EventKind.WENT_DOWN: "{service} went down",
    EventKind.DEGRADED: "{service} is slow",
    EventKind.RECOVERED: "{service} recovered",
    EventKind.DELIVERED: "{channel} notified",
    EventKind.DELIVERY_FAILED: "{channel} could not be notified",
    EventKind.COMMENT: "{actor}: {text}",
    EventKind.ACKNOWLEDGED: "{actor} acknowledged #{number}",
    EventKind.ASSIGNED: "{actor} assigned #{number} to {assignee}",
    EventKind.STATUS_SET: "{actor} set #{number} to {status}",
    EventKind.RESOLVED: "{actor} resolved #{number}",
    EventKind.SERVICE_ADDED: "{actor} added {service}",
    EventKind.SERVICE_EDITED: "{actor} edited {service}",
    EventKind.SERVICE_DELETED: "{actor} deleted {service}",
    EventKind.SERVICE_PAUSED: "{actor} paused {service}",
    EventKind.SERVICE_RESUMED: "{actor} resumed {service}",
    EventKind.CHANNEL_ADDED: "{actor} added the channel {channel}",
    EventKind.CHANNEL_EDITED: "{actor} edited the channel {channel}",
    EventKind.CHANNEL_DELETED: "{actor} deleted the channel {channel}",
}


def sentence(event: Event) -> str:
    """The line in words, for the activity feed and for lists."""
    words = {"actor": "Pulseboard", "service": "A service", "channel": "A channel", "number": "", "status": ""}
    return _SENTENCES[event.kind].format_map(words | {"assignee": "nobody"} | event.data | {"text": event.text})
