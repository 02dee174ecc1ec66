"""What `pulseboard demo` starts with: a team of three, and the services of the zoo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.crypto import Sealer
from app.domain.access import Role
from app.usecases.accounts import create_user, new_user
from app.usecases.actor import Actor
from app.usecases.passwords import Passwords
from app.usecases.services import add_service
from models import Membership, Team, User

TEAM = "Demo"
# Known to everybody: the demo listens on this machine only.
PASSWORD = "pulseboard demo"  # noqa: S105
ADMIN = "admin@demo.example"

_PEOPLE = (
    (ADMIN, "Alex Admin", Role.ADMIN),
    ("dana@demo.example", "Dana Developer", Role.DEVELOPER),
    ("vic@demo.example", "Vic Viewer", Role.VIEWER),
)


@dataclass(frozen=True, slots=True)
class _Exhibit:
    """A host of the zoo as the team knows it; `config` and `timing` are what differs from the defaults."""

    host: str
    name: str
    group: str
    tags: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)


_EXHIBITS = (
    _Exhibit("fast", "website", "Storefront", ("public",)),
    _Exhibit("drifting", "catalogue", "Storefront", ("public",), timing={"degraded_ms": 1200}),
    _Exhibit("slow", "search", "Storefront", ("public",), timing={"degraded_ms": 500}),
    _Exhibit("flapping", "payments", "Checkout", ("critical",)),
    _Exhibit("keyword", "status-api", "Checkout", config={"keyword": "All systems operational"}),
    # The zoo signs for itself, and nobody's trust store knows it.
    _Exhibit("secure", "login", "Checkout", ("critical",), config={"verify_tls": False}),
    _Exhibit("failing", "reports", "Back office"),
    _Exhibit("bad-tls", "partner-portal", "Back office"),
    _Exhibit("dead", "legacy-importer", "Back office"),
)


async def seed_demo(session: AsyncSession, passwords: Passwords, sealer: Sealer, urls: Mapping[str, str]) -> bool:
    """Make the demo's team, people and services; False when they are there already. `urls` by host of the zoo."""
    if (await session.exec(select(Team).where(Team.name == TEAM))).first() is not None:
        return False
    for email, name, role in _PEOPLE:
        form = new_user({"email": email, "name": name, "password": PASSWORD, "team": TEAM, "role": role})
        await create_user(session, passwords, form)
    actor = await _admin(session)
    for exhibit in _EXHIBITS:
        service = {"name": exhibit.name, "group": exhibit.group, "tags": list(exhibit.tags)}
        check = {"kind": "http", "config": {"url": urls[exhibit.host], **exhibit.config}}
        timing = {"interval_s": 5, "timeout_s": 4, "retries": 1, "retry_interval_s": 2, **exhibit.timing}
        await add_service(session, actor, service, check | timing, sealer)
    return True


async def _admin(session: AsyncSession) -> Actor:
    query = (
        select(User, Team)
        .join(Membership, col(Membership.user_id) == User.id)
        .join(Team, col(Team.id) == Membership.team_id)
        .where(User.email == ADMIN)
    )
    user, team = (await session.exec(query)).one()
    return Actor(user.id or 0, user.name, user.email, team.id or 0, team.name, Role.ADMIN)
