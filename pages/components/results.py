"""The last results of a check as a table: one element, however many rows."""

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from app.core.palette import STATUS_LOOKS
from models import CheckResult
from models.result import Level
from pages.components.latency_figure import PHASE_WORDS

_STATUSES = {Level.UP: "up", Level.DEGRADED: "degraded", Level.DOWN: "down", Level.UNKNOWN: "unknown"}


class Results(ui.element, component="results.js"):
    """Newest first; times are shown in the browser's zone."""

    def __init__(self) -> None:
        super().__init__()
        self.props["phases"] = tuple((name.replace("_", "-"), word) for name, word in PHASE_WORDS.items())
        self.show(())

    def show(self, results: Sequence[CheckResult]) -> None:
        self.props["rows"] = tuple(_row(result) for result in results)


def _row(result: CheckResult) -> tuple[Any, ...]:
    look = STATUS_LOOKS[_STATUSES[Level(result.level)]]
    phases = tuple(getattr(result, f"{name}_ms") for name in PHASE_WORDS)
    answer = (result.code, result.message or "")
    return (result.at.timestamp(), look.token, look.symbol, look.word, result.latency_ms, phases, *answer)
