"""What stands below a service's tabs. A panel is drawn empty, loads when the browser is there, and follows."""

from typing import Protocol

from nicegui import ui

from app.core.palette import SEVERITY_STATUS
from app.live.bus import Topic
from app.usecases import history, incidents
from app.usecases.history import Range
from app.usecases.incidents import IncidentView
from app.usecases.service_view import CheckView, ServiceView
from pages import session as page_session
from pages.components.buttons import link
from pages.components.latency_chart import LatencyChart
from pages.components.moment import Lasting, Moment
from pages.components.parts import Text, pill
from pages.components.results import Results

_LAST = 8


class Panel(Protocol):
    """`load` reads everything anew, also after the connection was lost; `follow` takes what the bus told of."""

    async def load(self, view: ServiceView) -> None: ...

    async def follow(self, view: ServiceView, topics: set[Topic]) -> None: ...


class OverviewPanel:
    """The response times, and the very last results."""

    def __init__(self, check: CheckView, span: Range) -> None:
        self._check_id = check.id
        self._chart = LatencyChart(check, span)
        Text("Last checks", "h2").classes("panel-title")
        self._last = ChecksPanel(check, _LAST)

    async def load(self, view: ServiceView) -> None:
        check = view.check(self._check_id)
        if check is not None:
            await self._chart.load(check)
            await self._last.load(view)

    async def follow(self, view: ServiceView, topics: set[Topic]) -> None:
        if topics != {Topic.CHECKS}:
            await self.load(view)
            return
        await self._chart.follow()
        await self._last.load(view)


class ChecksPanel:
    """The last results of one check."""

    def __init__(self, check: CheckView, limit: int = 50) -> None:
        self._check_id = check.id
        self._limit = limit
        self._results = Results()

    async def load(self, _: ServiceView) -> None:
        async with page_session.transaction() as session:
            found = await history.last_results(session, page_session.actor(), self._check_id, self._limit)
        self._results.show(found)

    async def follow(self, view: ServiceView, topics: set[Topic]) -> None:
        if topics & {Topic.CHECKS, Topic.RESYNC}:
            await self.load(view)


class IncidentsPanel:
    """The service's incidents, newest first."""

    def __init__(self) -> None:
        self._box = ui.element("div")

    async def load(self, view: ServiceView) -> None:
        async with page_session.transaction() as session:
            found = await incidents.list_incidents(session, page_session.actor(), service_id=view.id)
        self._box.clear()
        with self._box:
            if found:
                _draw_incidents(found)
            else:
                with ui.element("div").classes("empty"):
                    Text("No incidents", "h2")
                    Text("When a check of this service fails for good, the incident shows up here.", "p")

    async def follow(self, view: ServiceView, topics: set[Topic]) -> None:
        if topics & {Topic.INCIDENTS, Topic.RESYNC}:
            await self.load(view)


def no_checks(view: ServiceView, *, may_manage: bool) -> None:
    """What to do about a service that nothing looks at."""
    with ui.element("div").classes("empty"):
        Text("No checks yet", "h2")
        Text("A check looks at the service again and again, and opens an incident when it fails.", "p")
        if may_manage:
            link("Add a check", f"/services/{view.id}/checks/new", "primary")


def _draw_incidents(found: list[IncidentView]) -> None:
    with ui.element("div").classes("table-box"), ui.element("table").classes("table"):
        with ui.element("thead"), ui.element("tr"):
            for title in ("Incident", "Severity", "Lasted", "Status", "Opened", "Owner"):
                Text(title, "th").classes("wide" if title in {"Status", "Opened", "Owner"} else "")
        with ui.element("tbody"):
            for view in found:
                _draw_incident(view)


def _draw_incident(view: IncidentView) -> None:
    incident = view.incident
    with ui.element("tr"):
        with ui.element("td"):
            Text(f"#{incident.number} {incident.title}", "a").props["href"] = f"/incidents/{incident.number}"
        with ui.element("td"):
            pill(SEVERITY_STATUS[incident.severity.value], incident.severity.value.capitalize())
        with ui.element("td").classes("nowrap"):
            Lasting(incident.opened_at, incident.resolved_at)
        Text(incident.status.value.capitalize(), "td").classes("wide")
        with ui.element("td").classes("nowrap muted wide"):
            Moment(incident.opened_at)
        Text(view.owner.name if view.owner else "Nobody", "td").classes("muted wide")
