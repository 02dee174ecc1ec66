"""All of an incident's page, and how it follows the state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import NotFound
from app.live.bus import BusMessage, Topic
from app.usecases import incidents
from app.usecases.actor import Actor
from app.usecases.incidents import IncidentView, TimelineEntry
from models import User
from pages import live, presence
from pages import session as page_session
from pages.components.incident_evidence import FailureChart, failing_check
from pages.components.incident_head import IncidentHead
from pages.components.parts import Text
from pages.components.service_body import Follower
from pages.components.thread import Thread


@dataclass(frozen=True, slots=True)
class Opened:
    """What is read before the page is drawn. `members` may own the incident; `evidence` is what opened it."""

    view: IncidentView
    lines: Sequence[TimelineEntry]
    members: Sequence[User]
    evidence: Mapping[str, Any]


async def read_incident(session: AsyncSession, actor: Actor, number: int) -> Opened:
    """Raises NotFound."""
    return Opened(
        view=await incidents.get_incident(session, actor, number),
        lines=await incidents.timeline(session, actor, number),
        members=await incidents.assignable(session, actor),
        evidence=await incidents.opening_evidence(session, actor, number),
    )


class IncidentBody:
    """Draws it in the present slot; `start` loads the chart and keeps all of it live until the page ends."""

    def __init__(self, opened: Opened) -> None:
        self._view = opened.view
        with ui.element("div") as self._box:
            with ui.element("nav").classes("crumbs").props('aria-label="Where this is"'):
                Text("Incidents", "a").props["href"] = "/incidents"
                Text("/")
            self._head = IncidentHead(opened.view, opened.members)
            with ui.element("div").classes("split wide-side incident-split"):
                self._thread = Thread(opened.view, opened.lines)
                with ui.element("div").classes("stack"):
                    self._chart = FailureChart(opened.view.incident)
                    failing_check(opened.evidence)

    def start(self) -> None:
        actor, client = page_session.actor(), ui.context.client
        self._thread.follow()
        presence.stay(actor, self._view.incident.id or 0, self._head.show_people)
        client.on_connect(self._load)
        follower = Follower(self._follow)

        async def told(message: BusMessage) -> None:
            if client.has_socket_connection and self._concerns(message):
                await follower.note(message.topic)

        for topic in (Topic.INCIDENTS, Topic.CHECKS, Topic.SERVICES):
            live.listen(topic, actor.team_id, told)

    def _concerns(self, message: BusMessage) -> bool:
        incident = self._view.incident
        if message.topic is Topic.RESYNC:
            return True
        if message.topic is Topic.CHECKS and self._chart.is_over:
            return False
        of = {Topic.INCIDENTS: incident.id, Topic.CHECKS: incident.check_id, Topic.SERVICES: incident.service_id}
        return of[message.topic] in message.data["ids"]

    async def _load(self) -> None:
        await self._follow({Topic.RESYNC})

    async def _follow(self, topics: set[Topic]) -> None:
        actor = page_session.actor()
        try:
            if topics != {Topic.CHECKS}:
                async with page_session.transaction() as session:
                    self._view = await incidents.get_incident(session, actor, self._view.incident.number)
                self._head.show(self._view)
            await self._chart.load(self._view.incident)
        except NotFound:
            self._show_gone()

    def _show_gone(self) -> None:
        self._box.clear()
        with self._box, ui.element("div").classes("empty"):
            Text("This incident is gone", "h2")
            Text("It was deleted together with its service or its check.", "p")
            Text("All incidents", "a").classes("btn primary").props["href"] = "/incidents"
