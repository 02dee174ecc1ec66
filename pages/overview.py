"""The overview: every service of the team at a glance."""

from nicegui import ui

from pages import session
from pages.components.board import Board
from pages.frame import frame


def register() -> None:
    ui.page("/")(overview)


def overview() -> None:
    actor = session.actor()
    with frame("Overview", "overview", actor, board=True):
        Board(actor)
