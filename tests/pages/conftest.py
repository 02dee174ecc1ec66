"""A real browser before a real web process on a real database. One of each serves all tests; each test has a team."""

import asyncio
import contextlib
import os
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from app.core.crypto import signing_key
from app.db.embedded import APP_ROLE, EmbeddedPostgres
from app.db.session import Database, libpq_url, make_engine
from app.live.postgres_bus import PostgresBus
from app.usecases.tokens import Tokens
from tests.builders import MASTER_KEY
from tests.pages.stage import Stage, WebProcess, open_stage

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HERE = Path(__file__).parent
_START_S = 90.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser and database connections live on one event loop, so all tests here run on it."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def pages_database_url(
    postgres: EmbeddedPostgres, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[str]:
    name = f"pages_{uuid.uuid4().hex}"
    postgres_admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} OWNER {APP_ROLE} STRATEGY FILE_COPY")
    yield postgres.url(name)
    postgres_admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def web_process(pages_database_url: str, session_data_dir: Path) -> AsyncIterator[WebProcess]:
    """`pulseboard web` as people run it."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PULSEBOARD_")} | {
        "DATABASE_URL": pages_database_url,
        "PULSEBOARD_DATA_DIR": str(session_data_dir / "pages"),
        "PULSEBOARD_PORT": str(port),
        "PULSEBOARD_SECRET_KEY": MASTER_KEY.decode(),
        "PULSEBOARD_NOTIFY_ALLOW": "127.0.0.1",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.cli", "web", env=environment)
    try:
        await _answering(process, f"http://127.0.0.1:{port}/healthz")
        yield WebProcess(port, process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pages_database(pages_database_url: str) -> AsyncIterator[Database]:
    """The web process's database, on a bus that it hears."""
    bus = PostgresBus(libpq_url(pages_database_url))
    await bus.start()
    database = Database(make_engine(pages_database_url), bus)
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(chromium: Browser, web_process: WebProcess, pages_database: Database) -> AsyncIterator[Stage]:
    """A new team with an admin, and browsers in which they are signed in."""
    async with open_stage(chromium, web_process, pages_database, Tokens(signing_key(MASTER_KEY))) as opened:
        yield opened


async def _answering(process: asyncio.subprocess.Process, url: str) -> None:
    async with asyncio.timeout(_START_S), httpx.AsyncClient(trust_env=False) as client:
        while True:
            assert process.returncode is None, "the web process ended while it started"
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
