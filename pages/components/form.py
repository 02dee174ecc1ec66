"""A form drawn by a config class. Knows nothing of what the class is for."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.elements.expansion import Expansion
from pydantic import BaseModel

from app.core.errors import Invalid
from app.usecases.validation import validated
from pages.components.form_fields import Field, draw_field
from pages.components.form_specs import Spec, specs_of
from pages.components.parts import Text


class Form:
    """Draws the titled fields of `cls` (see form_specs) in the present slot, the advanced ones folded away.

        form = Form(SlackConfig, masked_config)
        ...
        if form.check():
            try: usecase(form.values)
            except Invalid as error: form.show(error.fields)

    `values` are the first values, with secrets masked; what they lack starts with its default. A field is checked when
    people leave it, and again with each change while something is wrong with it.
    """

    def __init__(
        self,
        cls: type[BaseModel],
        values: Mapping[str, Any] | None = None,
        *,
        fold: Expansion | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        """Draw it. `fold` is where advanced fields go instead of a fold of this form's own."""
        self._cls = cls
        self._first = values or {}
        self._tell = changed or (lambda: None)
        self._fields: dict[str, Field] = {}
        self._wrong: dict[str, str] = {}
        self._suggested: dict[str, str] = {}
        specs = specs_of(cls)
        self._advanced = {spec.name for spec in specs if spec.advanced}
        self._draw([spec for spec in specs if not spec.advanced])
        self._rest = Text("", "div").classes("error form-rest").props("role=alert")
        self._fold = fold
        if self._advanced:
            self._fold = fold or ui.expansion("Advanced").classes("form-fold")
            with self._fold:
                self._draw([spec for spec in specs if spec.advanced])

    @property
    def values(self) -> dict[str, Any]:
        """What is entered now, by field name, in the shape that the usecases validate."""
        return {name: field.value for name, field in self._fields.items()}

    def check(self) -> bool:
        """Validate everything and show what is wrong; True if nothing is."""
        self.show(self._errors())
        return not self._wrong and not self._rest.text

    def show(self, errors: Mapping[str, str]) -> dict[str, str]:
        """Show errors under their fields and go to the first; returns those of fields that this form doesn't have.

        An error under an empty name is of the form as a whole.
        """
        for name, field in self._fields.items():
            self._mark(name, field, errors.get(name, ""))
        self._rest.text = errors.get("", "")
        self._go_to_first()
        return {name: text for name, text in errors.items() if name and name not in self._fields}

    def suggest(self, name: str, value: str) -> None:
        """Fill in a text field that is empty or still holds an earlier suggestion."""
        field = self._fields[name]
        if (field.value or "") in ("", self._suggested.get(name)):
            self._suggested[name] = value
            field.put(value)

    def _draw(self, specs: list[Spec]) -> None:
        with ui.element("div").classes("fields form-fields"):
            for spec in specs:
                self._fields[spec.name] = draw_field(
                    spec,
                    self._first.get(spec.name, spec.default),
                    changed=partial(self._changed, spec.name),
                    left=partial(self._left, spec.name),
                )

    def _changed(self, name: str) -> None:
        if name in self._wrong or self._rest.text:
            self._left(name)
        self._tell()

    def _left(self, name: str) -> None:
        """Show what is wrong with this field, and take away what has been mended elsewhere."""
        errors = self._errors()
        shown = {found: errors.get(found, "") for found in self._wrong if found in self._fields} | {
            name: errors.get(name, "")
        }
        for found, text in shown.items():
            self._mark(found, self._fields[found], text)
        self._rest.text = errors.get("", "")

    def _mark(self, name: str, field: Field, error: str) -> None:
        field.show(error)
        if error:
            self._wrong[name] = error
        else:
            self._wrong.pop(name, None)

    def _go_to_first(self) -> None:
        first = next((name for name in self._fields if name in self._wrong), None)
        if first is None:
            return
        if first in self._advanced and self._fold is not None:
            self._fold.open()
        self._fields[first].focus()

    def _errors(self) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            validated(self._cls, self.values)
        except Invalid as error:
            found = {name: text for name, text in error.fields.items() if not name or name in self._fields}
        found |= {name: field.problem for name, field in self._fields.items() if field.problem}
        return {name: text for name, text in found.items() if not name or not self._fields[name].kept}


def check_all(forms: Sequence[Form]) -> bool:
    """Check every form of a page, the first one last, so that the page goes to what is wrong first."""
    wrong = [form for form in reversed(forms) if not form.check()]
    return not wrong
