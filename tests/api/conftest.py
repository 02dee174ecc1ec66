"""The REST API over a real database, asked in process; clients for people of each role and of another team."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from app.api import install
from app.core.addresses import probe_policy
from app.core.settings import Settings
from app.db.session import Database
from app.domain.access import Role
from app.usecases.accounts import create_user, new_user, open_session
from app.usecases.context import Context
from app.usecases.passwords import Passwords
from app.usecases.sign_in import SignIn
from app.usecases.tokens import Audience, Claims, Tokens
from tests.builders import SEALER

PASSWORD = "correct horse battery"

ClientOf = Callable[[Role, str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def context(database: Database) -> AsyncIterator[Context]:
    tokens = Tokens(b"a signing key of the tests, 32 bytes at least")
    passwords = Passwords(b"pepper", cost=4)
    async with httpx.AsyncClient() as http:
        yield Context(
            settings=Settings(),
            database=database,
            sealer=SEALER,
            tokens=tokens,
            passwords=passwords,
            sign_in=SignIn(database, passwords, tokens),
            boards={},
            http=http,
            address_policy=probe_policy(),
        )
    passwords.close()


@pytest.fixture
async def anonymous(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    api = FastAPI(openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    api.state.context = context
    install(api)
    transport = httpx.ASGITransport(app=api)
    async with httpx.AsyncClient(transport=transport, base_url="http://pulseboard.test") as client:
        yield client


@pytest.fixture
async def client_of(context: Context, anonymous: httpx.AsyncClient) -> AsyncIterator[ClientOf]:
    """A client that sends a person's token; the person is made anew in the team of that name."""
    opened: list[httpx.AsyncClient] = []

    async def make(role: Role, team: str = "Payments") -> httpx.AsyncClient:
        email = f"{role.value}-{len(opened)}@example.com"
        form = new_user({"email": email, "name": email, "password": PASSWORD, "team": team, "role": role})
        async with context.database.transaction() as session:
            user = await create_user(session, context.passwords, form)
            started = await open_session(session, user.id or 0, timedelta(hours=1))
        token = context.tokens.issue(Claims(user.id or 0, started.id, started.expires_at), Audience.API)
        headers = {"Authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(transport=anonymous._transport, base_url=anonymous.base_url, headers=headers)
        opened.append(client)
        return client

    yield make
    for client in opened:
        await client.aclose()


@pytest.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    return await client_of(Role.ADMIN, "Payments")
