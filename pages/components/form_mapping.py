"""Names with values, one row each, such as the headers of a request."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from app.usecases.configs import MASK
from pages.components.buttons import Button
from pages.components.form_specs import Spec
from pages.components.parts import Text


class _Row:
    def __init__(self, name: str, value: str, title: str) -> None:
        with ui.element("div").classes("form-row") as self.box:
            self.name = ui.input(value=name, placeholder="Name").props("autocomplete=off")
            self.value = ui.input(value=value, placeholder="Value").props("autocomplete=off")
            self.remove = Button("✕", look="square")
        for control, word in ((self.name, "name"), (self.value, "value"), (self.remove, "remove")):
            control.props["aria-label"] = f"{title}: {word}"


class Mapping:
    """Empty rows count for nothing. A stored secret shows as MASK, and has to be typed again under another name."""

    kept = False

    def __init__(self, spec: Spec, value: Any, changed: Callable[[], None], left: Callable[[], None]) -> None:
        self._spec = spec
        self._changed, self._left = changed, left
        self._rows: list[_Row] = []
        Text(spec.title, "div").classes("form-label")
        self._box = ui.element("div").classes("form-rows")
        Button(f"Add {_singular(spec.title)}", self._add_empty)
        Text(spec.hint, "div").classes("form-hint")
        self._error = Text("", "div").classes("error")
        self.put(value)

    @property
    def value(self) -> dict[str, str]:
        return dict(self._filled())

    @property
    def problem(self) -> str:
        names = [name.lower() for name, _ in self._filled()]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            return f"{doubled} is there twice: remove one of them."
        nameless = any(not name for name in names)
        return "A value has no name: enter one, or remove the row." if nameless else ""

    def put(self, value: Any) -> None:
        for row in self._rows:
            row.box.delete()
        self._rows = []
        for name, text in (value or {}).items():
            self._add(str(name), str(text))

    def show(self, error: str) -> None:
        self._error.text = error

    def focus(self) -> None:
        if self._rows:
            self._rows[0].name.run_method("focus")

    def _filled(self) -> list[tuple[str, str]]:
        pairs = [((row.name.value or "").strip(), row.value.value or "") for row in self._rows]
        return [pair for pair in pairs if any(pair)]

    def _add_empty(self) -> None:
        self._add("", "").name.run_method("focus")

    def _add(self, name: str, value: str) -> _Row:
        with self._box:
            row = _Row(name, value, _singular(self._spec.title).capitalize())
        self._rows.append(row)

        def renamed() -> None:
            if row.value.value == MASK and row.name.value != name:
                row.value.set_value("")
            self._changed()

        row.name.on_value_change(renamed)
        row.value.on_value_change(self._changed)
        row.remove.on_press(lambda: self._drop(row))
        for control in (row.name, row.value):
            control.on("blur", self._left, args=[])
        return row

    def _drop(self, row: _Row) -> None:
        self._rows.remove(row)
        row.box.delete()
        self._changed()


def _singular(title: str) -> str:
    return title.lower().removesuffix("s")
