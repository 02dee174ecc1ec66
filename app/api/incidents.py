"""Incidents and their threads."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.deps import CurrentActor, Session
from app.domain.incident import IncidentStatus, Severity
from app.usecases import incidents
from app.usecases.events import sentence
from app.usecases.incidents import IncidentView, TimelineEntry
from models import Incident

router = APIRouter(tags=["incidents"])


class PersonPublic(BaseModel):
    id: int
    name: str


class IncidentPublic(BaseModel):
    """An incident; `version` goes with the next change to it."""

    number: int
    title: str
    service_id: int
    service: str
    check_id: int
    severity: Severity
    status: IncidentStatus
    opened_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    owner: PersonPublic | None
    version: int

    @classmethod
    def of(cls, view: IncidentView) -> "IncidentPublic":
        owner = PersonPublic(id=view.owner.id, name=view.owner.name) if view.owner and view.owner.id else None
        return cls(**view.incident.model_dump(), service=view.service, owner=owner)


class LinePublic(BaseModel):
    """One line of the timeline; `sentence` is the whole of it in words."""

    id: int
    at: datetime
    kind: str
    author: PersonPublic | None
    text: str
    sentence: str
    data: dict[str, Any]

    @classmethod
    def of(cls, entry: TimelineEntry) -> "LinePublic":
        author = PersonPublic(id=entry.author.id, name=entry.author.name) if entry.author and entry.author.id else None
        event = entry.event
        return cls(
            id=event.id or 0,
            at=event.at,
            kind=event.kind.value,
            author=author,
            text=event.text,
            sentence=sentence(event),
            data=event.data,
        )


class CommentForm(BaseModel):
    text: str = Field(max_length=incidents.MAX_COMMENT * 4)


class Seen(BaseModel):
    """The version that was seen; null changes whatever is there."""

    version: int | None = None


class AssignForm(Seen):
    """`owner_id` null means nobody."""

    owner_id: int | None


class StatusForm(Seen):
    status: IncidentStatus


class Changed(BaseModel):
    """The incident's new version."""

    number: int
    status: IncidentStatus
    version: int

    @classmethod
    def of(cls, incident: Incident) -> "Changed":
        return cls(number=incident.number, status=incident.status, version=incident.version)


@router.get("/incidents")
async def list_incidents(
    session: Session,
    actor: CurrentActor,
    status: Annotated[list[IncidentStatus] | None, Query(description="Several may be given; none means any.")] = None,
    service_id: int | None = None,
    before: Annotated[int | None, Query(description="The number of the last incident seen.")] = None,
) -> list[IncidentPublic]:
    """The newest 100, newest first."""
    found = await incidents.list_incidents(session, actor, status or (), service_id, before)
    return [IncidentPublic.of(view) for view in found]


@router.get("/incidents/{number}")
async def get_incident(number: int, session: Session, actor: CurrentActor) -> IncidentPublic:
    return IncidentPublic.of(await incidents.get_incident(session, actor, number))


@router.get("/incidents/{number}/timeline")
async def timeline(number: int, session: Session, actor: CurrentActor, after: int = 0) -> list[LinePublic]:
    """The lines after the one with the id `after`, oldest first."""
    return [LinePublic.of(entry) for entry in await incidents.timeline(session, actor, number, after)]


@router.get("/incidents/{number}/evidence")
async def evidence(number: int, session: Session, actor: CurrentActor) -> dict[str, Any]:
    """What the check saw when the incident opened."""
    return await incidents.opening_evidence(session, actor, number)


@router.post("/incidents/{number}/comments", status_code=201)
async def comment(number: int, form: CommentForm, session: Session, actor: CurrentActor) -> dict[str, int]:
    event = await incidents.comment(session, actor, number, form.text)
    return {"id": event.id or 0}


@router.post("/incidents/{number}/acknowledge")
async def acknowledge(number: int, form: Seen, session: Session, actor: CurrentActor) -> Changed:
    return Changed.of(await incidents.acknowledge(session, actor, number, form.version))


@router.post("/incidents/{number}/assign")
async def assign(number: int, form: AssignForm, session: Session, actor: CurrentActor) -> Changed:
    return Changed.of(await incidents.assign(session, actor, number, form.owner_id, form.version))


@router.post("/incidents/{number}/status")
async def set_status(number: int, form: StatusForm, session: Session, actor: CurrentActor) -> Changed:
    """Set the status; resolved is for good."""
    return Changed.of(await incidents.set_status(session, actor, number, form.status, form.version))


@router.get("/members")
async def assignable(session: Session, actor: CurrentActor) -> list[PersonPublic]:
    """The members of the team who may own an incident."""
    return [PersonPublic(id=user.id or 0, name=user.name) for user in await incidents.assignable(session, actor)]
