"""Adding and editing a service, its check, or both in one go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from nicegui import ui
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import Invalid
from app.usecases import checks, services
from models import Service
from models.check import CheckPublic
from models.service import ServiceCreate
from pages import session as page_session
from pages.components.buttons import Button, link
from pages.components.check_form import CheckForm
from pages.components.form import Form, check_all
from pages.components.parts import Text
from pages.components.refusal import refusals


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked for: the service's own fields, a check's, or both. What is None is added, the rest is edited."""

    title: str
    service: Service | None = None
    check: CheckPublic | None = None
    asks_service: bool = True
    asks_check: bool = True

    @property
    def back(self) -> str:
        return f"/services/{self.service.id}" if self.service else "/services"


class ServiceForm:
    """Ctrl+Enter saves. What the server refuses stands under its field, and nothing that was typed is lost."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._service: Form | None = None
        self._check: CheckForm | None = None
        with ui.element("div").classes("page-head"):
            Text(task.title, "h1")
        box = ui.element("div").classes("split wide-side").on("keydown.ctrl.enter", self._save, args=[])
        with box.on("keydown.meta.enter", self._save, args=[]):
            with ui.element("div").classes("stack"):
                self._draw_forms()
                self._draw_buttons()
            if self._check:
                self._draw_test(self._check)

    def _draw_forms(self) -> None:
        task = self._task
        if task.asks_service:
            with ui.element("section").classes("card stack"):
                Text("Service", "h2")
                self._service = Form(ServiceCreate, task.service.model_dump() if task.service else None)
        if task.asks_check:
            with ui.element("section").classes("card stack"):
                Text("Check", "h2")
                self._check = CheckForm(task.check.model_dump() if task.check else None, self._suggest_name)

    def _draw_buttons(self) -> None:
        with ui.element("div").classes("line"):
            self._button = Button("Save", self._save, "primary")
            link("Cancel", self._task.back, "quiet")
            Text("Ctrl ↵", "kbd").classes("wide-only")

    def _draw_test(self, form: CheckForm) -> None:
        with ui.element("section").classes("card stack test-card"):
            with ui.element("div").classes("line"):
                Text("Try it", "h2")
                ui.element("span").classes("spacer")
                button = Button("Test now")
            box = ui.element("div")
            with box:
                Text("Runs the check once as it is entered, before anything is saved.", "div").classes("muted small")

        async def run() -> None:
            button.enable(False)
            try:
                await form.test(box)
            finally:
                button.enable()

        button.on_press(run)

    def _suggest_name(self, values: Mapping[str, Any]) -> None:
        if self._service and self._task.service is None:
            self._service.suggest("name", suggested_name(values))

    async def _save(self) -> None:
        if not self._button.is_enabled:
            return
        forms = [*([self._service] if self._service else []), *(self._check.forms if self._check else ())]
        if not check_all(forms):
            return
        self._button.enable(False)
        try:
            with refusals():
                async with page_session.transaction() as session:
                    service_id = await self._store(session)
                ui.navigate.to(f"/services/{service_id}")
                return
        except Invalid as error:
            self._show(error)
        self._button.enable()

    async def _store(self, session: AsyncSession) -> int:
        """Add or edit, all in one transaction; returns the service's id."""
        task, actor, sealer = self._task, page_session.actor(), page_session.context().sealer
        check = self._check.values if self._check else None
        if task.service is None:
            values = self._service.values if self._service else {}
            return (await services.add_service(session, actor, values, check, sealer)).id or 0
        service_id = task.service.id or 0
        if self._service:
            values = self._service.values | {"version": task.service.version}
            await services.edit_service(session, actor, service_id, values)
        if check and task.check:
            await checks.edit_check(session, actor, task.check.id, check | {"version": task.check.version}, sealer)
        elif check:
            await checks.add_check(session, actor, service_id, check, sealer)
        return service_id

    def _show(self, error: Invalid) -> None:
        """Put each error where it belongs; what belongs nowhere is said aloud."""
        rest: Mapping[str, str] = error.fields
        if self._check:
            rest = self._check.show(rest)
        if self._service:
            rest = self._service.show(rest)
        if rest:
            ui.notify(" ".join(rest.values()), type="negative")


def suggested_name(values: Mapping[str, Any]) -> str:
    """The host that a check looks at, without "www."; empty while there is none."""
    for value in values.values():
        if isinstance(value, str) and "://" in value:
            try:
                return (urlsplit(value.strip()).hostname or "").removeprefix("www.")
            except ValueError:
                return ""
    return str(values.get("host", "")).strip()
