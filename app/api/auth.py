"""Tokens for programs, and who they speak for."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app.api.deps import Ctx, CurrentActor, Session
from app.domain.access import Role
from app.usecases import accounts
from app.usecases.sign_in import Attempt
from app.usecases.tokens import Audience

router = APIRouter(tags=["account"])


class Credentials(BaseModel):
    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=4096)]


class TokenPublic(BaseModel):
    """Send it as `Authorization: Bearer <access_token>`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the type's name
    expires_at: datetime


class Me(BaseModel):
    """The person that the token speaks for, in one team."""

    id: int
    name: str
    email: str
    team_id: int
    team: str
    role: Role
    theme: str


class ThemeForm(BaseModel):
    theme: Literal["auto", "dark", "light"]


@router.post("/auth/token", status_code=201)
async def make_token(form: Credentials, request: Request, context: Ctx) -> TokenPublic:
    """Sign in; too many attempts answer 429 with Retry-After."""
    address = request.client.host if request.client else ""
    signed_in = await context.sign_in(Attempt(form.email, form.password, address), Audience.API)
    return TokenPublic(access_token=signed_in.token, expires_at=signed_in.claims.expires_at)


@router.delete("/auth/token", status_code=204)
async def revoke_token(session: Session, actor: CurrentActor) -> None:
    """Sign out: the token of this request is void everywhere."""
    await accounts.revoke_session(session, actor.session_id)


@router.get("/me")
async def me(actor: CurrentActor) -> Me:
    return Me(
        id=actor.user_id,
        name=actor.name,
        email=actor.email,
        team_id=actor.team_id,
        team=actor.team_name,
        role=actor.role,
        theme=actor.theme,
    )


@router.put("/me/theme", status_code=204)
async def set_theme(form: ThemeForm, session: Session, actor: CurrentActor) -> None:
    await accounts.set_theme(session, actor, form.theme)
