"""One server for all tests here, on a database of its own; each test has a team and people of its own."""

import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from app.core.settings import Settings
from app.db.embedded import APP_ROLE, EmbeddedPostgres
from app.db.session import Database, libpq_url, make_engine
from app.domain.access import Role
from app.live.postgres_bus import PostgresBus
from app.usecases.accounts import open_session
from app.usecases.tokens import Audience, Claims
from tests.builders import MASTER_KEY, add_team, add_user, id_of
from tests.web.people import Person
from tests.web.server import RunningServer, ServerThread


@pytest.fixture(scope="session")
def web_database_url(
    postgres: EmbeddedPostgres, postgres_admin: psycopg.Connection, template_database: str
) -> Iterator[str]:
    name = f"web_{uuid.uuid4().hex}"
    postgres_admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} OWNER {APP_ROLE} STRATEGY FILE_COPY")
    yield postgres.url(name)
    postgres_admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def server(web_database_url: str) -> Iterator[RunningServer]:
    with tempfile.TemporaryDirectory(prefix="pulseboard-test-") as folder:
        settings = Settings(
            data_dir=Path(folder),
            database_url=SecretStr(web_database_url),
            secret_key=SecretStr(MASTER_KEY.decode()),
        )
        with ServerThread(settings) as running:
            yield running


@pytest.fixture
async def web_database(web_database_url: str, server: RunningServer) -> AsyncIterator[Database]:
    """The server's database, changed from outside: what is done here reaches the server only as it would any other."""
    url = libpq_url(web_database_url)
    bus = PostgresBus(url)
    await bus.start()
    database = Database(make_engine(web_database_url), bus)
    yield database
    await database.close()


@pytest.fixture
def clean_installation(web_database_url: str, server: RunningServer) -> None:
    """As before the setup: nobody, no team."""
    with psycopg.connect(libpq_url(web_database_url), autocommit=True) as connection:
        connection.execute("TRUNCATE user_account, team, installation CASCADE")


@pytest.fixture
async def ann(web_database: Database, server: RunningServer) -> Person:
    """An admin of a new team, signed in."""
    return await sign_in_somebody(web_database, server, Role.ADMIN)


@pytest.fixture
async def bob(web_database: Database, server: RunningServer) -> Person:
    """An admin of another new team, signed in."""
    return await sign_in_somebody(web_database, server, Role.ADMIN)


async def sign_in_somebody(database: Database, server: RunningServer, role: Role) -> Person:
    name = uuid.uuid4().hex[:10]
    async with database.transaction() as session:
        team = await add_team(session, f"Team {name}")
        user = await add_user(session, team, f"{name}@example.com", role)
        opened = await open_session(session, id_of(user), timedelta(hours=1))
    token = server.context.tokens.issue(Claims(id_of(user), opened.id, opened.expires_at), Audience.WEB)
    return Person(server.origin, user, id_of(team), opened.id, token)


@pytest.fixture
async def anonymous(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that nobody has signed in with; it follows no redirects by itself."""
    async with httpx.AsyncClient(base_url=server.origin, headers={"Origin": server.origin}, trust_env=False) as client:
        yield client
