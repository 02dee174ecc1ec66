"""The figure of a latency chart: a dict with tuples, which NiceGUI sends many times cheaper than plotly's own objects.

No colours are in it: the stylesheet (6-service.css) colours the lines by their `uid`, so that they follow the theme.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from app.usecases.history import Range, Series

PHASE_WORDS = {"dns": "DNS", "connect": "connect", "tls": "TLS", "first_byte": "first byte", "download": "download"}
"""The phases of a run in their order, in words."""

# A bucket counts as missing when the next one is further away than this many steps.
_GAP_STEPS = 2.5
# A threshold far above every point would press the line flat: it is left out.
_THRESHOLD_REACH = 4.0
_LEAST_SHOWN = timedelta(minutes=5)
_TICKS = {
    Range.HOUR: "%H:%M",
    Range.DAY: "%H:%M",
    Range.WEEK: "%a %-d",
    Range.MONTH: "%-d %b",
    Range.QUARTER: "%-d %b",
}
# What the stylesheet uses, too: plotly measures its texts in it.
_FONT = 'Inter, system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'
_Y_AXIS = {
    "nticks": 5,
    "tickformat": ",",
    "ticksuffix": " ms",
    "tickfont": {"family": _FONT, "size": 11},
    "fixedrange": True,
}
_HOVER = {Range.HOUR: "%H:%M:%S", Range.DAY: "%-d %b %H:%M"}


@dataclass(frozen=True, slots=True)
class View:
    """What a chart shows besides its points: the range that ends at `now`, times as in `zone`.

    `bands` are (start, end) of incidents, `step_s` the usual seconds between two points, `since` when the check was
    added.
    """

    span: Range
    now: datetime
    zone: tzinfo
    step_s: float
    threshold_ms: float | None = None
    bands: Sequence[tuple[datetime, datetime | None]] = ()
    since: datetime | None = None

    @property
    def start(self) -> datetime:
        """The range's begin; for a check that is younger than an hour, the moment when it was added."""
        start = self.now - self.span.length
        if self.span is not Range.HOUR or self.since is None:
            return start
        return max(start, min(self.since, self.now - _LEAST_SHOWN))

    def local(self, at: datetime) -> str:
        """The time as plotly reads it, which knows no zones."""
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def figure(series: Series, view: View, *, phases: bool) -> dict[str, Any]:
    """The whole figure; with `phases` their stacked areas stand for the line."""
    lines = _stacked(series, view) if phases and series.phases else _line(series, view)
    return {
        "data": (*lines, *_marks(series, view), *_threshold(series, view)),
        "layout": _layout(view, has_latency=any(value is not None for value in series.latency)),
        "config": {"displayModeBar": False, "responsive": True, "doubleClick": "reset"},
    }


def points(series: Series, view: View) -> dict[str, tuple[Any, ...]]:
    """Columns of the line: x, y and the text for the pointer; a None where results are missing."""
    times: list[str] = []
    latencies: list[float | None] = []
    texts: list[str] = []
    before: datetime | None = None
    for index, at in enumerate(series.at):
        if before is not None and (at - before).total_seconds() > _GAP_STEPS * view.step_s:
            times.append(view.local(before + timedelta(seconds=view.step_s)))
            latencies.append(None)
            texts.append("")
        times.append(view.local(at))
        latencies.append(_rounded(series.latency[index]))
        texts.append(_phases_in_words(series, index))
        before = at
    return {"x": tuple(times), "y": tuple(latencies), "text": tuple(texts)}


def mark_times(series: Series, view: View, *, failed: bool) -> tuple[str, ...]:
    """When results failed, or when nothing could be known."""
    return tuple(
        view.local(at)
        for at, latency, is_failed in zip(series.at, series.latency, series.failed, strict=True)
        if is_failed == failed and (failed or latency is None)
    )


def x_range(view: View) -> tuple[str, str]:
    return view.local(view.start), view.local(view.now)


def area(line: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Columns of what is filled below the line: plotly would fill across a gap, so the area falls to zero around it."""
    times: list[str] = []
    heights: list[float] = []
    before: tuple[str, float | None] = ("", None)
    for at, latency in zip(line["x"], line["y"], strict=True):
        if latency is None and before[1] is not None:
            times.append(before[0])
            heights.append(0.0)
        if latency is not None:
            times += [at] if before[1] is not None else [at, at]
            heights += [latency] if before[1] is not None else [0.0, latency]
        before = (at, latency)
    return {"x": tuple(times), "y": tuple(heights)}


def _line(series: Series, view: View) -> list[dict[str, Any]]:
    line = points(series, view)
    below = {
        "uid": "area",
        "type": "scatter",
        "mode": "none",
        "fill": "tozeroy",
        "hoverinfo": "skip",
        **area(line),
    }
    above = {
        "uid": "latency",
        "type": "scatter",
        "mode": "lines+markers" if len(series.at) < 3 else "lines",
        "line": {"width": 1.6},
        "connectgaps": False,
        "hovertemplate": "<b>%{y:,.4~r} ms</b>%{text}<extra></extra>",
        **line,
    }
    return [below, above]


def _stacked(series: Series, view: View) -> list[dict[str, Any]]:
    """One area for each phase; where results are missing they fall to nothing and rise again.

    All phases are there, also those that nobody had: plotly draws an area into the element of the line below it, and
    the stylesheet counts on which one that is.
    """
    return [
        {
            "uid": f"phase-{name.replace('_', '-')}",
            "name": PHASE_WORDS[name],
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "phases",
            "line": {"width": 1},
            "hovertemplate": "%{fullData.name} %{y:,.4~r} ms<extra></extra>",
            **_phase_points(series, values, view),
        }
        for name, values in series.phases.items()
    ]


def _phase_points(series: Series, values: Sequence[float | None], view: View) -> dict[str, tuple[Any, ...]]:
    times: list[str] = []
    heights: list[float] = []
    before: datetime | None = None
    for at, value in zip(series.at, values, strict=True):
        if before is not None and (at - before).total_seconds() > _GAP_STEPS * view.step_s:
            times += [view.local(before + timedelta(milliseconds=1)), view.local(at - timedelta(milliseconds=1))]
            heights += [0.0, 0.0]
        times.append(view.local(at))
        heights.append(_rounded(value) or 0.0)
        before = at
    return {"x": tuple(times), "y": tuple(heights)}


def _marks(series: Series, view: View) -> list[dict[str, Any]]:
    """Failures and unknown results, on a line of their own below the plot: neither is a latency of zero."""
    return [
        {
            "uid": uid,
            "type": "scatter",
            "mode": "markers",
            "yaxis": "y2",
            "marker": {"symbol": symbol, "size": 7},
            "hovertemplate": f"<b>{word}</b><extra></extra>",
            "x": x,
            "y": (0,) * len(x),
        }
        for uid, word, symbol, x in (
            ("failed", "Failed", "x", mark_times(series, view, failed=True)),
            ("unknown", "Unknown", "circle-open", mark_times(series, view, failed=False)),
        )
    ]


def _threshold(series: Series, view: View) -> list[dict[str, Any]]:
    highest = max((value for value in series.latency if value is not None), default=0.0)
    if view.threshold_ms is None or view.threshold_ms > max(highest, 1.0) * _THRESHOLD_REACH:
        return []
    return [
        {
            "uid": "threshold",
            "type": "scatter",
            "mode": "lines",
            "line": {"dash": "dash", "width": 1},
            "hoverinfo": "skip",
            "x": (view.local(view.start), view.local(view.now + view.span.length)),
            "y": (view.threshold_ms, view.threshold_ms),
        }
    ]


def _layout(view: View, *, has_latency: bool) -> dict[str, Any]:
    return {
        "uirevision": view.span.value,
        "height": 250,
        "margin": {"l": 58, "r": 8, "t": 8, "b": 22},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hovermode": "x unified",
        "hoverlabel": {"font": {"family": _FONT, "size": 12}},
        "dragmode": False if view.span is Range.HOUR else "zoom",
        "xaxis": {
            "type": "date",
            "anchor": "y2",
            "range": x_range(view),
            "tickformat": _TICKS[view.span],
            "hoverformat": _HOVER.get(view.span, "%a %-d %b %H:%M"),
            "nticks": 6,
            "showgrid": False,
            "zeroline": False,
            "spikethickness": 1,
            "tickfont": {"family": _FONT, "size": 11},
            "fixedrange": view.span is Range.HOUR,
        },
        "yaxis": {"rangemode": "tozero", "domain": (0.07, 1), **_Y_AXIS, "visible": has_latency},
        "yaxis2": {"domain": (0, 0.05), "visible": False, "range": (-1, 1), "fixedrange": True},
        "shapes": tuple(shape for band in view.bands for shape in _band(view, *band)),
    }


def _band(view: View, start: datetime, end: datetime | None) -> tuple[dict[str, Any], ...]:
    """An incident: a soft red band from a line; one that lasts runs on beyond the end."""
    until = view.local(end or view.now + view.span.length)
    common = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    area = common | {"type": "rect", "x0": view.local(start), "x1": until, "line": {"width": 0}}
    edge = common | {"type": "line", "x0": view.local(start), "x1": view.local(start)}
    return (
        area | {"fillcolor": "rgba(244, 90, 98, .16)"},
        edge | {"line": {"width": 1, "color": "rgba(244, 90, 98, .9)"}},
    )


def _phases_in_words(series: Series, index: int) -> str:
    parts = [
        f"{PHASE_WORDS[name]} {_rounded(values[index]):,.4g}"
        for name, values in series.phases.items()
        if values[index] is not None
    ]
    return f"<br>{' · '.join(parts)}" if parts else ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
