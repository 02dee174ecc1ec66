"""People, their teams and their sessions; and the setup of a new installation."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.errors import Conflict, Forbidden, Invalid, Unauthenticated
from app.core.text import clean
from app.db.session import announce
from app.domain.access import Role
from app.live.bus import Topic
from app.usecases.actor import Actor
from app.usecases.passwords import Passwords, check_length
from app.usecases.validation import validated
from models import AuthSession, Installation, Membership, Team, User

THEMES = ("auto", "dark", "light")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_COLOURS = ("#6c5ce7", "#0f8b8d", "#b3246d", "#1d5fc0", "#137a38", "#935a08", "#7a3fe0", "#c2410c")


def normal_email(email: str) -> str:
    """The form in which addresses are stored and compared."""
    return clean(email).strip().lower()


def _email(value: str) -> str:
    found = normal_email(value)
    if not _EMAIL.fullmatch(found):
        raise ValueError("Write an address like name@example.com.")
    return found


def _named(value: str) -> str:
    found = clean(value).strip()
    if not found:
        raise ValueError("Fill this in.")
    return found


Name = Annotated[str, Field(max_length=100), AfterValidator(_named)]


class NewUser(BaseModel):
    """An account and its first team, which is made when there is none of that name."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    email: Annotated[str, Field(max_length=254), AfterValidator(_email)]
    name: Name
    password: str
    team: Name
    role: Role = Role.VIEWER


async def ensure_setup_token(session: AsyncSession) -> str | None:
    """A new one-time token for the setup page, or None when setup is done; older tokens are void. Only told once."""
    await (await session.connection()).execute(text("INSERT INTO installation (id) VALUES (1) ON CONFLICT DO NOTHING"))
    token = secrets.token_urlsafe(32)
    waiting = update(Installation).where(col(Installation.id) == 1, col(Installation.setup_done_at).is_(None))
    renewed = await session.exec(waiting.values(setup_token_hash=_hashed(token)))
    return token if renewed.rowcount else None


async def needs_setup(session: AsyncSession) -> bool:
    row = await session.get(Installation, 1)
    return row is None or row.setup_done_at is None


async def check_setup_token(session: AsyncSession, token: str) -> None:
    """Raise Conflict when setup is done, Forbidden for a token that isn't the present one."""
    row = await session.get(Installation, 1)
    if row is not None and row.setup_done_at is not None:
        raise Conflict("Pulseboard is set up already. Sign in.")
    if row is None or not hmac.compare_digest(_hashed(token), row.setup_token_hash or ""):
        raise Forbidden("This setup link is not valid. The newest one is in Pulseboard's output since its last start.")


async def complete_setup(session: AsyncSession, passwords: Passwords, token: str, values: dict[str, Any]) -> User:
    """Make the first admin; of many at once exactly one succeeds, and afterwards nobody does.

    `values` are NewUser's without the role. Raises Forbidden, Conflict, or Invalid with the fields to mend.
    """
    await check_setup_token(session, token)
    form = new_user(values | {"role": Role.ADMIN})
    # The row is locked until the end of the transaction: whoever comes second finds it done.
    closed = await session.exec(
        update(Installation)
        .where(col(Installation.setup_done_at).is_(None), col(Installation.setup_token_hash) == _hashed(token))
        .values(setup_done_at=clock.now(), setup_token_hash=None)
    )
    if not closed.rowcount:
        raise Conflict("Pulseboard is set up already. Sign in.")
    return await create_user(session, passwords, form)


def new_user(values: dict[str, Any]) -> NewUser:
    """Validate what a form or a command gave; raises Invalid with every field to mend."""
    fields: dict[str, str] = {}
    try:
        check_length(str(values.get("password", "")))
    except Invalid as error:
        fields = error.fields
    try:
        form = validated(NewUser, values)
    except Invalid as error:
        raise Invalid(fields | error.fields) from None
    if fields:
        raise Invalid(fields)
    return form


async def create_user(session: AsyncSession, passwords: Passwords, form: NewUser) -> User:
    """Make the account, for whoever runs the installation; an admin closes the setup page.

    Raises Invalid when the address is taken.
    """
    user = User(
        email=form.email,
        name=form.name,
        avatar_color=_COLOURS[sum(form.email.encode()) % len(_COLOURS)],
        password_hash=await passwords.hash(form.password),
        created_at=clock.now(),
    )
    try:
        async with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise Invalid({"email": "There is an account with this address already."}) from None
    team = await _team(session, form.team)
    session.add(Membership(team_id=team.id or 0, user_id=user.id or 0, role=form.role))
    if form.role is Role.ADMIN:
        await _close_setup(session)
    await session.flush()
    return user


async def open_session(session: AsyncSession, user_id: int, lifetime: timedelta) -> AuthSession:
    """Start a session of a new random id; those of this user that have ended by themselves are forgotten."""
    now = clock.now()
    await session.exec(
        delete(AuthSession).where(col(AuthSession.user_id) == user_id, col(AuthSession.expires_at) < now)
    )
    opened = AuthSession(id=secrets.token_urlsafe(24), user_id=user_id, created_at=now, expires_at=now + lifetime)
    session.add(opened)
    await session.flush()
    return opened


async def revoke_session(session: AsyncSession, session_id: str) -> None:
    """End the session in every process; one that has ended already stays as it is."""
    query = (
        update(AuthSession)
        .where(col(AuthSession.id) == session_id, col(AuthSession.revoked_at).is_(None))
        .values(revoked_at=clock.now())
        .returning(col(AuthSession.user_id))
    )
    user_id = (await session.exec(query)).scalar_one_or_none()
    if user_id is not None:
        announce(session, Topic.SESSIONS, 0, user_id=user_id)


async def actor_for(session: AsyncSession, session_id: str, user_id: int, team_id: int | None = None) -> Actor:
    """Who a session speaks for, in `team_id` or the first team of theirs.

    Raises Unauthenticated when the session has ended, the user is disabled, or is in no such team.
    """
    found = (await actors_for(session, {session_id}, team_id)).get(session_id)
    if found is None or found.user_id != user_id:
        raise Unauthenticated()
    return found


async def actors_for(
    session: AsyncSession, session_ids: Collection[str], team_id: int | None = None
) -> dict[str, Actor]:
    """The actors of those sessions that still stand, by session id."""
    query = (
        select(AuthSession.id, User, Membership.role, Team)
        .join(User, col(User.id) == AuthSession.user_id)
        .join(Membership, col(Membership.user_id) == User.id)
        .join(Team, col(Team.id) == Membership.team_id)
        .where(
            col(AuthSession.id).in_(session_ids),
            col(AuthSession.revoked_at).is_(None),
            col(AuthSession.expires_at) > clock.now(),
            col(User.disabled_at).is_(None),
        )
        .order_by(col(Team.id).desc())
    )
    if team_id is not None:
        query = query.where(Membership.team_id == team_id)
    # Of several teams the first overwrites the others.
    return {found: _actor(found, user, Role(role), team) for found, user, role, team in await session.exec(query)}


async def set_theme(session: AsyncSession, actor: Actor, theme: str) -> None:
    """Remember auto, dark or light for the person, in all their browsers."""
    if theme not in THEMES:
        raise Invalid({"theme": f"Choose one of {', '.join(THEMES)}."})
    await session.exec(update(User).where(col(User.id) == actor.user_id).values(theme=theme))
    announce(session, Topic.SESSIONS, 0, user_id=actor.user_id)


def _actor(session_id: str, user: User, role: Role, team: Team) -> Actor:
    return Actor(
        user_id=user.id or 0,
        name=user.name,
        email=user.email,
        team_id=team.id or 0,
        team_name=team.name,
        role=role,
        theme=user.theme,
        avatar_color=user.avatar_color,
        session_id=session_id,
    )


async def _team(session: AsyncSession, name: str) -> Team:
    query = text("INSERT INTO team (name, last_incident, created_at) VALUES (:name, 0, :now) ON CONFLICT DO NOTHING")
    await (await session.connection()).execute(query, {"name": name, "now": clock.now()})
    return (await session.exec(select(Team).where(Team.name == name))).one()


async def _close_setup(session: AsyncSession) -> None:
    query = text(
        "INSERT INTO installation (id, setup_done_at) VALUES (1, :now) ON CONFLICT (id) DO UPDATE "
        "SET setup_done_at = coalesce(installation.setup_done_at, excluded.setup_done_at), setup_token_hash = NULL"
    )
    await (await session.connection()).execute(query, {"now": clock.now()})


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
