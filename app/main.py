"""The composition root of a web process: everything it needs is made here, once, and handed on."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
import uvloop
from fastapi import FastAPI

import pages
from app import api
from app.core import crypto
from app.core.addresses import probe_policy
from app.core.data_dir import open_data_dir
from app.core.errors import StartError
from app.core.settings import Settings
from app.db.location import database_url, own_ports
from app.db.session import Database, libpq_url, make_engine
from app.live.board import TeamBoard
from app.live.postgres_bus import PostgresBus
from app.live.presence import Presence
from app.usecases.context import Context
from app.usecases.passwords import COST, Passwords
from app.usecases.sign_in import SignIn
from app.usecases.tokens import Tokens
from app.web.feed import Feed
from app.web.install import Web, install
from notifiers.egress import build_client
from pages.live import Live

_BACKLOG = 2048
_GRACE_S = 3


def run_web(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises StartError when the process can't start."""
    with _listen(settings.host, settings.port) as listener:
        uvloop.run(make_server(build_app(settings)).serve(sockets=[listener]))


def make_server(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        # NiceGUI's addresses hold the ids that prove who a socket is: no log of accesses.
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return uvicorn.Server(config)


def build_app(settings: Settings, password_cost: int = COST) -> FastAPI:
    """The whole web process as one ASGI app; it opens connections only when its lifespan starts.

    `app.state.context` is the Context; `password_cost` is bcrypt's. Raises StartError when there is no database to use
    or the master key can't be read.
    """
    context = _make_context(settings, password_cost)
    viewers = Live(context.database.bus, context.boards)
    presence = Presence(context.database.bus)
    feed = Feed(context.database, context.boards, viewers.hurry, presence.with_viewers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _start(stack, context, web)
            for loop, name in ((viewers.run(), "live"), (presence.run(), "presence")):
                stack.push_async_callback(_cancel, asyncio.create_task(loop, name=name))
            yield

    app = FastAPI(title="Pulseboard", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.context = context
    api.install(app)
    pages.register(viewers, presence)
    web = install(app, context, feed)
    return app


def _make_context(settings: Settings, password_cost: int) -> Context:
    url = database_url(settings)
    master = crypto.load_or_create_key(open_data_dir(settings.data_dir), settings.secret_key)
    database = Database(make_engine(url), PostgresBus(libpq_url(url)))
    passwords, tokens = Passwords(crypto.pepper(master), password_cost), Tokens(crypto.signing_key(master))
    boards: dict[int, TeamBoard] = {}
    return Context(
        settings=settings,
        database=database,
        sealer=crypto.Sealer(master),
        tokens=tokens,
        passwords=passwords,
        sign_in=SignIn(database, passwords, tokens),
        boards=boards,
        http=build_client(settings.notify_allow),
        address_policy=probe_policy(own_ports(settings, url)),
    )


async def _start(stack: AsyncExitStack, context: Context, web: Web) -> None:
    stack.callback(context.passwords.close)
    stack.push_async_callback(context.http.aclose)
    stack.push_async_callback(context.database.close)
    await context.database.bus.start()
    await web.feed.start()
    for loop, name in ((web.feed.run(), "feed"), (web.sockets.run(), "sockets")):
        stack.push_async_callback(_cancel, asyncio.create_task(loop, name=name))
    # What is alive now stays so: the collector need not look at it again, and looks seldom at the rest.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise StartError(
            f"Can't listen on {host}:{port} ({error.strerror}). Stop whatever uses it, or set PULSEBOARD_PORT."
        ) from None
    return listener
