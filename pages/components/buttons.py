"""Buttons in the stylesheet's own look."""

from collections.abc import Awaitable, Callable

from pages.components.parts import Text

Pressed = Callable[[], Awaitable[None] | None]


class Button(Text):
    """`look` is primary, danger, quiet or nothing."""

    def __init__(self, words: str, pressed: Pressed | None = None, look: str = "") -> None:
        super().__init__(words, "button")
        self.classes(f"btn {look}").props("type=button")
        self.is_enabled = True
        if pressed is not None:
            self.on_press(pressed)

    def on_press(self, pressed: Pressed) -> None:
        self.on("click", lambda: pressed() if self.is_enabled else None, args=[])

    def enable(self, enabled: bool = True) -> None:
        self.is_enabled = enabled
        self.props.set_bool("disabled", not enabled)


def link(words: str, href: str, look: str = "") -> Text:
    """A link that looks like a button."""
    element = Text(words, "a").classes(f"btn {look}")
    element.props["href"] = href
    return element
