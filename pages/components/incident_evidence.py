"""The failing check of an incident: its response times around the failure, and what it saw when it failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nicegui import ui

from app.core import clock
from app.usecases import checks, history
from models import Check, Incident
from pages import session as page_session
from pages.components.browser import zone
from pages.components.latency_figure import PHASE_WORDS, View, figure
from pages.components.parts import Text
from pages.components.plot import Plot
from pages.components.waterfall import waterfall
from probes.base import Phases

_BEFORE, _AFTER = timedelta(minutes=80), timedelta(minutes=40)
_HEIGHT = 170
_BODY = 2000


@dataclass(frozen=True, slots=True)
class Window(View):
    """Two hours, most of them before the failure; a young incident has less to show after it."""

    @property
    def start(self) -> datetime:
        return self.now - (_BEFORE + _AFTER)


class FailureChart:
    """`load` reads the results and draws them; once the window is over nothing changes any more."""

    def __init__(self, incident: Incident) -> None:
        self._incident = incident
        with ui.element("section").classes("card chart-card"):
            with ui.element("div").classes("card-title"):
                Text("Response time", "h2")
                Text("around the failure").classes("muted")
            self._plot = Plot({"data": (), "layout": {"height": _HEIGHT}}).classes("chart failure-chart")
            self._plot.props["data-testid"] = "failure-chart"
            self._note = Text("", "div").classes("chart-note")

    @property
    def is_over(self) -> bool:
        return clock.now() > self._incident.opened_at + _AFTER

    async def load(self, incident: Incident) -> None:
        self._incident = incident
        local = await zone()
        async with page_session.transaction() as session:
            actor = page_session.actor()
            check = await checks.get_check(session, actor, incident.check_id)
            view = self._window(check, local)
            series = await history.latency_around(session, actor, incident.check_id, view.start, view.now)
        drawn = figure(series, view, phases=False)
        drawn["layout"]["height"] = _HEIGHT
        drawn["layout"]["xaxis"]["nticks"] = 5
        if series.at:  # a young check has nothing to show of the time before its first result
            start = max(view.start, series.at[0])
            drawn["layout"]["xaxis"]["range"] = (view.local(start), view.local(view.now))
        self._plot.update_figure(drawn)
        self._note.text = "" if series.at else "The results of this time are gone."

    def _window(self, check: Check, local: Any) -> Window:
        incident = self._incident
        end = min(clock.now(), incident.opened_at + _AFTER)
        return Window(
            span=history.Range.HOUR,
            now=end,
            zone=local,
            step_s=check.interval_s,
            threshold_ms=check.degraded_ms,
            bands=((incident.opened_at, incident.resolved_at),),
        )


def failing_check(evidence: Mapping[str, Any]) -> None:
    """Phases, status line, headers and the beginning of the answer, as the check saw them when the incident opened."""
    with ui.element("section").classes("card").props("data-testid=evidence"):
        Text("Failing check", "h2").classes("card-title")
        if not evidence:
            Text("What the check saw is gone.", "p").classes("muted")
            return
        phases = {name: evidence["phases"].get(name) for name in PHASE_WORDS}
        if any(took is not None for took in phases.values()):
            waterfall(Phases(**phases))
        facts = evidence["facts"]
        for words in filter(None, (_status_line(evidence, facts), _headers(facts))):
            Text(words, "div").classes("mono muted evidence")
        if body := str(facts.get("body", ""))[:_BODY].strip():
            Text(body, "pre").classes("mono muted evidence body")


def _status_line(evidence: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Such as "HTTP/1.1 502 Bad Gateway · from 192.0.2.1"; of an answer that was only slow, how long it took."""
    version = f"HTTP/{facts['http_version']} " if facts.get("http_version") else ""
    latency = evidence.get("latency_ms")
    message = str(evidence.get("message") or "") or (f"answered after {latency:,.0f} ms" if latency is not None else "")
    address = f"from {facts['address']}" if facts.get("address") else ""
    return " · ".join(filter(None, (f"{version}{message}".strip(), address)))


def _headers(facts: Mapping[str, Any]) -> str:
    return " · ".join(f"{name}: {value}" for name, value in (facts.get("headers") or {}).items())
