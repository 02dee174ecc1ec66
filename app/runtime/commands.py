"""The commands that do one thing with the database and end: prepare, seed the demo, make an account."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from app.core import clock
from app.core.crypto import Sealer, load_or_create_key, pepper
from app.core.settings import Settings
from app.db.embedded import EmbeddedPostgres, running_url
from app.db.migrate import upgrade
from app.db.session import Database, libpq_url, make_engine
from app.live.postgres_bus import PostgresBus
from app.runtime.zoo import DEMO_CAST
from app.usecases.accounts import create_user, ensure_setup_token, new_user
from app.usecases.demo import ADMIN, PASSWORD, seed_demo
from app.usecases.passwords import Passwords

_ZOO_PATIENCE_S = 30.0


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The configured database, else the embedded one that runs, else one that is started for this command alone."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
    elif (url := running_url(settings.data_dir)) is not None:
        yield url
    else:
        with EmbeddedPostgres(settings.data_dir) as server:
            yield server.url()


def migrate(settings: Settings) -> None:
    """Bring the schema up to date; raises StartError."""
    with database_url(settings) as url:
        upgrade(url)


def prepare(settings: Settings) -> str:
    """Migrate; returns the line with the one-time setup link, empty once setup is done."""

    async def token(url: str) -> str | None:
        async with _database(url) as database, database.transaction() as session:
            return await ensure_setup_token(session)

    with database_url(settings) as url:
        upgrade(url)
        found = asyncio.run(token(url))
    return f"Set it up, once, at {settings.public_url}/setup?token={found}" if found else ""


def seed(settings: Settings, zoo_port: int) -> str:
    """Migrate and make the demo's team and services; returns the line that says how to sign in."""
    key = load_or_create_key(settings.data_dir, settings.secret_key)

    async def run(url: str) -> None:
        async with _database(url) as database, database.transaction() as session:
            await seed_demo(session, Passwords(pepper(key)), Sealer(key), _zoo_urls(zoo_port))

    with database_url(settings) as url:
        upgrade(url)
        asyncio.run(run(url))
    _wait_for(zoo_port)
    return f"Sign in as {ADMIN} with the password: {PASSWORD}"


def add_user(settings: Settings, values: dict[str, Any]) -> str:
    """Make an account; returns its address. Raises Invalid with what to mend, and StartError."""
    form = new_user(values)
    key = load_or_create_key(settings.data_dir, settings.secret_key)

    async def run(url: str) -> str:
        async with _database(url) as database, database.transaction() as session:
            return (await create_user(session, Passwords(pepper(key)), form)).email

    with database_url(settings) as url:
        upgrade(url)
        return asyncio.run(run(url))


def _wait_for(port: int) -> None:
    """Return when somebody listens there; a zoo that doesn't come is a sight of its own, not a reason to stop."""
    deadline = clock.monotonic() + _ZOO_PATIENCE_S
    while clock.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    bus = PostgresBus(libpq_url(url))
    await bus.start()
    database = Database(make_engine(url, pool_size=1), bus)
    try:
        yield database
    finally:
        await database.close()


def _zoo_urls(port_base: int) -> Mapping[str, str]:
    hosts = enumerate(DEMO_CAST, start=port_base + 1)
    return {host.name: f"{'https' if host.tls else 'http'}://127.0.0.1:{port}/" for port, host in hosts}
