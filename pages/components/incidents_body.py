"""The list of incidents with its filters, kept live."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from nicegui import ui
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.incident import IncidentStatus
from app.live.bus import BusMessage, Topic
from app.usecases import incidents, services
from app.usecases.actor import Actor
from app.usecases.incidents import PAGE, UNRESOLVED, IncidentView
from models import Service
from pages import live
from pages import session as page_session
from pages.components.buttons import link
from pages.components.incident_list import IncidentList
from pages.components.parts import Text
from pages.components.service_body import Follower

SHOWS = {"open": "Open", "resolved": "Resolved", "all": "All"}
_STATUSES = {"open": UNRESOLVED, "resolved": (IncidentStatus.RESOLVED,), "all": ()}
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """What is listed; the page's address holds it. No `service_id` means all services, no `before` the newest."""

    show: str = "open"
    service_id: int | None = None
    before: int | None = None

    @classmethod
    def read(cls, show: str, service: str, before: str) -> "Place":
        """From the address, where anybody can have written anything."""
        return cls(show if show in SHOWS else "open", _number(service), _number(before))

    @property
    def href(self) -> str:
        values = {"show": self.show if self.show != "open" else "", "service": self.service_id, "before": self.before}
        query = urlencode({name: value for name, value in values.items() if value})
        return "/incidents" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class Found:
    views: Sequence[IncidentView]
    services: Sequence[Service]


async def read_incidents(session: AsyncSession, actor: Actor, place: Place) -> Found:
    return Found(await _read(session, actor, place), await services.list_services(session, actor))


class IncidentsBody:
    """Draws the list in the present slot; `start` keeps it live until the page ends."""

    def __init__(self, place: Place, found: Found) -> None:
        self._place = place
        with ui.element("header").classes("page-head"):
            Text("Incidents", "h1")
            ui.element("span").classes("spacer")
            self._draw_services(found.services)
            self._draw_shows()
        self._list = IncidentList()
        self._empty = ui.element("div").classes("empty").props("data-testid=empty")
        with self._empty:
            self._draw_nothing(found.services)
        with ui.element("div").classes("more line"):
            self._newest = link("Newest", replace(place, before=None).href)
            self._older = link("Older", place.href)
        self._show(found.views)

    def start(self) -> None:
        client = ui.context.client
        follower = Follower(self._follow)

        async def told(message: BusMessage) -> None:
            if client.has_socket_connection:
                await follower.note(message.topic)

        async def load() -> None:
            await follower.note(Topic.RESYNC)

        client.on_connect(load)
        team_id = page_session.actor().team_id
        for topic in (Topic.INCIDENTS, Topic.SERVICES):
            live.listen(topic, team_id, told)

    async def _follow(self, _: set[Topic]) -> None:
        async with page_session.transaction() as session:
            self._show(await _read(session, page_session.actor(), self._place))

    def _show(self, views: Sequence[IncidentView]) -> None:
        self._list.show(views)
        self._list.set_visibility(bool(views))
        self._empty.set_visibility(not views)
        self._newest.set_visibility(self._place.before is not None)
        self._older.set_visibility(len(views) == PAGE)
        if views:
            self._older.props["href"] = replace(self._place, before=views[-1].incident.number).href

    def _draw_shows(self) -> None:
        with ui.element("nav").classes("seg").props('aria-label="Which incidents"'):
            for show, word in SHOWS.items():
                choice = Text(word, "a")
                choice.props["href"] = replace(self._place, show=show, before=None).href
                if show == self._place.show:
                    choice.props["aria-current"] = "true"

    def _draw_services(self, found: Sequence[Service]) -> None:
        if not found:
            return
        options = {0: "All services"} | {service.id or 0: service.name for service in found}
        chosen = self._place.service_id if self._place.service_id in options else 0
        select = ui.select(options, value=chosen).props('options-dense aria-label="Service"').classes("choice")
        select.on_value_change(
            lambda event: ui.navigate.to(replace(self._place, service_id=event.value or None, before=None).href)
        )

    def _draw_nothing(self, found: Sequence[Service]) -> None:
        name = next((service.name for service in found if service.id == self._place.service_id), "")
        of = f" of {name}" if name else ""
        words = {
            "open": "All is well as far as the checks can tell. An incident opens by itself when a check fails.",
            "resolved": "When an incident has been worked out, or its check has recovered, it is listed here.",
            "all": "An incident opens by itself when a check fails for good.",
        }
        title = {"open": "No open incidents", "resolved": "No resolved incidents", "all": "No incidents"}
        Text(title[self._place.show] + of, "h2")
        Text(words[self._place.show], "p")
        if not found:
            link("Go to services", "/services", "primary")
        elif self._place.show == "open":
            link("Show resolved ones", replace(self._place, show="resolved").href)


async def _read(session: AsyncSession, actor: Actor, place: Place) -> list[IncidentView]:
    return await incidents.list_incidents(session, actor, _STATUSES[place.show], place.service_id, place.before)


def _number(text: str) -> int | None:
    """A number that the database can compare with ids, None for anything else."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST))
    return int(text) if is_number and 0 < int(text) <= _LARGEST else None
