"""What each status looks like, named once for tiles, charts, mail and chat: word, symbol, colours of both themes.

Every text colour keeps a contrast of 4.5 or more (WCAG AA) against the page, the cards and its own soft colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour in both themes, as #rrggbb."""

    dark: str
    light: str


@dataclass(frozen=True, slots=True)
class Look:
    """`token` names the CSS variables --token and --token-soft; `letter` stands for it in a strip of results."""

    word: str
    symbol: str
    letter: str
    token: str
    colour: Colour
    soft: Colour


_GREY = Colour("#8b95a9", "#5d6b80")
_GREY_SOFT = Colour("#1f2531", "#eef0f4")

STATUS_LOOKS: Mapping[str, Look] = {
    "down": Look("Down", "✕", "d", "down", Colour("#f4646a", "#c81e2b"), Colour("#3a1519", "#fde7e9")),
    "degraded": Look("Degraded", "▲", "g", "degraded", Colour("#f2b33d", "#935a08"), Colour("#35290f", "#fdf3d7")),
    "unknown": Look("Unknown", "?", "n", "unknown", _GREY, _GREY_SOFT),
    "pending": Look("Pending", "○", "", "pending", _GREY, _GREY_SOFT),
    "maintenance": Look(
        "Maintenance", "◆", "m", "maintenance", Colour("#5aa9ff", "#1d5fc0"), Colour("#12283f", "#e4effd")
    ),
    "up": Look("Up", "●", "u", "up", Colour("#2fbf71", "#137a38"), Colour("#12301f", "#e5f6ec")),
    "paused": Look("Paused", "❚❚", "", "paused", _GREY, _GREY_SOFT),
}
"""Worst first, the order in which lists show them."""

SEVERITY_STATUS: Mapping[str, str] = {"critical": "down", "warning": "degraded"}
"""The status whose look a severity borrows."""

SURFACES: Mapping[str, Colour] = {
    "bg": Colour("#0b0e14", "#f6f7f9"),
    "surface": Colour("#12161f", "#ffffff"),
    "raised": Colour("#181d28", "#ffffff"),
    "hover": Colour("#1c2230", "#eef0f4"),
    "line": Colour("#242b38", "#e3e7ee"),
    "control-line": Colour("#5b657a", "#838d9f"),
}

INKS: Mapping[str, Colour] = {
    "text": Colour("#e6e9ef", "#161b26"),
    "muted": Colour("#9aa4b6", "#566174"),
    "faint": Colour("#838da3", "#626c80"),
    "accent": Colour("#7d98ff", "#3c5bdc"),
}

FILLS: Mapping[str, Colour] = {
    "accent-fill": Colour("#4866e8", "#3c5bdc"),
    "danger-fill": Colour("#c9303a", "#c81e2b"),
}
"""Backgrounds of buttons with white text."""

SERIES: tuple[Colour, ...] = (
    Colour("#5aa9ff", "#1d5fc0"),
    Colour("#7d98ff", "#3c5bdc"),
    Colour("#a583ff", "#7a3fe0"),
    Colour("#f2b33d", "#935a08"),
    Colour("#2fbf71", "#137a38"),
    Colour("#ef7fb4", "#b3246d"),
)
"""Colours of a chart's lines that stand for no status, in the order in which they are taken."""


def tokens(*, dark: bool) -> dict[str, str]:
    """Every CSS variable of one theme, without the dashes in front."""
    named = {**SURFACES, **INKS, **FILLS}
    for look in STATUS_LOOKS.values():
        named[look.token] = look.colour
        named[f"{look.token}-soft"] = look.soft
    named |= {f"series-{number}": colour for number, colour in enumerate(SERIES, start=1)}
    return {name: colour.dark if dark else colour.light for name, colour in named.items()}
