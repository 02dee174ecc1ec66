"""The inputs of a form: one class per way to enter a value. All of them keep what was typed, right or wrong."""

from collections.abc import Callable
from typing import Any, Protocol

from nicegui import ui
from nicegui.elements.mixins.validation_element import ValidationElement

from pages.components.form_mapping import Mapping
from pages.components.form_specs import Kind, Spec
from pages.components.parts import Text

Told = Callable[[], None]


class Field(Protocol):
    """A drawn field. `value` is what the usecase gets; `problem` what is wrong and no class could tell from the value.

    `kept` says that it stands for a stored secret and was left alone.
    """

    @property
    def value(self) -> Any: ...

    @property
    def problem(self) -> str: ...

    @property
    def kept(self) -> bool: ...

    def put(self, value: Any) -> None: ...

    def show(self, error: str) -> None:
        """Show what is wrong; an empty text takes it away."""

    def focus(self) -> None: ...


def draw_field(spec: Spec, value: Any, changed: Told, left: Told) -> Field:
    """Draw the field with its first value; `changed` is called as people type, `left` when they move on."""
    box = ui.element("div").classes("form-field full" if spec.wide else "form-field")
    box.props["data-field"] = spec.name
    with box:
        if spec.kind is Kind.SWITCH:
            return _Switch(spec, value, changed)
        if spec.kind is Kind.SELECT:
            return _Select(spec, value, changed)
        if spec.kind is Kind.MAPPING:
            return Mapping(spec, value, changed, left)
        return _Line(spec, value, changed, left)


class _OfQuasar:
    """What fields share that are one element of Quasar's."""

    problem = ""
    control: ValidationElement[Any]

    @property
    def kept(self) -> bool:
        return False

    @property
    def value(self) -> Any:
        return self.control.value

    def put(self, value: Any) -> None:
        self.control.set_value(value)

    def show(self, error: str) -> None:
        self.control.error = error or None

    def focus(self) -> None:
        self.control.run_method("focus")

    def _describe(self, spec: Spec, label: Text) -> None:
        # Not the element's own id: Quasar's select has that one outside.
        self.control.props["for"] = label.props["for"] = f"{self.control.html_id}-field"
        self.control.props["hint"] = spec.hint


class _Line(_OfQuasar):
    """Text in one or more lines; numbers, tags and secrets are typed as text, too."""

    def __init__(self, spec: Spec, value: Any, changed: Told, left: Told) -> None:
        self._spec = spec
        self._is_stored = spec.kind is Kind.SECRET and bool(value)
        label = Text(spec.title, "label").classes("form-label")
        text = "" if self._is_stored else _to_text(value)
        placeholder = "Stored. Type to replace it." if self._is_stored else spec.example
        if spec.kind is Kind.TEXTAREA:
            self.control = ui.textarea(value=text, placeholder=placeholder).props("autogrow input-class=mono")
        else:
            self.control = ui.input(value=text, placeholder=placeholder, suffix=spec.unit or None)
        self._describe(spec, label)
        self._set_keyboard()
        self.control.on_value_change(changed)
        self.control.on("blur", left, args=[])

    @property
    def kept(self) -> bool:
        return self._is_stored and not self.control.value

    @property
    def value(self) -> Any:
        text: str = self.control.value or ""
        if self._spec.kind is Kind.TAGS:
            return [tag.strip() for tag in text.split(",") if tag.strip()]
        if self._spec.kind is Kind.NUMBER:
            return _to_number(text)
        return None if self._spec.nullable and not text else text

    def put(self, value: Any) -> None:
        self.control.set_value(_to_text(value))

    def _set_keyboard(self) -> None:
        props = self.control.props
        props["autocomplete"], props["spellcheck"] = "off", "false"
        if self._spec.kind is Kind.NUMBER:
            props["inputmode"] = "numeric"
        if self._spec.kind is Kind.SECRET:
            props["type"], props["autocomplete"] = "password", "new-password"


class _Select(_OfQuasar):
    def __init__(self, spec: Spec, value: Any, changed: Told) -> None:
        label = Text(spec.title, "label").classes("form-label")
        first = value if value in spec.options else spec.options[0]
        self.control = ui.select(list(spec.options), value=first).props("options-dense")
        self._describe(spec, label)
        self.control.on_value_change(changed)


class _Switch:
    """Has its label beside it, and a place of its own for what is wrong."""

    problem = ""
    kept = False

    def __init__(self, spec: Spec, value: Any, changed: Told) -> None:
        self._control = ui.switch(spec.title, value=bool(value))
        self._control.on_value_change(changed)
        Text(spec.hint, "div").classes("form-hint")
        self._error = Text("", "div").classes("error")

    @property
    def value(self) -> bool:
        return bool(self._control.value)

    def put(self, value: Any) -> None:
        self._control.set_value(bool(value))

    def show(self, error: str) -> None:
        self._error.text = error

    def focus(self) -> None:
        """A switch says by itself what it can be set to."""


def _to_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def _to_number(text: str) -> Any:
    """The number, None for an empty text; anything else as it was typed, for the class to refuse."""
    text = text.strip().replace("\u2009", "")
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text or None
