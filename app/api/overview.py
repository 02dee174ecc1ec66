"""The team at a glance, as the overview page shows it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api.deps import Ctx, CurrentActor, Session
from app.domain.access import Permission
from app.usecases.events import recent_events, sentence

router = APIRouter(tags=["overview"])


class OverviewPublic(BaseModel):
    """Numbers of services by status, and the mean of their 24 h uptimes in percent."""

    counts: dict[str, int]
    uptime: float | None
    open_incidents: list[dict[str, Any]]


class ActivityPublic(BaseModel):
    """One line of the team's activity."""

    id: int
    at: datetime
    kind: str
    sentence: str
    service_id: int | None
    incident_id: int | None


@router.get("/overview")
async def overview(context: Ctx, actor: CurrentActor) -> OverviewPublic:
    """The latest state as this process knows it, at most two seconds old."""
    actor.require(Permission.VIEW)
    board = context.boards.get(actor.team_id)
    if board is None:
        return OverviewPublic(counts={}, uptime=None, open_incidents=[])
    return OverviewPublic(counts=board.counts(), uptime=board.uptime(), open_incidents=board.incidents)


@router.get("/activity")
async def activity(
    session: Session,
    actor: CurrentActor,
    limit: Annotated[int, Query(ge=1, le=200)] = 30,
    after: Annotated[int, Query(ge=0, description="The id of the newest line seen.")] = 0,
) -> list[ActivityPublic]:
    """The newest lines, newest first."""
    actor.require(Permission.VIEW)
    events = await recent_events(session, actor.team_id, limit, after)
    return [
        ActivityPublic(
            id=event.id or 0,
            at=event.at,
            kind=event.kind.value,
            sentence=sentence(event),
            service_id=event.service_id,
            incident_id=event.incident_id,
        )
        for event in events
    ]
