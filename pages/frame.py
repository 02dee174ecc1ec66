"""What stands around every page: navigation, who is signed in, and word of a lost connection."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from app.usecases.actor import Actor
from pages import live, theme
from pages.components.nav import Nav


@contextmanager
def frame(title: str, active: str, actor: Actor, *, board: bool = False) -> Iterator[ui.element]:
    """Build a page inside the frame; yields its content.

    `active` is the name of the navigation's entry (see pages.components.nav). With `board` the browser also gets the
    frames of the team's board.
    """
    ui.page_title(f"{title} · Pulseboard")
    theme.choose(actor.theme)
    live.follow(ui.context.client, actor.team_id, board=board)
    Nav(active, actor, live.open_incidents(actor.team_id))
    with ui.element("div").classes("page") as content:
        yield content
