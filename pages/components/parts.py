"""Small pieces that pages share."""

from nicegui.elements.mixins.text_element import TextElement

from app.core.palette import STATUS_LOOKS


class Text(TextElement):
    """Text in an element of our choice, shown literally."""

    def __init__(self, text: str, tag: str = "span") -> None:
        super().__init__(tag=tag, text=text)


def pill(status: str, word: str = "") -> Text:
    """Symbol and word of a status (see app.core.palette) in its colour; `word` replaces the status's own."""
    look = STATUS_LOOKS[status]
    return Text(f"{look.symbol} {word or look.word}").classes(f"pill {look.token}")


def avatar(initials: str, colour: str, name: str) -> Text:
    """A person as a coloured disc."""
    element = Text(initials).classes("avatar").style(f"background: {colour}")
    element.props["title"] = name
    return element
