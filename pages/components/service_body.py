"""All of a service's page, and how it follows the state: what was told is collected, and read once."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from loguru import logger
from nicegui import ui

from app.core import clock
from app.core.errors import NotFound
from app.db.session import DATABASE_AWAY
from app.domain.access import Permission
from app.live.bus import BusMessage, Topic
from app.usecases import history
from app.usecases.history import Range
from app.usecases.service_view import CheckView, ServiceView, view_service
from pages import live
from pages import session as page_session
from pages.components.buttons import link
from pages.components.day_strip import DayStrip
from pages.components.parts import Text
from pages.components.service_head import ServiceHead
from pages.components.service_panels import ChecksPanel, IncidentsPanel, OverviewPanel, Panel, no_checks
from pages.components.service_settings import SettingsPanel
from pages.components.switch import Switch

TABS = {"overview": "Overview", "checks": "Checks", "incidents": "Incidents", "settings": "Settings"}
SPANS = {Range.HOUR: "1 h", Range.DAY: "24 h", Range.WEEK: "7 d", Range.MONTH: "30 d", Range.QUARTER: "90 d"}
# The strip counts whole hours and days: it need not be read with each result.
_STRIP_EVERY_S = 15.0
_TICK_S = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """What of the service is shown; the page's address holds it."""

    service_id: int
    tab: str = "overview"
    span: Range = Range.HOUR
    check_id: int = 0

    @classmethod
    def read(cls, service_id: int, tab: str, span: str, check_id: int) -> "Place":
        """From the address, where anybody can have written anything."""
        return cls(
            service_id,
            tab if tab in TABS else "overview",
            Range(span) if span in list(Range) else Range.HOUR,
            check_id,
        )

    @property
    def href(self) -> str:
        default = Place(self.service_id)
        values = {"tab": self.tab, "range": self.span.value, "check": self.check_id}
        usual = {"tab": default.tab, "range": default.span.value, "check": default.check_id}
        query = urlencode({name: value for name, value in values.items() if value != usual[name]})
        return f"/services/{self.service_id}" + (f"?{query}" if query else "")


class ServiceBody:
    """Draws the page of `view` in the present slot. `start` loads the rest and keeps it live until the page ends."""

    def __init__(self, view: ServiceView, place: Place) -> None:
        self._view = view
        self._place = place
        self._panel: Panel | None = None
        self._strip_at = -_STRIP_EVERY_S
        self._head = ServiceHead(view, page_session.actor())
        self._strip = DayStrip()
        with ui.element("div").classes("line wrap service-switches"):
            self._tabs = Switch(TABS, lambda tab: self._at(tab=tab).href, lambda tab: self._go(self._at(tab=tab)))
            self._tabs.box.classes("tabs").props('aria-label="What is shown"')
            ui.element("span").classes("spacer")
            self._checks_box = ui.element("div").classes("line")
            words = {span.value: word for span, word in SPANS.items()}
            self._spans = Switch(
                words,
                lambda span: self._at(span=Range(span)).href,
                lambda span: self._go(self._at(span=Range(span))),
            )
            self._spans.box.classes("seg").props('aria-label="Time range"')
        self._box = ui.element("div").classes("stack service-panel")
        self._draw()

    def start(self) -> None:
        client = ui.context.client
        client.on_connect(self._load)
        follower = Follower(self._follow)
        team_id = page_session.actor().team_id

        async def told(message: BusMessage) -> None:
            if client.has_socket_connection and self._concerns(message):
                await follower.note(message.topic)

        for topic in (Topic.CHECKS, Topic.SERVICES, Topic.INCIDENTS):
            live.listen(topic, team_id, told)
        # Nobody tells that no result came.
        ui.timer(_TICK_S, self._head.show_status)

    def _concerns(self, message: BusMessage) -> bool:
        ids = set(message.data.get("ids", ()))
        if message.topic is Topic.CHECKS:
            return bool(ids & {check.id for check in self._view.checks})
        return message.topic is not Topic.SERVICES or self._view.id in ids

    async def _load(self) -> None:
        with self._reading():
            await self._read(strip=True)
            if self._panel is not None:
                await self._panel.load(self._view)

    async def _follow(self, topics: set[Topic]) -> None:
        before = self._view
        with self._reading():
            await self._read(strip=topics != {Topic.CHECKS} or clock.monotonic() - self._strip_at >= _STRIP_EVERY_S)
            if _ids(before) != _ids(self._view):
                self._draw()
                topics = topics | {Topic.RESYNC}
            if self._panel is not None:
                await self._panel.follow(self._view, topics)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What can't be read now is read with the next message; the bus sends one after each gap."""
        try:
            yield
        except NotFound:
            self._show_gone()
        except DATABASE_AWAY as error:
            logger.bind(error=type(error).__name__).warning("A service's page could not be read")

    async def _read(self, *, strip: bool) -> None:
        """Read the service's state, and show it at the top."""
        actor, now = page_session.actor(), clock.now()
        async with page_session.transaction() as session:
            self._view = await view_service(session, actor, self._place.service_id)
            if strip:
                days = await history.daily(session, actor, self._view.id, now)
                uptimes = await history.uptimes(session, actor, self._view.id, now)
        self._head.show(self._view)
        if strip:
            self._strip_at = clock.monotonic()
            self._strip.show(days, uptimes)

    def _at(self, **changes: Any) -> Place:
        return replace(self._place, **changes)

    async def _go(self, place: Place) -> None:
        """Show something else, and let the address say so."""
        if place == self._place:
            return
        self._place = place
        ui.navigate.history.replace(place.href)
        self._draw()
        with self._reading():
            if self._panel is not None:
                await self._panel.load(self._view)

    @property
    def _check(self) -> CheckView | None:
        """The check that is shown: the one of the address, else the first."""
        chosen = self._view.check(self._place.check_id)
        return chosen or next(iter(self._view.checks), None)

    def _draw(self) -> None:
        tab, check = self._place.tab, self._check
        self._tabs.show(tab)
        self._spans.show(self._place.span.value)
        self._spans.box.set_visibility(tab == "overview" and check is not None)
        self._draw_choice()
        self._box.clear()
        with self._box:
            self._panel = self._draw_panel(tab, check)

    def _draw_choice(self) -> None:
        """Which check is shown, where there are several."""
        self._checks_box.clear()
        self._checks_box.set_visibility(self._place.tab in {"overview", "checks"})
        if len(self._view.checks) < 2 or self._check is None:
            return
        with self._checks_box:
            options = {check.id: check.label for check in self._view.checks}
            select = ui.select(options, value=self._check.id).props("options-dense aria-label=Check").classes("choice")
            select.on_value_change(lambda event: self._go(self._at(check_id=event.value)))

    def _draw_panel(self, tab: str, check: CheckView | None) -> Panel | None:
        if tab == "incidents":
            return IncidentsPanel()
        if tab == "settings":
            return SettingsPanel(self._view)
        if check is None:
            no_checks(self._view, may_manage=page_session.actor().may(Permission.MANAGE_SERVICES))
            return None
        return ChecksPanel(check) if tab == "checks" else OverviewPanel(check, self._place.span)

    def _show_gone(self) -> None:
        self._panel = None
        self._box.clear()
        with self._box, ui.element("div").classes("empty"):
            Text("This service was deleted", "h2")
            link("All services", "/services", "primary")


def _ids(view: ServiceView) -> list[tuple[int, str]]:
    """Changes when checks were added, deleted, or look at something else."""
    return [(check.id, check.label) for check in view.checks]


class Follower:
    """Collects topics while work is under way, so that a burst of messages costs two reads and no more."""

    def __init__(self, work: Callable[[set[Topic]], Awaitable[None]]) -> None:
        self._work = work
        self._topics: set[Topic] = set()
        self._busy = False

    async def note(self, topic: Topic) -> None:
        self._topics.add(topic)
        if self._busy:
            return
        self._busy = True
        try:
            while self._topics:
                topics, self._topics = self._topics, set()
                await self._work(topics)
        finally:
            self._busy = False
