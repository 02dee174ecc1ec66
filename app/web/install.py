"""Putting the web layer around a FastAPI app."""

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute, Mount

from app.usecases.context import Context
from app.web.feed import Feed
from app.web.forms import Forms
from app.web.guard import Guard
from app.web.headers import SecurityHeaders
from app.web.sessions import Sessions
from app.web.snapshot import Snapshot
from app.web.sockets import Sockets
from app.web.templates import FOLDER

_RECONNECT_S = 30
_HISTORY = 300


@dataclass(frozen=True, slots=True)
class Web:
    """What runs beside the server: the caller starts and ends it."""

    feed: Feed
    sockets: Sockets


def install(app: FastAPI, context: Context, feed: Feed) -> Web:
    """Add the plain pages, mount NiceGUI behind the guard. Other routes of `app` must have been added before."""
    sessions = Sessions(context.database, context.tokens)
    sockets = Sockets(sessions, context.database.bus)
    app.router.routes.extend([*Forms(context, sessions).routes(), *Snapshot(feed).routes()])
    ui.run_with(
        app,
        title="Pulseboard",
        favicon=FOLDER / "static" / "favicon.svg",
        dark=None,
        language="en-US",
        binding_refresh_interval=1.0,
        reconnect_timeout=_RECONNECT_S,
        message_history_length=_HISTORY,
        tailwind=False,
        show_welcome_message=False,
        # Compression must come after the nonces, so it is outermost below.
        gzip_middleware_factory=None,
    )
    sockets.install()
    app.add_middleware(Guard, context=context, sessions=sessions, routes=lambda: _routes(app))
    app.add_middleware(SecurityHeaders, settings=context.settings)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    return Web(feed, sockets)


def _routes(app: FastAPI) -> Iterable[BaseRoute]:
    """Every address that exists: ours, and NiceGUI's without the mount that takes all the rest."""
    yield from (route for route in app.router.routes if not (isinstance(route, Mount) and route.app is nicegui_app))
    yield from nicegui_app.router.routes
