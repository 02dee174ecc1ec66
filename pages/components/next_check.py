"""When the next check comes, ticking in the browser."""

from nicegui import ui

from app.usecases.service_view import ServiceView


class NextCheck(ui.element, component="next_check.js"):
    """`show` sets it anew; between two calls the browser counts by itself."""

    def __init__(self, view: ServiceView) -> None:
        super().__init__()
        self._told = 0
        self.show(view)

    def show(self, view: ServiceView) -> None:
        if not view.checks:
            phase = "none"
        elif view.is_paused:
            phase = "paused"
        else:
            phase = "running" if view.is_running or view.due_in_s is None else "waits"
        self.set(phase, view.due_in_s or 0.0)

    def set(self, phase: str, due_in_s: float = 0.0) -> None:
        """`phase` is waits, running, paused or none."""
        self._told += 1
        self.props["phase"], self.props["due"], self.props["told"] = phase, due_in_s, self._told
