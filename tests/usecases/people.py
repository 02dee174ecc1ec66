"""A team with one person of each role and an incident, and a second team that must see none of it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.db.session import Database
from app.domain.access import Role
from app.domain.incident import Severity
from app.usecases import incidents
from app.usecases.actor import Actor
from app.usecases.incidents import TimelineEntry
from models import Check, Event, Incident, Service, Team, User
from tests.builders import add_check, add_service, add_team, add_user, id_of

NUMBER = 1


def actor_of(team: Team, user: User, role: Role) -> Actor:
    return Actor(id_of(user), user.name, user.email, id_of(team), team.name, role)


@dataclass(frozen=True, slots=True)
class People:
    """The actors' names start with their roles' letters: Ann, Dev and Dora, Vic; Zoe is the admin of another team."""

    database: Database
    team: Team
    service: Service
    ann: Actor
    dev: Actor
    dora: Actor
    vic: Actor
    zoe: Actor

    async def incident(self) -> Incident:
        async with self.database.transaction() as session:
            return (await incidents.get_incident(session, self.vic, NUMBER)).incident

    async def incident_id(self) -> int:
        return id_of(await self.incident())

    async def lines(self, after_id: int = 0) -> list[TimelineEntry]:
        async with self.database.transaction() as session:
            return await incidents.timeline(session, self.vic, NUMBER, after_id)

    async def events(self) -> list[Event]:
        return [entry.event for entry in await self.lines()]


async def make_people(database: Database) -> People:
    async with database.transaction() as session:
        team, other = await add_team(session), await add_team(session, "Search")

        async def member(name: str, role: Role, of: Team = team) -> Actor:
            user = await add_user(session, of, f"{name}@example.com", role)
            return actor_of(of, user, role)

        service = await add_service(session, team)
        await add_incident(session, await add_check(session, service))
        return People(
            database=database,
            team=team,
            service=service,
            ann=await member("ann", Role.ADMIN),
            dev=await member("dev", Role.DEVELOPER),
            dora=await member("dora", Role.DEVELOPER),
            vic=await member("vic", Role.VIEWER),
            zoe=await member("zoe", Role.ADMIN, other),
        )


async def add_incident(session: AsyncSession, check: Check, number: int = NUMBER, **values: Any) -> Incident:
    """An open incident of the check; `values` are columns of Incident."""
    columns: dict[str, Any] = {
        "title": "checkout-api is down",
        "severity": Severity.CRITICAL,
        "opened_at": clock.now(),
    } | values
    incident = Incident(
        team_id=check.team_id, number=number, service_id=check.service_id, check_id=id_of(check), **columns
    )
    session.add(incident)
    await session.flush()
    return incident


async def until_somebody_waits_for_a_lock(database: Database) -> None:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(20), database.engine.connect() as connection:
        while not (await connection.execute(query)).scalar_one():
            await connection.rollback()
            await asyncio.sleep(0.01)
