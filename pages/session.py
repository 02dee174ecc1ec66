"""Who looks at the page, and what the page works with. The guard has put both into the request's scope."""

from contextlib import AbstractAsyncContextManager

from nicegui import ui
from sqlmodel.ext.asyncio.session import AsyncSession

from app.usecases.actor import Actor
from app.usecases.context import Context


def actor() -> Actor:
    """The person at the current page. Ask anew in each event handler: the role may have changed since."""
    who: Actor = ui.context.client.request.scope["actor"]
    return who


def context() -> Context:
    made: Context = ui.context.client.request.scope["context"]
    return made


def transaction() -> AbstractAsyncContextManager[AsyncSession]:
    """A transaction for one action of the page; what it announces goes out after the commit."""
    return context().database.transaction()
