"""The palette keeps its promise of contrast in both themes."""

import pytest

from app.core.palette import FILLS, INKS, SERIES, SEVERITY_STATUS, STATUS_LOOKS, SURFACES, Colour, tokens
from app.domain.status import Status

AA_TEXT = 4.5
AA_GRAPHICS = 3.0
BACKGROUNDS = ("bg", "surface", "raised", "hover")
THEMES = ("dark", "light")


def luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def shade(colour: Colour, theme: str) -> str:
    return colour.dark if theme == "dark" else colour.light


def test_every_status_has_a_look() -> None:
    assert set(STATUS_LOOKS) == set(Status)
    assert set(SEVERITY_STATUS.values()) <= set(STATUS_LOOKS)


def test_no_two_statuses_share_word_or_symbol() -> None:
    assert len({look.word for look in STATUS_LOOKS.values()}) == len(STATUS_LOOKS)
    assert len({look.symbol for look in STATUS_LOOKS.values()}) == len(STATUS_LOOKS)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_text_is_readable_on_every_background(theme: str, background: str) -> None:
    behind = shade(SURFACES[background], theme)
    weak = {name: contrast(shade(ink, theme), behind) for name, ink in INKS.items()}
    weak |= {name: contrast(shade(look.colour, theme), behind) for name, look in STATUS_LOOKS.items()}
    assert not {name: ratio for name, ratio in weak.items() if ratio < AA_TEXT}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("status", STATUS_LOOKS)
def test_a_status_is_readable_on_its_own_soft_colour(theme: str, status: str) -> None:
    look = STATUS_LOOKS[status]
    assert contrast(shade(look.colour, theme), shade(look.soft, theme)) >= AA_TEXT


@pytest.mark.parametrize("theme", THEMES)
def test_white_text_is_readable_on_filled_buttons(theme: str) -> None:
    for fill in FILLS.values():
        assert contrast(shade(fill, theme), "#ffffff") >= AA_TEXT


@pytest.mark.parametrize("theme", THEMES)
def test_lines_of_charts_and_edges_of_fields_stand_out(theme: str) -> None:
    surface = shade(SURFACES["surface"], theme)
    for colour in (*SERIES, SURFACES["control-line"]):
        assert contrast(shade(colour, theme), surface) >= AA_GRAPHICS


def test_both_themes_have_the_same_tokens() -> None:
    assert tokens(dark=True).keys() == tokens(dark=False).keys()
