"""The list of all services: one element, fed by the board's snapshot and frames."""

from nicegui import ui

from app.core.palette import STATUS_LOOKS
from app.domain.access import Permission
from app.usecases.actor import Actor


class ServicesTable(ui.element, component="services_table.js"):
    """The page must be in a frame with `board=True`. The browser filters by ?q= of the address."""

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        looks = STATUS_LOOKS.items()
        self.props["palette"] = tuple(
            (status, look.word, look.symbol, look.letter, look.token) for status, look in looks
        )
        self.props["can-add"] = actor.may(Permission.MANAGE_SERVICES)
