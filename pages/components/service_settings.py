"""What is set for a service and its checks."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui
from pydantic import BaseModel

from app.domain.access import Permission
from app.live.bus import Topic
from app.usecases import checks
from app.usecases.service_view import ServiceView
from models.check import CheckPublic, CheckTiming
from pages import session as page_session
from pages.components.buttons import Button, link
from pages.components.delete_service import ask_to_delete_check
from pages.components.form_specs import specs_of
from pages.components.parts import Text, pill
from pages.components.refusal import refusals
from probes import PROBES


class SettingsPanel:
    """One card for each check, with what can be done to it."""

    def __init__(self, view: ServiceView) -> None:
        self._service_id = view.id
        self._box = ui.element("div").classes("stack")

    async def load(self, _: ServiceView) -> None:
        actor = page_session.actor()
        async with page_session.transaction() as session:
            found = await checks.public_checks(session, actor, self._service_id, page_session.context().sealer)
        self._box.clear()
        with self._box:
            for check in found:
                self._draw(check, may_manage=actor.may(Permission.MANAGE_SERVICES))
            if actor.may(Permission.MANAGE_SERVICES):
                with ui.element("div").classes("line"):
                    words = "Add another check" if found else "Add a check"
                    link(words, f"/services/{self._service_id}/checks/new")

    async def follow(self, view: ServiceView, topics: set[Topic]) -> None:
        if topics & {Topic.SERVICES, Topic.RESYNC}:
            await self.load(view)

    def _draw(self, check: CheckPublic, *, may_manage: bool) -> None:
        probe = PROBES[check.kind]
        with ui.element("section").classes("card").props("data-testid=check-settings"):
            with ui.element("div").classes("card-title wrap"):
                Text(f"{probe.title} check", "h2")
                if check.paused:
                    pill("paused")
                ui.element("span").classes("spacer")
                if may_manage:
                    self._draw_buttons(check)
            with ui.element("dl").classes("settings"):
                _draw_values(probe.config, check.config)
                _draw_values(CheckTiming, check.model_dump())

    def _draw_buttons(self, check: CheckPublic) -> None:
        link("Edit", f"/services/{self._service_id}/checks/{check.id}")

        async def pause() -> None:
            with refusals():
                async with page_session.transaction() as session:
                    actor = page_session.actor()
                    found = await checks.get_check(session, actor, check.id)
                    await checks.set_paused(session, actor, found, not check.paused)

        Button("Resume" if check.paused else "Pause", pause)
        words = PROBES[check.kind].describe(PROBES[check.kind].config.model_construct(**check.config))
        Button("Delete", lambda: ask_to_delete_check(check.id, words))


def _draw_values(cls: type[BaseModel], values: Mapping[str, Any]) -> None:
    """Every field that is set, in words."""
    for spec in specs_of(cls):
        words = in_words(values.get(spec.name), spec.unit)
        if words:
            Text(spec.title, "dt")
            Text(words, "dd").classes("mono" if spec.wide else "num")


def in_words(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {text}" for name, text in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, int | float):
        return f"{value:,} {unit}".strip()
    return str(value or "")
