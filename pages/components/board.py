"""The overview's board: one element, fed by the snapshot and by frames, whatever the number of services."""

from nicegui import ui

from app.core.palette import SEVERITY_STATUS, STATUS_LOOKS
from app.domain.access import Permission
from app.usecases.actor import Actor

SNAPSHOT = "/board/snapshot"

_PALETTE = tuple((status, look.word, look.symbol, look.letter, look.token) for status, look in STATUS_LOOKS.items())


class Board(ui.element, component="board.js"):
    """Counters, open incidents, services in three views, activity. The page must be in a frame with `board=True`."""

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        self._props["palette"] = _PALETTE
        self._props["severities"] = dict(SEVERITY_STATUS)
        self._props["can-add"] = actor.may(Permission.MANAGE_SERVICES)
        # Asked for while the scripts still load: the first paint doesn't wait for one after the other.
        ui.add_head_html(f'<script>window.pulseSnapshot = fetch("{SNAPSHOT}")</script>')
