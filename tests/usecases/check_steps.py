"""What tests of checks do over and over."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.status import Outcome
from app.usecases import checks
from app.usecases.actor import Actor
from app.usecases.checks import Trial
from app.usecases.schedule import Claim, claim_due, load_configs
from models import Check
from models.check import CheckPublic
from probes.base import ProbeResult
from tests.builders import SEALER, id_of
from tests.usecases.people import People

URL = "http://127.0.0.1:1/"
HEADERS = {"Authorization": "Bearer s3cret", "Accept": "text/plain"}
VALUES: dict[str, Any] = {"kind": "http", "config": {"url": URL, "headers": HEADERS}, "interval_s": 60}
DOWN = ProbeResult(Outcome.DOWN, cause="status", message="500 Internal Server Error", code=500)

Action = Callable[[AsyncSession, Actor, int], Awaitable[object]]


async def set_paused(session: AsyncSession, actor: Actor, check_id: int, paused: bool = True) -> None:
    await checks.set_paused(session, actor, await checks.get_check(session, actor, check_id), paused)


ACTIONS: dict[str, Action] = {
    "edit": lambda session, actor, check: checks.edit_check(session, actor, check, VALUES, SEALER),
    "delete": checks.delete_check,
    "pause": set_paused,
    "try": lambda session, actor, check: checks.open_trial(session, actor, Trial(VALUES, check), SEALER),
}


async def do(people: People, action: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    async with people.database.transaction() as session:
        return await action(session)


async def add(people: People, values: dict[str, Any] | None = None) -> Check:
    wanted = VALUES if values is None else values
    check: Check = await do(people, lambda s: checks.add_check(s, people.ann, id_of(people.service), wanted, SEALER))
    return check


async def public(people: People, check: Check) -> CheckPublic:
    async def read(session: AsyncSession) -> CheckPublic:
        return await checks.public_check(session, await checks.get_check(session, people.vic, id_of(check)), SEALER)

    shown: CheckPublic = await do(people, read)
    return shown


async def opened(people: People, check: Check) -> Any:
    """The config as a worker reads it, secrets in the clear."""
    return (await do(people, lambda s: load_configs(s, [id_of(check)], SEALER)))[id_of(check)].config


async def claims(people: People) -> list[Claim]:
    found: list[Claim] = await do(people, lambda s: claim_due(s, 100))
    return found


async def first_check(people: People) -> Check:
    found: list[Check] = await do(people, lambda s: checks.checks_of(s, people.vic, id_of(people.service)))
    return found[0]


async def edit(people: People, check: Check, **values: Any) -> Check:
    wanted = VALUES | values
    edited: Check = await do(people, lambda s: checks.edit_check(s, people.ann, id_of(check), wanted, SEALER))
    return edited
