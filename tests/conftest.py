"""The real PostgreSQL of the tests: one server per test process, one migrated template, one database per test."""

import socket
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from app.db.embedded import ADMIN_ROLE, APP_ROLE, EmbeddedPostgres
from app.db.migrate import upgrade
from app.db.session import Database, libpq_url, make_engine
from app.live.bus import LocalBus

_TEMPLATE = "pulseboard_template"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "120"}


@pytest.fixture(scope="session")
def session_data_dir() -> Iterator[Path]:
    """Not pytest's own temporary folder: its mode is reset by each session that starts, under our server's feet."""
    with tempfile.TemporaryDirectory(prefix="pulseboard-test-") as folder:
        yield Path(folder)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty data folder for a test that starts a server of its own."""
    with tempfile.TemporaryDirectory(prefix="pulseboard-test-") as folder:
        yield Path(folder) / "data"


@pytest.fixture(scope="session")
def clean_cluster() -> Iterator[Path]:
    """A data folder whose server was started once and stopped."""
    with tempfile.TemporaryDirectory(prefix="pulseboard-test-") as folder:
        with EmbeddedPostgres(Path(folder) / "data", _FAST):
            pass
        yield Path(folder) / "data"


@pytest.fixture
def made_data_dir(data_dir: Path, clean_cluster: Path) -> Path:
    """A copy of that folder for one test, which saves it the first start."""
    subprocess.run(["cp", "-a", str(clean_cluster), str(data_dir)], check=True)
    return data_dir


@pytest.fixture(scope="session")
def postgres(session_data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The server; not durable, so that tests are fast. Tests must not stop it: start your own for that."""
    with EmbeddedPostgres(session_data_dir, _FAST) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_admin(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """A superuser's connection in autocommit, to make and drop databases."""
    with psycopg.connect(libpq_url(postgres.url("postgres", ADMIN_ROLE)), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres, postgres_admin: psycopg.Connection) -> str:
    """A database that has been migrated to head; cloned for each test."""
    postgres_admin.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {APP_ROLE}")
    upgrade(postgres.url(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def database_url(
    postgres: EmbeddedPostgres, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh, migrated database; dropped afterwards whoever still holds it."""
    name = f"test_{uuid.uuid4().hex}"
    postgres_admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} OWNER {APP_ROLE} STRATEGY FILE_COPY")
    yield postgres.url(name)
    postgres_admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh database with a bus of its own process only; rows to begin with are in tests.builders."""
    opened = Database(make_engine(database_url), LocalBus())
    yield opened
    await opened.close()


@pytest.fixture
def free_port() -> int:
    """A TCP port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
