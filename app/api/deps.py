"""What endpoints ask for: the actor of the bearer token, and a transaction that ends before the answer is sent."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import Unauthenticated
from app.usecases.accounts import actor_for
from app.usecases.actor import Actor
from app.usecases.context import Context
from app.usecases.tokens import Audience

_bearer = HTTPBearer(auto_error=False, description="A token from POST /api/v1/auth/token.")


def _context(request: Request) -> Context:
    context = request.app.state.context
    assert isinstance(context, Context)  # noqa: S101  main puts it there
    return context


Ctx = Annotated[Context, Depends(_context)]


async def _transaction(context: Ctx) -> AsyncIterator[AsyncSession]:
    async with context.database.transaction() as session:
        yield session


Session = Annotated[AsyncSession, Depends(_transaction, scope="function")]


async def _actor(context: Ctx, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Actor:
    if credentials is None:
        raise Unauthenticated("Send a token: Authorization: Bearer <token from POST /api/v1/auth/token>.")
    claims = context.tokens.read(credentials.credentials, Audience.API)
    async with context.database.transaction() as session:
        return await actor_for(session, claims.session_id, claims.user_id)


CurrentActor = Annotated[Actor, Depends(_actor)]
