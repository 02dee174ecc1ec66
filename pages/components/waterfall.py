"""One run of a check, taken apart: what it found, and how long each phase took."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from app.domain.status import Policy, observe
from pages.components.latency_figure import PHASE_WORDS
from pages.components.parts import Text, pill
from probes.base import Phases, ProbeResult


def waterfall(phases: Phases) -> None:
    """A bar for each phase, beginning where the one before ended."""
    took = {name: getattr(phases, name) for name in PHASE_WORDS}
    reached = {name: ms for name, ms in took.items() if ms is not None}
    total = sum(reached.values()) or 1.0
    start = 0.0
    with ui.element("div").classes("bars waterfall").props('data-testid="waterfall"'):
        for name, ms in reached.items():
            Text(_title(PHASE_WORDS[name])).classes("small")
            with ui.element("div").classes("bar"):
                bar = ui.element("div").classes(f"phase-{name.replace('_', '-')}")
                bar.style(f"margin-left: {100 * start / total:.2f}%; width: max(3px, {100 * ms / total:.2f}%)")
            Text(f"{ms:,.1f} ms" if ms < 10 else f"{ms:,.0f} ms").classes("num muted small right")
            start += ms


def trial(result: ProbeResult, policy: Policy) -> None:
    """What "Test now" found, as it would count."""
    observed = observe(result.outcome, result.latency_ms, policy)
    with ui.element("div").classes("stack trial").props('data-testid="trial" aria-live=polite'):
        with ui.element("div").classes("line wrap"):
            pill(observed.value if observed else "unknown")
            Text(_headline(result)).classes("strong")
            if result.latency_ms is not None:
                Text(f"{result.latency_ms:,.0f} ms").classes("num muted")
        waterfall(result.phases)
        for line in _facts(result.facts):
            Text(line, "div").classes("mono small muted ellipsis").props["title"] = line


def _title(word: str) -> str:
    return word[0].upper() + word[1:]


def _headline(result: ProbeResult) -> str:
    if result.message:
        return result.message
    return f"Answered {result.code}" if result.code is not None else result.outcome.value.capitalize()


def _facts(facts: Mapping[str, Any]) -> list[str]:
    """What people look for first: the address, the certificate's days, the beginning of the answer."""
    version = facts.get("http_version")
    where = [f"from {facts['address']}" if "address" in facts else "", f"HTTP/{version}" if version else ""]
    excerpt = " ".join(str(facts.get("body", "")).split())[:300]
    return [line for line in (" · ".join(filter(None, where)), _certificate(facts), excerpt) if line]


def _certificate(facts: Mapping[str, Any]) -> str:
    days = facts.get("certificate_days")
    if days is None:
        return ""
    return f"certificate valid for {days:,} more days" if days >= 0 else f"certificate expired {-days:,} days ago"
