"""The response times of one check over a range, live for the last hour."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import quantiles

from nicegui import ui

from app.core import clock
from app.usecases import history, incidents
from app.usecases.history import Range, Series
from app.usecases.service_view import CheckView
from pages import session as page_session
from pages.components.browser import zone
from pages.components.latency_figure import PHASE_WORDS, View, area, figure, mark_times, points, x_range
from pages.components.parts import Text
from pages.components.plot import Plot

_AREA, _LINE, _FAILED, _UNKNOWN = range(4)


class LatencyChart:
    """A card with the chart of one check. `load` reads everything anew, `follow` appends what came since."""

    def __init__(self, check: CheckView, span: Range) -> None:
        self._check = check
        self._span = span
        self._series: Series | None = None
        self._view: View | None = None
        self._with_phases = False
        with ui.element("section").classes("card chart-card").props('data-testid="latency-chart"'):
            with ui.element("div").classes("card-title wrap"):
                Text("Response time", "h2")
                self._figures = Text("").classes("muted num").props('data-testid="percentiles"')
                ui.element("span").classes("spacer")
                self._draw_legend()
            self._plot = Plot({"data": (), "layout": {}}).classes("chart")
            self._note = Text("", "div").classes("chart-note")

    async def load(self, check: CheckView) -> None:
        """Read the series and the incidents, and draw."""
        self._check = check
        now, local, actor = clock.now(), await zone(), page_session.actor()
        async with page_session.transaction() as session:
            series = await history.latency(session, actor, self._check.id, self._span, now)
            found = await incidents.list_incidents(session, actor, service_id=self._check.check.service_id)
        spells = [(view.incident.opened_at, view.incident.resolved_at) for view in found]
        self._view = View(
            span=self._span,
            now=now,
            zone=local,
            step_s=series.step_s or self._check.check.interval_s,
            threshold_ms=self._check.check.degraded_ms,
            bands=[(start, end) for start, end in spells if end is None or end > now - self._span.length],
            since=self._check.check.created_at,
        )
        self._series = series
        self._draw()

    async def follow(self) -> None:
        """Take the results that came since the last. Only the last hour shows single ones."""
        if self._span is not Range.HOUR or self._view is None or self._series is None:
            return
        now = clock.now()
        since = self._series.at[-1] if self._series.at else now - self._span.length
        async with page_session.transaction() as session:
            new = await history.latency_around(session, page_session.actor(), self._check.id, since, now)
        if new.at:
            self._append(new, replace(self._view, now=now))

    def _append(self, new: Series, view: View) -> None:
        old, self._view = self._series, view
        assert old is not None  # noqa: S101  `follow` looked
        self._series = joined(old, new, view)
        if self._with_phases or not old.at:
            self._draw()
            return
        added = points(_from(self._series, len(self._series.at) - len(new.at) - 1), view)
        drawn = {name: column[:1] for name, column in added.items()}
        skipped = len(area(drawn)["x"])
        below = {name: (column[skipped:],) for name, column in area(added).items()}
        line = {name: (column[1:],) for name, column in added.items()}
        self._plot.run_plot_method("extendTraces", below, (_AREA,))
        self._plot.run_plot_method("extendTraces", line, (_LINE,))
        for trace, failed in ((_FAILED, True), (_UNKNOWN, False)):
            times = mark_times(new, view, failed=failed)
            if times:
                self._plot.run_plot_method("extendTraces", {"x": (times,), "y": ((0,) * len(times),)}, (trace,))
        self._plot.run_plot_method("relayout", {"xaxis.range": x_range(view)})
        self._show_figures()

    def _draw(self) -> None:
        assert self._series is not None  # noqa: S101  it was just read
        assert self._view is not None  # noqa: S101
        self._plot.update_figure(figure(self._series, self._view, phases=self._with_phases))
        self._show_figures()

    def _show_figures(self) -> None:
        assert self._series is not None  # noqa: S101
        self._figures.text = in_figures(self._series)
        self._note.text = "" if self._series.at else "No results in this time."
        has_phases = any(value is not None for values in self._series.phases.values() for value in values)
        self._legend.set_visibility(has_phases)

    def _draw_legend(self) -> None:
        self._legend = ui.element("button").classes("phase-legend").on("click", self._toggle, args=[])
        self._legend.props('type=button aria-pressed=false title="Show the phases of each request"')
        with self._legend:
            for name, word in PHASE_WORDS.items():
                Text(word).classes(f"phase phase-{name.replace('_', '-')}")

    def _toggle(self) -> None:
        self._with_phases = not self._with_phases
        self._legend.props["aria-pressed"] = str(self._with_phases).lower()
        if self._series is not None:
            self._draw()


def joined(old: Series, new: Series, view: View) -> Series:
    """Both series in one, without what is before the view."""
    skip = sum(at <= view.start for at in old.at)
    latency = (*old.latency[skip:], *new.latency)
    p50, p95 = percentiles(latency)
    return Series(
        step_s=old.step_s,
        at=(*old.at[skip:], *new.at),
        latency=latency,
        failed=(*old.failed[skip:], *new.failed),
        phases={name: (*values[skip:], *new.phases[name]) for name, values in old.phases.items()},
        p50=p50,
        p95=p95,
    )


def percentiles(latency: Sequence[float | None]) -> tuple[float | None, float | None]:
    """p50 and p95 by linear interpolation, as the database reckons them."""
    known = [value for value in latency if value is not None]
    if len(known) < 2:
        return (known[0], known[0]) if known else (None, None)
    cuts = quantiles(known, n=20, method="inclusive")
    return cuts[9], cuts[18]


def in_figures(series: Series) -> str:
    """What stands beside the chart's title."""
    if series.p50 is not None and series.p95 is not None:
        return f"p50 {series.p50:,.0f} ms · p95 {series.p95:,.0f} ms"
    known = [value for value in series.latency if value is not None]
    return f"mean {sum(known) / len(known):,.0f} ms" if known else ""


def _from(series: Series, index: int) -> Series:
    index = max(index, 0)
    return replace(
        series,
        at=series.at[index:],
        latency=series.latency[index:],
        failed=series.failed[index:],
        phases={name: values[index:] for name, values in series.phases.items()},
    )
