"""What people do with services, on real PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.db.session import Database
from app.domain.status import Status
from app.live.bus import BusMessage, Topic
from app.usecases import checks, incidents, services
from app.usecases.actor import Actor
from app.usecases.service_view import ServiceView, view_service
from models import Service
from tests.builders import SEALER, add_check, id_of, set_status
from tests.kit.eventually import value
from tests.usecases.people import NUMBER, People, make_people

CHECK = {"kind": "http", "config": {"url": "http://127.0.0.1:1/"}}
VALUES = {"name": "search-api", "group": "Storefront", "tags": ["EU", "public"]}

Action = Callable[[AsyncSession, Actor, int], Awaitable[object]]
ACTIONS: dict[str, Action] = {
    "edit": lambda session, actor, service: services.edit_service(session, actor, service, VALUES),
    "pause": lambda session, actor, service: services.pause_service(session, actor, service, paused=True),
    "delete": services.delete_service,
    "check now": services.check_service_now,
    "add a check": lambda session, actor, service: checks.add_check(session, actor, service, CHECK, SEALER),
}
READS: dict[str, Action] = {
    "get": services.get_service,
    "view": view_service,
    "loss": services.loss_of,
}


@pytest.fixture
async def people(database: Database) -> People:
    return await make_people(database)


async def do(people: People, action: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    async with people.database.transaction() as session:
        return await action(session)


async def add(people: People, values: dict[str, Any], check: dict[str, Any] | None = None) -> Service:
    service: Service = await do(people, lambda s: services.add_service(s, people.ann, values, check, SEALER))
    return service


async def view(people: People) -> ServiceView:
    found: ServiceView = await do(people, lambda s: view_service(s, people.vic, id_of(people.service)))
    return found


async def due_in_s(people: People) -> float:
    seconds = (await view(people)).due_in_s
    assert seconds is not None
    return seconds


async def test_a_service_is_added_with_its_check_due_at_once(people: People) -> None:
    service = await add(people, VALUES, CHECK)
    shown = await do(people, lambda s: view_service(s, people.vic, id_of(service)))
    assert (shown.service.name, shown.service.group, shown.service.tags) == (
        "search-api",
        "Storefront",
        ["eu", "public"],
    )
    assert [check.label for check in shown.checks] == ["GET http://127.0.0.1:1/"]
    assert shown.status is Status.PENDING
    assert shown.due_in_s <= 0


async def test_nothing_is_added_when_its_check_is_wrong(people: People) -> None:
    with pytest.raises(Invalid) as refused:
        await add(people, VALUES, CHECK | {"config": {"url": "ftp://x"}})
    assert set(refused.value.fields) == {"url"}
    assert await value(people.database, "SELECT count(*) FROM service WHERE name = 'search-api'") == 0


async def test_all_wrong_values_of_a_check_are_named_together(people: People) -> None:
    with pytest.raises(Invalid) as refused:
        await add(people, VALUES, {"kind": "http", "config": {"url": ""}, "interval_s": 1, "timeout_s": "x"})
    assert set(refused.value.fields) == {"url", "interval_s", "timeout_s"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "\x00\x07"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a", "group": "x" * 81}, "group"),
        ({"name": "a", "tags": ["x" * 41]}, "tags"),
        ({"name": "checkout-api"}, "name"),
    ],
)
async def test_a_wrong_value_is_refused_under_its_field(people: People, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await add(people, values)
    assert set(refused.value.fields) == {field}


async def test_two_teams_may_use_one_name(people: People) -> None:
    service = await do(people, lambda s: services.add_service(s, people.zoe, {"name": "checkout-api"}, None, SEALER))
    assert service.team_id == people.zoe.team_id


async def test_control_characters_and_doubled_tags_are_left_out(people: People) -> None:
    service = await add(people, {"name": "a\x00b\u202e", "tags": ["x", "X", "\x07"]})
    assert (service.name, service.tags) == ("ab", ["x"])


async def test_an_edit_replaces_the_values_and_counts_the_version(people: People) -> None:
    service_id = id_of(people.service)
    edited = await do(people, lambda s: services.edit_service(s, people.ann, service_id, VALUES | {"version": 1}))
    assert (edited.name, edited.version) == ("search-api", 2)
    assert (await view(people)).service.name == "search-api"


async def test_an_edit_of_an_old_version_is_refused(people: People) -> None:
    service_id = id_of(people.service)
    await do(people, lambda s: services.edit_service(s, people.ann, service_id, VALUES))
    with pytest.raises(Conflict):
        await do(people, lambda s: services.edit_service(s, people.ann, service_id, {"name": "b", "version": 1}))
    assert (await view(people)).service.name == "search-api"


async def test_of_two_edits_at_the_same_moment_one_is_refused(people: People) -> None:
    service_id = id_of(people.service)
    barrier = asyncio.Barrier(2)

    async def edit(name: str) -> object:
        async with people.database.transaction() as session:
            await services.get_service(session, people.ann, service_id)
            await barrier.wait()
            return await services.edit_service(session, people.ann, service_id, {"name": name, "version": 1})

    results = await asyncio.gather(edit("one"), edit("other"), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Service"]


async def test_an_edit_to_a_name_that_is_taken_is_refused_under_its_field(people: People) -> None:
    await add(people, VALUES)
    with pytest.raises(Invalid) as refused:
        await do(people, lambda s: services.edit_service(s, people.ann, id_of(people.service), VALUES))
    assert set(refused.value.fields) == {"name"}


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_viewer_may_not(people: People, action: str) -> None:
    with pytest.raises(Forbidden):
        await do(people, lambda s: ACTIONS[action](s, people.vic, id_of(people.service)))


async def test_a_viewer_may_not_add(people: People) -> None:
    with pytest.raises(Forbidden):
        await do(people, lambda s: services.add_service(s, people.vic, VALUES, None, SEALER))


async def test_a_developer_may_check_now_but_not_edit(people: People) -> None:
    await do(people, lambda s: services.check_service_now(s, people.dev, id_of(people.service)))
    with pytest.raises(Forbidden):
        await do(people, lambda s: ACTIONS["edit"](s, people.dev, id_of(people.service)))


@pytest.mark.parametrize("action", ACTIONS | READS)
async def test_another_teams_service_does_not_exist(people: People, action: str) -> None:
    with pytest.raises(NotFound):
        await do(people, lambda s: (ACTIONS | READS)[action](s, people.zoe, id_of(people.service)))
    assert (await view(people)).service.version == 1


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**70])
async def test_a_service_that_can_not_be_is_not_found(people: People, number: int) -> None:
    with pytest.raises(NotFound):
        await do(people, lambda s: services.get_service(s, people.ann, number))


async def test_other_teams_services_are_not_listed(people: People) -> None:
    await add(people, VALUES)
    mine = await do(people, lambda s: services.list_services(s, people.vic))
    assert [service.name for service in mine] == ["checkout-api", "search-api"]
    assert await do(people, lambda s: services.list_services(s, people.zoe)) == []


async def test_the_loss_counts_what_goes(people: People) -> None:
    await do(people, lambda s: incidents.comment(s, people.dev, NUMBER, "rolling back"))
    await do(people, lambda s: incidents.acknowledge(s, people.dev, NUMBER))
    loss = await do(people, lambda s: services.loss_of(s, people.ann, id_of(people.service)))
    assert (loss.checks, loss.incidents, loss.comments) == (1, 1, 1)
    assert str(loss) == "checkout-api with its history, 1 check, 1 incident and 1 comment"


@pytest.mark.parametrize(
    ("counts", "words"), [((0, 0, 0), "x with its history"), ((2, 0, 3), "x with its history, 2 checks and 3 comments")]
)
def test_the_loss_reads_as_a_sentence(counts: tuple[int, int, int], words: str) -> None:
    assert str(services.Loss("x", *counts)) == words


async def test_deleting_takes_everything_with_it_and_tells_the_boards(people: People) -> None:
    told: list[BusMessage] = []
    for topic in (Topic.SERVICES, Topic.INCIDENTS):
        people.database.bus.subscribe(topic, told.append)
    await do(people, lambda s: services.delete_service(s, people.ann, id_of(people.service)))
    for table in ("service", '"check"', "check_schedule", "check_state", "incident"):
        assert await value(people.database, f"SELECT count(*) FROM {table}") == 0
    assert {message.topic for message in told} == {Topic.SERVICES, Topic.INCIDENTS}


async def test_pausing_a_service_pauses_every_check_of_it(people: People) -> None:
    async with people.database.transaction() as session:
        await add_check(session, people.service)
    await do(people, lambda s: services.pause_service(s, people.ann, id_of(people.service), paused=True))
    paused = await view(people)
    assert paused.is_paused
    assert paused.status is Status.PAUSED
    assert paused.due_in_s is None
    await do(people, lambda s: services.pause_service(s, people.ann, id_of(people.service), paused=False))
    resumed = await view(people)
    assert not resumed.is_paused
    assert resumed.status is Status.PENDING


async def test_check_now_makes_every_check_due(people: People) -> None:
    await do(people, _put_off)
    assert await due_in_s(people) > 3000
    started = await do(people, lambda s: services.check_service_now(s, people.dev, id_of(people.service)))
    assert started == 1
    assert await due_in_s(people) <= 0


async def test_what_people_do_is_written_down_with_their_name(people: People) -> None:
    service = await add(people, VALUES)
    await do(people, lambda s: services.delete_service(s, people.ann, id_of(service)))
    kinds = await value(people.database, "SELECT array_agg(kind || ' ' || (data ->> 'actor') ORDER BY id) FROM event")
    assert kinds == ["service_added Ann", "service_deleted Ann"]


async def test_a_service_shows_the_worst_of_its_checks_that_run(people: People) -> None:
    async with people.database.transaction() as session:
        other = await add_check(session, people.service)
        await set_status(session, other, Status.DOWN)
    assert (await view(people)).status is Status.DOWN
    await do(people, lambda s: _pause(s, people, id_of(other)))
    assert (await view(people)).status is Status.PENDING


async def _put_off(session: AsyncSession) -> None:
    await (await session.connection()).execute(text("UPDATE check_schedule SET due_at = now() + interval '1 hour'"))


async def _pause(session: AsyncSession, people: People, check_id: int) -> None:
    await checks.set_paused(session, people.ann, await checks.get_check(session, people.ann, check_id), paused=True)
