"""Rows that tests need, made the short way: a team with a service and an HTTP check that is due at once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.crypto import Sealer
from app.domain.access import Role
from app.domain.status import Status
from app.usecases.channels import channel_context
from app.usecases.configs import seal_config
from models import Channel, Check, CheckSchedule, CheckState, Membership, Service, Team, User
from notifiers import NOTIFIERS

MASTER_KEY = b"a master key of the tests, 32 bytes or more"
SEALER = Sealer(MASTER_KEY)


def id_of(row: Any) -> int:
    """The id of a row that was flushed."""
    assert isinstance(row.id, int)
    return row.id


async def add_team(session: AsyncSession, name: str = "Payments") -> Team:
    team = Team(name=name, created_at=clock.now())
    session.add(team)
    await session.flush()
    return team


async def add_user(session: AsyncSession, team: Team, email: str = "ann@example.com", role: Role = Role.ADMIN) -> User:
    """A member of `team` whose password hash fits no password."""
    user = User(email=email, name=email.partition("@")[0].title(), password_hash="!", created_at=clock.now())
    session.add(user)
    await session.flush()
    session.add(Membership(team_id=id_of(team), user_id=id_of(user), role=role))
    await session.flush()
    return user


async def add_service(session: AsyncSession, team: Team, name: str = "checkout-api") -> Service:
    service = Service(team_id=id_of(team), name=name, created_at=clock.now())
    session.add(service)
    await session.flush()
    return service


async def add_check(session: AsyncSession, service: Service, url: str = "http://127.0.0.1:1/", **values: Any) -> Check:
    """An HTTP check with its schedule (due since a second) and its state (pending). `values` are columns of Check."""
    timing = {"interval_s": 30, "timeout_s": 5, "retries": 0, "retry_interval_s": 1, "recoveries": 1}
    columns = timing | {"kind": "http", "config": {"url": url}} | values
    check = Check(team_id=service.team_id, service_id=id_of(service), created_at=clock.now(), **columns)
    session.add(check)
    await session.flush()
    now = clock.now()
    session.add(CheckSchedule(check_id=id_of(check), team_id=check.team_id, due_at=now - timedelta(seconds=1)))
    session.add(CheckState(check_id=id_of(check), team_id=check.team_id, since=now, updated_at=now))
    await session.flush()
    return check


async def add_channel(session: AsyncSession, team: Team, webhook_url: str, name: str = "#oncall") -> Channel:
    """A Slack channel that posts to `webhook_url`, its secret sealed with SEALER."""
    channel = Channel(team_id=id_of(team), kind="slack", name=name, config={}, created_at=clock.now())
    session.add(channel)
    await session.flush()
    config = NOTIFIERS["slack"].config.model_validate({"webhook_url": webhook_url})
    channel.config = seal_config(config, SEALER, channel_context(channel))
    await session.flush()
    return channel


async def set_status(session: AsyncSession, check: Check, status: Status, seq: int = 1) -> None:
    """Put the check's confirmed status, as if `seq` transitions had led there."""
    state = await session.get_one(CheckState, id_of(check))
    state.status, state.seq = status, seq
    await session.flush()


async def make_due(session: AsyncSession, check: Check) -> None:
    """Due now, whatever its schedule said; a run under way keeps its lease's slot."""
    query = text("UPDATE check_schedule SET due_at = now() WHERE check_id = :id")
    await (await session.connection()).execute(query, {"id": id_of(check)})


@dataclass(frozen=True, slots=True)
class Fleet:
    """A team, its one service, and the service's checks."""

    team: Team
    service: Service
    checks: list[Check]


async def add_fleet(session: AsyncSession, urls: list[str], team_name: str = "Payments", **values: Any) -> Fleet:
    """A team of its own with one check for each URL; `values` as for `add_check`."""
    team = await add_team(session, team_name)
    service = await add_service(session, team)
    return Fleet(team, service, [await add_check(session, service, url, **values) for url in urls])
