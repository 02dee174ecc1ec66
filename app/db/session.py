"""The engine, and transactions whose announcements go out only after the commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
from sqlalchemy import URL, make_url
from sqlalchemy import exc as sa_errors
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import NotFound, StartError
from app.live.bus import Bus, BusMessage, Topic

_ANNOUNCEMENTS = "announcements"
# The server gives up first; the client's deadline is for a server that hangs.
_STATEMENT_TIMEOUT_MS = 10_000
TRANSACTION_DEADLINE_S = 15.0

# Errors that say nothing about what was asked: the database is away, hangs, or is locked. Trying again later may help.
DATABASE_AWAY: tuple[type[Exception], ...] = (
    TimeoutError,
    OSError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    sa_errors.OperationalError,
    sa_errors.InterfaceError,
    sa_errors.TimeoutError,
)


class Database:
    """What a process needs to read and change state: `async with database.transaction() as session`."""

    def __init__(self, engine: AsyncEngine, bus: Bus, deadline_s: float = TRANSACTION_DEADLINE_S) -> None:
        self.engine = engine
        self.bus = bus
        self.deadline_s = deadline_s

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Commit at the end, roll back on an exception.

        Raises TimeoutError after `deadline_s` seconds, and the 5 to 10 more that the driver gives a server that hangs
        to answer its request to cancel; after that the connection is closed, and the next one is new. Raises NotFound
        when asked for a number that is too large to be of any row.
        """
        async with asyncio.timeout(self.deadline_s):
            async with AsyncSession(self.engine, expire_on_commit=False) as session:
                try:
                    async with session.begin():
                        yield session
                except sa_errors.DataError as error:
                    if isinstance(error.orig, psycopg.errors.NumericValueOutOfRange):
                        raise NotFound() from None
                    raise
                waiting = session.info.get(_ANNOUNCEMENTS, [])
        await self.bus.publish(waiting)

    async def close(self) -> None:
        await self.bus.close()
        await self.engine.dispose()


def announce(session: AsyncSession, topic: Topic, team_id: int, **data: Any) -> None:
    """Tell every process after this session's commit; nothing is told when it rolls back."""
    session.info.setdefault(_ANNOUNCEMENTS, []).append(BusMessage(topic, team_id, data))


def make_engine(url: str, pool_size: int = 10) -> AsyncEngine:
    """An engine for `url` (any spelling that `engine_url` takes)."""
    return create_async_engine(
        engine_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c timezone=UTC -c statement_timeout={_STATEMENT_TIMEOUT_MS} "
            "-c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000",
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )


def engine_url(url: str) -> URL:
    """`postgres://`, `postgresql://` and `postgresql+psycopg://` all mean psycopg; raises StartError for others."""
    try:
        parsed = make_url(url)
    except Exception:
        raise StartError("DATABASE_URL is not a URL. Write postgresql://user:password@host:5432/database.") from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise StartError("DATABASE_URL must start with postgresql://. Other databases are not supported.")
    return parsed.set(drivername="postgresql+psycopg")


def libpq_url(url: str) -> str:
    """The same database in the form that psycopg and libpq read."""
    return engine_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def driver_connection(session: AsyncSession) -> psycopg.AsyncConnection[Any]:
    """The psycopg connection under `session`'s transaction, for COPY and for deferring jobs."""
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, psycopg.AsyncConnection)  # noqa: S101  the engine is made above, on psycopg
    return connection
