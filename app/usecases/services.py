"""Services: what people add, edit, pause and delete."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.crypto import Sealer
from app.core.errors import Conflict, Invalid, NotFound
from app.core.text import clean
from app.db.session import announce
from app.domain.access import Permission
from app.live.bus import Topic
from app.usecases import checks
from app.usecases.actor import Actor
from app.usecases.events import Happening, write_event
from app.usecases.validation import is_id, validated
from models import Check, Event, Incident, Service
from models.incident import EventKind
from models.service import ServiceBase, ServiceCreate, ServiceUpdate

_CHANGED = "Somebody changed {} meanwhile. Reload to see it, then save again."


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes with a service when it is deleted."""

    name: str
    checks: int
    incidents: int
    comments: int

    def __str__(self) -> str:
        things = (("check", self.checks), ("incident", self.incidents), ("comment", self.comments))
        *first, last = ["its history", *(_count(number, word) for word, number in things if number)]
        return f"{self.name} with {', '.join(first)}{' and ' if first else ''}{last}"


async def list_services(session: AsyncSession, actor: Actor) -> list[Service]:
    actor.require(Permission.VIEW)
    query = select(Service).where(Service.team_id == actor.team_id).order_by(Service.group, Service.name)
    return list(await session.exec(query))


async def get_service(session: AsyncSession, actor: Actor, service_id: int) -> Service:
    """The service; raises NotFound, also for another team's."""
    actor.require(Permission.VIEW)
    query = select(Service).where(Service.team_id == actor.team_id, Service.id == service_id)
    service = (await session.exec(query)).first() if is_id(service_id) else None
    if service is None:
        raise NotFound("There is no such service in this team.")
    return service


async def add_service(
    session: AsyncSession, actor: Actor, values: dict[str, Any], check: dict[str, Any] | None, sealer: Sealer
) -> Service:
    """Add a service and, if given, its first check; raises Invalid with the fields to mend."""
    actor.require(Permission.MANAGE_SERVICES)
    service = Service(**_columns(validated(ServiceCreate, values)), team_id=actor.team_id, created_at=clock.now())
    async with _name_is_free(session):
        session.add(service)
        await session.flush()
    assert service.id is not None  # noqa: S101  it was just flushed
    if check is not None:
        await checks.add_check(session, actor, service.id, check, sealer)
    await _tell(session, actor, service, EventKind.SERVICE_ADDED)
    return service


async def edit_service(session: AsyncSession, actor: Actor, service_id: int, values: dict[str, Any]) -> Service:
    """Replace name, group and tags; raises Conflict when somebody saved another version meanwhile."""
    service = await get_service(session, actor, service_id)
    actor.require(Permission.MANAGE_SERVICES)
    form = validated(ServiceUpdate, values)
    if form.version is not None and form.version != service.version:
        raise Conflict(_CHANGED.format(service.name))
    seen = (col(Service.id) == service_id, col(Service.version) == service.version)
    async with _name_is_free(session):
        columns = _columns(form) | {"version": service.version + 1}
        changed = await session.exec(update(Service).where(*seen).values(**columns))
    if changed.rowcount != 1:
        raise Conflict(_CHANGED.format(service.name))
    await session.refresh(service)
    await _tell(session, actor, service, EventKind.SERVICE_EDITED)
    return service


async def pause_service(session: AsyncSession, actor: Actor, service_id: int, paused: bool) -> Service:
    """Pause or resume every check of the service."""
    service = await get_service(session, actor, service_id)
    actor.require(Permission.MANAGE_SERVICES)
    for check in await checks.checks_of(session, actor, service_id):
        await checks.set_paused(session, actor, check, paused)
    await _tell(session, actor, service, EventKind.SERVICE_PAUSED if paused else EventKind.SERVICE_RESUMED)
    return service


async def check_service_now(session: AsyncSession, actor: Actor, service_id: int) -> int:
    """Make every check of the service due at once; returns how many."""
    await get_service(session, actor, service_id)
    actor.require(Permission.CHECK_NOW)
    found = await checks.checks_of(session, actor, service_id)
    announce(session, Topic.SERVICES, actor.team_id, ids=[service_id])
    return await checks.make_due(session, actor, [check.id for check in found])


async def loss_of(session: AsyncSession, actor: Actor, service_id: int) -> Loss:
    """What deleting the service would lose."""
    service = await get_service(session, actor, service_id)
    comments = select(func.count()).select_from(Event).join(Incident, col(Incident.id) == Event.incident_id)
    return Loss(
        name=service.name,
        checks=await _number(session, select(func.count()).select_from(Check).where(Check.service_id == service_id)),
        incidents=await _number(
            session, select(func.count()).select_from(Incident).where(Incident.service_id == service_id)
        ),
        comments=await _number(
            session, comments.where(Incident.service_id == service_id, col(Event.kind) == EventKind.COMMENT)
        ),
    )


async def delete_service(session: AsyncSession, actor: Actor, service_id: int) -> None:
    """Delete the service with its checks, incidents and comments. Nothing is sent about it afterwards."""
    service = await get_service(session, actor, service_id)
    actor.require(Permission.MANAGE_SERVICES)
    await session.exec(delete(Service).where(col(Service.id) == service_id))
    await _tell(session, actor, service, EventKind.SERVICE_DELETED)


async def _number(session: AsyncSession, query: Any) -> int:
    return int((await session.exec(query)).one())


@asynccontextmanager
async def _name_is_free(session: AsyncSession) -> AsyncIterator[None]:
    """A name that the team has already is the form's error, not a crash."""
    try:
        async with session.begin_nested():
            yield
    except IntegrityError:
        raise Invalid({"name": "The team already has a service with this name. Choose another."}) from None


async def _tell(session: AsyncSession, actor: Actor, service: Service, kind: EventKind) -> None:
    gone = kind is EventKind.SERVICE_DELETED
    happening = Happening(kind, service_id=None if gone else service.id, data={"service": service.name})
    await write_event(session, actor.team_id, happening, actor)
    announce(session, Topic.SERVICES, actor.team_id, ids=[service.id])
    if gone:
        announce(session, Topic.INCIDENTS, actor.team_id, ids=[])


def _columns(form: ServiceBase) -> dict[str, Any]:
    """What is stored of a form: texts that are fit for it, each tag once, in the order given."""
    name = clean(form.name).strip()
    if not name:
        raise Invalid({"name": "Fill this in."})
    tags = [clean(tag).strip() for tag in form.tags]
    return {"name": name, "group": clean(form.group).strip(), "tags": list(dict.fromkeys(filter(None, tags)))}


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
