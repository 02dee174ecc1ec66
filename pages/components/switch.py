"""A choice that is part of the page's address: tabs, and ranges of time."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from nicegui import ui

from pages.components.parts import Text


class Switch:
    """Links, so that each choice can be shared or opened in a tab of its own; a plain click asks the page to change."""

    def __init__(
        self, options: Mapping[str, str], href: Callable[[str], str], choose: Callable[[str], Awaitable[None]]
    ) -> None:
        """`options` are words by name; `href` and `choose` take a name."""
        self._href = href
        self._links: dict[str, Text] = {}
        with ui.element("nav") as self.box:
            for name, word in options.items():
                self._links[name] = Text(word, "a").on("click.exact.prevent", partial(choose, name), args=[])

    def show(self, chosen: str) -> None:
        """Mark the choice, and bring the addresses up to date."""
        for name, link in self._links.items():
            link.props["href"] = self._href(name)
            link.props.set_optional("aria-current", "true" if name == chosen else None)
