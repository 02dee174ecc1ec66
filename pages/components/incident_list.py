"""The list of incidents: one element, however many rows."""

from collections.abc import Sequence
from typing import Any

from nicegui import ui

from app.usecases.incidents import IncidentView
from pages.components.incident_head import row_of


class IncidentList(ui.element, component="incident_list.js"):
    """Newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.show(())

    def show(self, views: Sequence[IncidentView]) -> None:
        self.props["rows"] = tuple(_row(view) for view in views)


def _row(view: IncidentView) -> dict[str, Any]:
    return row_of(view) | {"status_word": view.incident.status.value.capitalize()}
