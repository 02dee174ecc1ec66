"""The top of a service's page: what it is, how it is, when it is checked next, and what can be done with it."""

from nicegui import ui

from app.core.palette import STATUS_LOOKS
from app.domain.access import Permission
from app.domain.status import Status
from app.usecases import services
from app.usecases.actor import Actor
from app.usecases.service_view import ServiceView, view_service
from pages import session as page_session
from pages.components.buttons import Button, link
from pages.components.delete_service import ask_to_delete
from pages.components.next_check import NextCheck
from pages.components.parts import Text, pill
from pages.components.refusal import refusals


class ServiceHead:
    """What people ask for shows at once; what the server then says puts it right."""

    def __init__(self, view: ServiceView, actor: Actor) -> None:
        self._view = view
        self._shown: tuple[Status, bool, bool] | None = None
        self._may_check, self._may_manage = actor.may(Permission.CHECK_NOW), actor.may(Permission.MANAGE_SERVICES)
        with ui.element("nav").classes("crumbs").props('aria-label="Where this is"'):
            Text("Services", "a").props["href"] = "/services"
            Text("/")
            self._group = Text("")
        with ui.element("header").classes("page-head service-head"):
            self._pill = pill(Status.PENDING.value).props("data-testid=status role=status")
            self._name = Text("", "h1")
            self._target = Text("").classes("mono muted ellipsis target")
            ui.element("span").classes("spacer")
            self._next = NextCheck(view)
            with ui.element("div").classes("line actions"):
                self._draw_buttons()
        self.show(view)

    def show(self, view: ServiceView) -> None:
        """Bring everything in line with `view`."""
        self._view = view
        self._group.text = f"{view.service.group} /" if view.service.group else ""
        self._name.text = view.service.name
        self._target.text = _target(view)
        self.show_status()
        self._next.show(view)

    def show_status(self) -> None:
        """The status of what was last shown, as of now: without new results it becomes unknown."""
        self._show_status(self._view.status, paused=self._view.is_paused)

    def _show_status(self, status: Status, *, paused: bool) -> None:
        shown = (status, paused, bool(self._view.checks))
        if shown == self._shown:
            return
        self._shown = shown
        look = STATUS_LOOKS[status.value]
        self._pill.text = f"{look.symbol} {look.word}"
        self._pill.classes(replace=f"pill {look.token}")
        self._pill.props["data-status"] = status.value
        self._pause.text = "Resume" if paused else "Pause"
        self._pause.set_visibility(self._may_manage and bool(self._view.checks))
        self._check_now.set_visibility(self._may_check and bool(self._view.checks) and not paused)

    def _draw_buttons(self) -> None:
        self._check_now = Button("Check now", self._on_check_now)
        self._pause = Button("Pause", self._on_pause)
        if self._may_manage:
            link("Edit", f"/services/{self._view.id}/edit")
            Button("Delete", lambda: ask_to_delete(self._view.id))

    async def _on_check_now(self) -> None:
        self._next.set("running")
        with refusals():
            async with page_session.transaction() as session:
                await services.check_service_now(session, page_session.actor(), self._view.id)
            return
        await self._put_right()

    async def _on_pause(self) -> None:
        paused = not self._view.is_paused
        self._show_status(Status.PAUSED if paused else Status.PENDING, paused=paused)
        self._next.set("paused" if paused else "running")
        with refusals():
            async with page_session.transaction() as session:
                await services.pause_service(session, page_session.actor(), self._view.id, paused)
        await self._put_right()

    async def _put_right(self) -> None:
        with refusals():
            async with page_session.transaction() as session:
                view = await view_service(session, page_session.actor(), self._view.id)
            self.show(view)


def _target(view: ServiceView) -> str:
    """What the first check looks at, and how many more there are."""
    if not view.checks:
        return ""
    more = len(view.checks) - 1
    return view.checks[0].label + (f" and {more} more" if more else "")
