"""Who looks at the page, and the database behind it."""

from contextlib import AbstractAsyncContextManager

from nicegui import app as nicegui_app
from nicegui import ui
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.session import Database
from app.usecases.actor import Actor


def install(database: Database) -> None:
    """Make `database` the one that pages use."""
    nicegui_app.state.database = database


def transaction() -> AbstractAsyncContextManager[AsyncSession]:
    """A transaction for one action of a page; what it announces goes out after the commit."""
    database: Database = nicegui_app.state.database
    return database.transaction()


def actor() -> Actor:
    """The person whose request opened the current page; the guard has put them there."""
    who: Actor = ui.context.client.request.scope["actor"]
    return who
