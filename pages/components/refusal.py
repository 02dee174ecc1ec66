"""What people are told when the server says no: a toast for what they did, a page for where they went."""

from collections.abc import Iterator
from contextlib import contextmanager

from loguru import logger
from nicegui import ui

from app.core.errors import Forbidden, Invalid, UsecaseError
from app.db.session import DATABASE_AWAY
from pages import session as page_session
from pages.components.buttons import link
from pages.components.parts import Text
from pages.frame import frame


@contextmanager
def refusals() -> Iterator[None]:
    """Turn a refused request into a toast with its reason. The caller puts right what the page shows.

    Invalid passes: a form knows better where to show it.
    """
    try:
        yield
    except Invalid:
        raise
    except UsecaseError as error:
        ui.notify(error.message, type="negative")
    except DATABASE_AWAY as error:
        logger.bind(error=type(error).__name__).warning("A page's request was not answered by the database")
        ui.notify("The database does not answer. Nothing was changed; try again.", type="negative")


def refused_page(error: UsecaseError, href: str = "/services", words: str = "All services") -> None:
    """The page for an address that leads to nothing of this team's, or to what the role doesn't allow."""
    ui.context.client.status_code = error.status_code
    title = "This is not for your role" if isinstance(error, Forbidden) else "There is nothing here"
    with frame(title, "services", page_session.actor()), ui.element("div").classes("empty"):
        Text(title, "h2")
        Text(error.message, "p")
        link(words, href, "primary")
