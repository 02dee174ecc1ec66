"""The form of a check, whatever its kind, and "Test now"."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from app.core.errors import Invalid
from app.domain.status import Policy
from app.usecases import checks
from app.usecases.checks import Trial
from models.check import CheckTiming
from pages import session as page_session
from pages.components.form import Form, check_all
from pages.components.parts import Text
from pages.components.refusal import refusals
from pages.components.waterfall import trial
from probes import PROBES


class CheckForm:
    """`stored` is the check that is edited, as people may see it; None for a new one.

    `changed` is told the kind's own values as they are typed.
    """

    def __init__(self, stored: Mapping[str, Any] | None, changed: Callable[[Mapping[str, Any]], None]) -> None:
        self._stored = stored or {}
        self._changed = changed
        self._kind = str(self._stored.get("kind", next(iter(PROBES))))
        if not stored and len(PROBES) > 1:
            self._draw_kinds()
        self._box = ui.element("div")
        self._draw(self._stored)

    @property
    def forms(self) -> tuple[Form, Form]:
        return self._config, self._timing

    @property
    def values(self) -> dict[str, Any]:
        """As the usecases take them."""
        return {"kind": self._kind, "config": self._config.values, **self._timing.values}

    def show(self, errors: Mapping[str, str]) -> dict[str, str]:
        """Show errors where they belong; returns the others."""
        return self._config.show(self._timing.show(errors))

    async def test(self, box: ui.element) -> None:
        """Run the check as it is entered, and show in `box` what came of it. Nothing is saved."""
        if not check_all(self.forms):
            return
        box.clear()
        with box, ui.element("div").classes("line muted"):
            ui.spinner(size="18px")
            Text("Checking…")
        try:
            with refusals():
                await self._try(box)
                return
        except Invalid as error:
            self.show(error.fields)
        box.clear()

    async def _try(self, box: ui.element) -> None:
        context, values = page_session.context(), self.values
        async with page_session.transaction() as session:
            plan = Trial(values, self._stored.get("id"))
            ready = await checks.open_trial(session, page_session.actor(), plan, context.sealer)
        result = await checks.try_check(ready, context.address_policy)
        box.clear()
        with box:
            trial(result, Policy(degraded_ms=values["degraded_ms"]))

    def _draw_kinds(self) -> None:
        with ui.element("div").classes("form-field"):
            label = Text("Kind", "label").classes("form-label")
            kinds = ui.select({kind: probe.title for kind, probe in PROBES.items()}, value=self._kind)
            kinds.props["for"] = label.props["for"] = f"{kinds.html_id}-field"
            kinds.on_value_change(lambda event: self._choose(event.value))

    def _choose(self, kind: str) -> None:
        self._kind = kind
        self._draw(self._timing.values)

    def _draw(self, timing: Mapping[str, Any]) -> None:
        """Every kind has the same timing: what was entered of it stays."""
        self._box.clear()
        with self._box:
            config = self._stored.get("config")
            main = ui.element("div").classes("stack")
            fold = ui.expansion("Advanced").classes("form-fold")
            with main:
                self._config = Form(PROBES[self._kind].config, config, fold=fold, changed=self._tell)
                self._timing = Form(CheckTiming, timing, fold=fold)

    def _tell(self) -> None:
        self._changed(self._config.values)
