"""The last 90 days of a service, one bar a day, and its uptime over four ranges."""

from collections.abc import Mapping, Sequence

from nicegui import ui

from app.domain.uptime import Counts
from app.usecases.history import Day, Range

# Below this uptime a day is red; above it, but not whole, it is amber.
_BAD_UPTIME = 99.0
_WORDS = {Range.DAY: "24 h", Range.WEEK: "7 d", Range.MONTH: "30 d", Range.QUARTER: "90 d"}


class DayStrip(ui.element, component="day_strip.js"):
    """Drawn as one element whatever the number of days."""

    def __init__(self) -> None:
        super().__init__()
        self.show((), {})

    def show(self, days: Sequence[Day], uptimes: Mapping[Range, Counts]) -> None:
        """Days are UTC days, oldest first."""
        self.props["days"] = tuple((in_words(day), look(day.counts)) for day in days)
        known = {span: uptimes[span].uptime if span in uptimes else None for span in _WORDS}
        self.props["figures"] = tuple((_WORDS[span], uptime) for span, uptime in known.items())


def look(counts: Counts) -> str:
    """The palette's token for a day; "none" where nothing was checked."""
    if counts.uptime is None:
        return "unknown" if counts.unknown else "none"
    if counts.uptime < _BAD_UPTIME:
        return "down"
    return "degraded" if counts.down or counts.degraded > counts.up else "up"


def in_words(day: Day) -> str:
    counts = day.counts
    date = f"{day.day:%a} {day.day.day} {day.day:%b}"
    if counts == Counts():
        return f"{date}: no results"
    uptime = "unknown" if counts.uptime is None else f"{_floor(counts.uptime)} up"
    known = (("up", counts.up), ("slow", counts.degraded), ("failed", counts.down), ("unknown", counts.unknown))
    return f"{date}: {uptime} · " + ", ".join(f"{number:,} {word}" for word, number in known if number)


def _floor(percent: float) -> str:
    """Never rounded up to 100."""
    return "100%" if percent >= 100 else f"{int(percent * 100) / 100:.2f}%"
