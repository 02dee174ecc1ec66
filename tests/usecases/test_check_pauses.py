"""Pausing, resuming and running checks by hand, on real PostgreSQL."""

from functools import partial

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.session import Database
from app.domain.incident import IncidentStatus
from app.domain.status import Status
from app.live.bus import BusMessage, Topic
from app.usecases import checks
from app.usecases.results import judge, record
from models.incident import EventKind
from tests.builders import id_of, set_status
from tests.kit.eventually import value
from tests.usecases.check_steps import DOWN, add, claims, do, edit, first_check, public, set_paused
from tests.usecases.people import NUMBER, People, make_people


@pytest.fixture
async def people(database: Database) -> People:
    return await make_people(database)


async def test_pausing_parks_the_check_and_refuses_the_run_in_flight(people: People) -> None:
    check = await add(people)
    mine = next(claim for claim in await claims(people) if claim.check_id == check.id)
    await do(people, lambda s: set_paused(s, people.ann, id_of(check)))
    refused = await do(people, lambda s: record(s, [judge(mine, DOWN, mine.monotonic, mine.monotonic)]))
    assert refused == 1
    assert (await public(people, check)).status is Status.PAUSED
    due = "SELECT isfinite(due_at) FROM check_schedule WHERE check_id = :id"
    assert await value(people.database, due, id=check.id) is False


async def test_a_paused_check_is_not_made_due_by_hand_or_by_an_edit(people: People) -> None:
    check = await add(people)
    await do(people, lambda s: set_paused(s, people.ann, id_of(check)))
    await edit(people, check)
    assert await do(people, lambda s: checks.make_due(s, people.dev, [check.id])) == 0
    assert id_of(check) not in {claim.check_id for claim in await claims(people)}


async def test_resuming_starts_anew_and_at_once(people: People) -> None:
    check = await add(people)
    async with people.database.transaction() as session:
        await set_status(session, check, Status.DOWN)
    for paused in (True, False):
        await do(people, partial(set_paused, actor=people.ann, check_id=id_of(check), paused=paused))
    resumed = await public(people, check)
    assert (resumed.status, resumed.paused) == (Status.PENDING, False)
    mine = next(claim for claim in await claims(people) if claim.check_id == check.id)
    assert (mine.streak.status, mine.streak.count, mine.streak.seq) == (Status.PENDING, 0, 1)


async def test_an_open_incident_ends_with_the_pause_and_says_by_whom(people: People) -> None:
    await do(people, lambda s: _pause_first(s, people))
    incident = await people.incident()
    assert incident.status is IncidentStatus.RESOLVED
    assert incident.resolved_at is not None
    (line,) = await people.lines()
    assert (line.event.kind, line.author and line.author.name) == (EventKind.RESOLVED, "Ann")
    assert incident.number == NUMBER


async def test_pausing_twice_changes_nothing_more(people: People) -> None:
    for _ in range(2):
        await do(people, lambda s: _pause_first(s, people))
    assert (await first_check(people)).version == 2


async def test_check_now_leaves_a_running_check_alone(people: People) -> None:
    check = await add(people)
    await claims(people)
    assert await do(people, lambda s: checks.make_due(s, people.dev, [check.id])) == 0


async def test_check_now_wakes_the_workers(people: People) -> None:
    told: list[BusMessage] = []
    people.database.bus.subscribe(Topic.WAKE, told.append)
    check = await add(people)
    await do(people, lambda s: checks.make_due(s, people.dev, [check.id]))
    assert told


async def test_check_now_does_not_touch_another_teams_check(people: People) -> None:
    check = await add(people)
    assert await do(people, lambda s: checks.make_due(s, people.zoe, [check.id])) == 0


async def _pause_first(session: AsyncSession, people: People) -> None:
    (check,) = await checks.checks_of(session, people.ann, id_of(people.service))
    await checks.set_paused(session, people.ann, check, paused=True)
