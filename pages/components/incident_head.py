"""The top of an incident's page: how it is, who is here, and what can be done."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.palette import SEVERITY_STATUS, STATUS_LOOKS
from app.domain.access import Permission
from app.domain.incident import IncidentStatus
from app.live.presence import Viewer
from app.usecases import incidents
from app.usecases.actor import Actor
from app.usecases.incidents import IncidentView
from models import User
from pages import session as page_session
from pages.components.avatars import person_of
from pages.components.refusal import refusals

Change = Callable[[AsyncSession, Actor], Awaitable[object]]


class IncidentHead(ui.element, component="incident_head.js"):
    """`show` brings it in line with the database; whatever people ask for names the version that they saw."""

    def __init__(self, view: IncidentView, members: Sequence[User]) -> None:
        super().__init__()
        actor = page_session.actor()
        self._number = view.incident.number
        self._props["me"] = person_of(actor)
        self._props["people"] = ()
        self._props["members"] = tuple(person_of(member) for member in members)
        self._props["may-work"] = actor.may(Permission.ACKNOWLEDGE)
        self._props["may-resolve"] = actor.may(Permission.RESOLVE)
        self._props["incident"] = row_of(view)
        self.on("acknowledge", self._acknowledge)
        self.on("assign", self._assign)
        self.on("status", self._set_status)

    def show(self, view: IncidentView) -> None:
        self.props["incident"] = row_of(view)

    def show_people(self, people: Sequence[Viewer]) -> None:
        self.props["people"] = tuple(person_of(viewer) for viewer in people)

    async def _acknowledge(self, event: GenericEventArguments) -> None:
        version = event.args["version"]
        await self._change(lambda session, actor: incidents.acknowledge(session, actor, self._number, version))

    async def _assign(self, event: GenericEventArguments) -> None:
        version, owner = event.args["version"], event.args["owner"]
        await self._change(lambda session, actor: incidents.assign(session, actor, self._number, owner, version))

    async def _set_status(self, event: GenericEventArguments) -> None:
        version, status = event.args["version"], IncidentStatus(event.args["status"])
        await self._change(lambda session, actor: incidents.set_status(session, actor, self._number, status, version))

    async def _change(self, change: Change) -> None:
        """Do it; either way the page then shows what is true."""
        actor = page_session.actor()
        try:
            with refusals():
                async with page_session.transaction() as session:
                    await change(session, actor)
            async with page_session.transaction() as session:
                self.show(await incidents.get_incident(session, actor, self._number))
        finally:
            self.run_method("settle")


def row_of(view: IncidentView) -> dict[str, Any]:
    """Plain values for the browser; times in seconds since the epoch."""
    incident = view.incident
    look = STATUS_LOOKS[SEVERITY_STATUS[incident.severity.value]]
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity.value.capitalize(),
        "symbol": look.symbol,
        "token": look.token,
        "status": incident.status.value,
        "version": incident.version,
        "opened_at": incident.opened_at.timestamp(),
        "acknowledged_at": incident.acknowledged_at.timestamp() if incident.acknowledged_at else None,
        "resolved_at": incident.resolved_at.timestamp() if incident.resolved_at else None,
        "owner": person_of(view.owner) if view.owner else None,
        "service_id": incident.service_id,
        "service": view.service,
        "group": view.group,
    }
