"""How people set checks up, on real PostgreSQL."""

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.db.session import Database
from app.domain.status import Outcome
from app.usecases import checks
from app.usecases.actor import Actor
from app.usecases.checks import Trial
from app.usecases.configs import MASK
from app.usecases.results import judge, record
from probes.base import allow_all
from tests.builders import SEALER, add_check, id_of
from tests.kit.eventually import rows, value
from tests.usecases.check_steps import (
    ACTIONS,
    DOWN,
    HEADERS,
    URL,
    VALUES,
    add,
    claims,
    do,
    edit,
    first_check,
    opened,
    public,
)
from tests.usecases.people import People, make_people


@pytest.fixture
async def people(database: Database) -> People:
    return await make_people(database)


async def test_secrets_are_sealed_at_rest_and_masked_for_people(people: People) -> None:
    check = await add(people)
    stored = await value(people.database, 'SELECT config::text FROM "check" WHERE id = :id', id=check.id)
    assert "s3cret" not in stored
    assert (await public(people, check)).config["headers"] == {"Authorization": MASK, "Accept": MASK}
    assert (await opened(people, check)).headers == HEADERS


async def test_a_masked_secret_keeps_the_stored_one(people: People) -> None:
    check = await add(people)
    headers = {"Authorization": MASK, "Accept": "text/html"}
    await edit(people, check, config={"url": URL, "headers": headers})
    assert (await opened(people, check)).headers == {"Authorization": "Bearer s3cret", "Accept": "text/html"}


async def test_a_header_that_was_taken_away_is_gone(people: People) -> None:
    check = await add(people)
    await edit(people, check, config={"url": URL, "headers": {"Accept": MASK}})
    assert (await opened(people, check)).headers == {"Accept": "text/plain"}


@pytest.mark.parametrize("headers", [{"X-Other": MASK}, {"authorization": MASK}])
async def test_a_mask_under_another_name_is_refused(people: People, headers: dict[str, str]) -> None:
    check = await add(people)
    with pytest.raises(Invalid) as refused:
        await edit(people, check, config={"url": URL, "headers": headers})
    assert set(refused.value.fields) == {"headers"}
    with pytest.raises(Invalid):
        await add(people, VALUES | {"config": {"url": URL, "headers": headers}})


async def test_a_check_runs_at_once_after_it_was_added(people: People) -> None:
    check = await add(people)
    assert id_of(check) in {claim.check_id for claim in await claims(people)}


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"kind": "carrier pigeon"}, {"kind"}),
        ({"interval_s": 4}, {"interval_s"}),
        ({"timeout_s": 61}, {"timeout_s"}),
        ({"retry_interval_s": 61}, {"retry_interval_s"}),
        ({"degraded_ms": 0}, {"degraded_ms"}),
        ({"config": {"url": URL, "colour": "red"}}, {"colour"}),
        ({"config": {}}, {"url"}),
        ({"interval_s": None, "config": {"url": "x"}}, {"interval_s", "url"}),
    ],
)
async def test_wrong_values_are_refused_under_their_fields(
    people: People, values: dict[str, Any], fields: set[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        await add(people, VALUES | values)
    assert set(refused.value.fields) == fields
    assert await value(people.database, 'SELECT count(*) FROM "check"') == 1


async def test_an_edit_replaces_the_values_and_runs_at_once(people: People) -> None:
    check = await add(people)
    await claims(people)
    edited = await edit(people, check, interval_s=120, degraded_ms=500, version=1)
    assert (edited.interval_s, edited.degraded_ms, edited.version) == (120, 500, 2)
    assert [claim.check_id for claim in await claims(people)] == [id_of(check)]


async def test_a_result_of_the_settings_before_an_edit_is_refused(people: People) -> None:
    check = await add(people)
    mine = next(claim for claim in await claims(people) if claim.check_id == check.id)
    await edit(people, check)
    refused = await do(people, lambda s: record(s, [judge(mine, DOWN, mine.monotonic, mine.monotonic)]))
    assert refused == 1


async def test_an_edit_of_an_old_version_is_refused(people: People) -> None:
    check = await add(people)
    await edit(people, check, version=1)
    with pytest.raises(Conflict):
        await edit(people, check, interval_s=600, version=1)
    assert (await public(people, check)).interval_s == 60


async def test_of_two_edits_at_the_same_moment_one_is_refused(people: People) -> None:
    check = await add(people)
    barrier = asyncio.Barrier(2)

    async def at_once(interval_s: int) -> object:
        async with people.database.transaction() as session:
            await checks.get_check(session, people.ann, id_of(check))
            await barrier.wait()
            wanted = VALUES | {"interval_s": interval_s}
            return await checks.edit_check(session, people.ann, id_of(check), wanted, SEALER)

    results = await asyncio.gather(at_once(61), at_once(62), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Check", "Conflict"]


async def test_a_check_keeps_its_kind(people: People) -> None:
    check = await add(people)
    with pytest.raises(Invalid) as refused:
        await edit(people, check, kind="tcp")
    assert set(refused.value.fields) == {"kind"}


async def test_deleting_a_check_takes_its_incident_with_it(people: People) -> None:
    check = await first_check(people)
    await do(people, lambda s: checks.delete_check(s, people.ann, id_of(check)))
    assert await rows(people.database, "SELECT id FROM incident") == []


@pytest.mark.parametrize("action", ACTIONS)
async def test_neither_a_viewer_nor_a_developer_may(people: People, action: str) -> None:
    check = await add(people)
    for actor in (people.vic, people.dev):
        with pytest.raises(Forbidden):
            await do(people, partial(_act, action=action, actor=actor, check_id=id_of(check)))


async def test_a_viewer_may_not_check_now(people: People) -> None:
    with pytest.raises(Forbidden):
        await do(people, lambda s: checks.make_due(s, people.vic, [1]))


@pytest.mark.parametrize("action", ACTIONS)
async def test_another_teams_check_does_not_exist(people: People, action: str) -> None:
    check = await add(people)
    with pytest.raises(NotFound):
        await do(people, lambda s: ACTIONS[action](s, people.zoe, id_of(check)))
    assert (await public(people, check)).version == 1


async def test_a_check_is_tried_without_a_trace(people: People) -> None:
    ready = await do(people, lambda s: checks.open_trial(s, people.ann, Trial(VALUES), SEALER))
    result = await checks.try_check(ready, allow_all)
    assert (result.outcome, result.cause) == (Outcome.DOWN, "connect")
    assert await value(people.database, 'SELECT count(*) FROM "check"') == 1
    assert await value(people.database, "SELECT count(*) FROM check_result") == 0


async def test_a_trial_of_a_stored_check_uses_its_secrets(people: People) -> None:
    check = await add(people)
    shown = (await public(people, check)).model_dump()
    ready = await do(people, lambda s: checks.open_trial(s, people.ann, Trial(shown, id_of(check)), SEALER))
    assert ready.config.headers == HEADERS


async def test_checks_are_listed_in_the_order_they_were_added(people: People) -> None:
    async with people.database.transaction() as session:
        added = [id_of(await add_check(session, people.service)) for _ in range(3)]
    listed = await do(people, lambda s: checks.public_checks(s, people.vic, id_of(people.service), SEALER))
    assert [check.id for check in listed][1:] == added


async def _act(session: AsyncSession, action: str, actor: Actor, check_id: int) -> None:
    await ACTIONS[action](session, actor, check_id)
