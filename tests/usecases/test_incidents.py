"""What people do with incidents, on real PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import Conflict, Forbidden, Invalid, NotFound, UsecaseError
from app.db.session import Database
from app.domain.incident import IncidentStatus
from app.live.bus import BusMessage, Topic
from app.usecases import incidents
from app.usecases.actor import Actor
from app.usecases.events import sentence
from models.incident import EventKind
from tests.builders import add_check, add_service, id_of
from tests.usecases.people import NUMBER, People, add_incident, make_people, until_somebody_waits_for_a_lock

Action = Callable[[AsyncSession, Actor], Awaitable[object]]


@pytest.fixture
async def people(database: Database) -> People:
    return await make_people(database)


async def do(people: People, actor: Actor, action: Action) -> object:
    async with people.database.transaction() as session:
        return await action(session, actor)


def comment(words: str) -> Action:
    return lambda session, actor: incidents.comment(session, actor, NUMBER, words)


def acknowledge(version: int | None = None) -> Action:
    return lambda session, actor: incidents.acknowledge(session, actor, NUMBER, version)


def assign(owner: Actor | None, version: int | None = None) -> Action:
    owner_id = owner.user_id if owner else None
    return lambda session, actor: incidents.assign(session, actor, NUMBER, owner_id, version)


def set_status(status: IncidentStatus, version: int | None = None) -> Action:
    return lambda session, actor: incidents.set_status(session, actor, NUMBER, status, version)


RESOLVE = set_status(IncidentStatus.RESOLVED)
READS: dict[str, Action] = {
    "read it": lambda session, actor: incidents.get_incident(session, actor, NUMBER),
    "read its timeline": lambda session, actor: incidents.timeline(session, actor, NUMBER),
    "read its evidence": lambda session, actor: incidents.opening_evidence(session, actor, NUMBER),
}
WRITES: dict[str, Action] = {
    "comment": comment("hello"),
    "acknowledge": acknowledge(),
    "assign": assign(None),
    "investigate": set_status(IncidentStatus.INVESTIGATING),
    "resolve": RESOLVE,
}
MAY = {
    "ann": {*READS, *WRITES},
    "dev": {*READS, *WRITES} - {"resolve"},
    "vic": {*READS},
}


@pytest.mark.parametrize("name", [*READS, *WRITES])
@pytest.mark.parametrize("person", MAY)
async def test_roles_may_do_what_the_table_says(people: People, person: str, name: str) -> None:
    actor = getattr(people, person)
    action = (READS | WRITES)[name]
    if name in MAY[person]:
        await do(people, actor, action)
    else:
        with pytest.raises(Forbidden):
            await do(people, actor, action)
        assert await people.events() == []
        assert (await people.incident()).version == 1


@pytest.mark.parametrize("name", [*READS, *WRITES])
async def test_another_teams_incident_does_not_exist(people: People, name: str) -> None:
    with pytest.raises(NotFound):
        await do(people, people.zoe, (READS | WRITES)[name])


async def test_a_number_that_no_incident_can_have_is_not_found(people: People) -> None:
    for number in (0, -1, 2**31, 10**30):
        with pytest.raises(NotFound):
            async with people.database.transaction() as session:
                await incidents.get_incident(session, people.ann, number)


async def test_a_list_holds_only_the_teams_own(people: People) -> None:
    async with people.database.transaction() as session:
        assert [view.incident.number for view in await incidents.list_incidents(session, people.vic)] == [NUMBER]
        assert await incidents.list_incidents(session, people.zoe) == []


async def test_a_list_is_filtered_by_status_and_service_and_pages_by_number(people: People) -> None:
    async with people.database.transaction() as session:
        other = await add_service(session, people.team, "auth")
        for number in (2, 3):
            await add_incident(session, await add_check(session, other), number)
    await do(people, people.ann, RESOLVE)
    async with people.database.transaction() as session:

        async def numbers(*arguments: object) -> list[int]:
            found = await incidents.list_incidents(session, people.vic, *arguments)  # type: ignore[arg-type]
            return [view.incident.number for view in found]

        assert await numbers() == [3, 2, 1]
        assert await numbers(incidents.UNRESOLVED) == [3, 2]
        assert await numbers([IncidentStatus.RESOLVED]) == [1]
        assert await numbers((), id_of(people.service)) == [1]
        assert await numbers((), None, 3) == [2, 1]


async def test_acknowledging_takes_the_incident_on(people: People) -> None:
    await do(people, people.dev, acknowledge(version=1))
    incident = await people.incident()
    assert incident.status is IncidentStatus.INVESTIGATING
    assert incident.owner_id == people.dev.user_id
    assert incident.acknowledged_at is not None
    assert incident.version == 2
    assert [sentence(event) for event in await people.events()] == ["Dev acknowledged #1"]


async def test_acknowledging_leaves_an_owner_in_place(people: People) -> None:
    await do(people, people.ann, assign(people.dora))
    await do(people, people.dev, acknowledge())
    assert (await people.incident()).owner_id == people.dora.user_id


async def test_acknowledging_twice_is_a_conflict(people: People) -> None:
    await do(people, people.dev, acknowledge())
    with pytest.raises(Conflict, match="acknowledged already"):
        await do(people, people.ann, acknowledge())


async def test_of_two_acknowledgements_at_once_one_wins_and_the_other_is_told(people: People) -> None:
    """The second waits for the first one's row, and then sees that it was changed."""
    async with people.database.transaction() as session:
        await incidents.acknowledge(session, people.dev, NUMBER, 1)
        second = asyncio.create_task(do(people, people.dora, acknowledge(version=1)))
        await until_somebody_waits_for_a_lock(people.database)
    with pytest.raises(Conflict, match="changed by somebody else"):
        await second
    assert (await people.incident()).owner_id == people.dev.user_id
    assert [event.actor_id for event in await people.events()] == [people.dev.user_id]


@pytest.mark.parametrize("action", [acknowledge(1), assign(None, 1), set_status(IncidentStatus.RESOLVED, 1)])
async def test_a_change_that_names_an_old_version_is_refused(people: People, action: Action) -> None:
    await do(people, people.ann, assign(people.dora))
    with pytest.raises(Conflict, match="changed by somebody else"):
        await do(people, people.ann, action)


async def test_an_incident_is_given_to_a_member_and_taken_back(people: People) -> None:
    await do(people, people.dev, assign(people.dora))
    assert (await people.incident()).owner_id == people.dora.user_id
    await do(people, people.dev, assign(None))
    assert (await people.incident()).owner_id is None
    assert [sentence(event) for event in await people.events()] == [
        "Dev assigned #1 to Dora",
        "Dev assigned #1 to nobody",
    ]


async def test_an_incident_is_not_given_to_a_viewer_nor_to_a_stranger(people: People) -> None:
    with pytest.raises(Forbidden, match="Vic may not work on incidents"):
        await do(people, people.ann, assign(people.vic))
    with pytest.raises(NotFound, match="no such member"):
        await do(people, people.ann, assign(people.zoe))


async def test_those_who_may_own_an_incident_are_the_teams_workers(people: People) -> None:
    async with people.database.transaction() as session:
        assert [user.name for user in await incidents.assignable(session, people.vic)] == ["Ann", "Dev", "Dora"]


async def test_the_status_moves_between_open_and_investigating(people: People) -> None:
    await do(people, people.dev, set_status(IncidentStatus.INVESTIGATING))
    await do(people, people.dev, set_status(IncidentStatus.OPEN))
    assert (await people.incident()).status is IncidentStatus.OPEN
    with pytest.raises(Conflict, match="open already"):
        await do(people, people.dev, set_status(IncidentStatus.OPEN))
    assert [sentence(event) for event in await people.events()] == [
        "Dev set #1 to investigating",
        "Dev set #1 to open",
    ]


@pytest.mark.parametrize("action", [acknowledge(), assign(None), set_status(IncidentStatus.OPEN), RESOLVE])
async def test_resolving_is_final(people: People, action: Action) -> None:
    await do(people, people.ann, RESOLVE)
    resolved = await people.incident()
    assert resolved.resolved_at is not None
    with pytest.raises(Conflict, match="resolved already"):
        await do(people, people.ann, action)
    assert (await people.incident()).version == resolved.version
    assert [sentence(event) for event in await people.events()] == ["Ann resolved #1"]


async def test_a_resolved_incident_can_still_be_commented_on(people: People) -> None:
    await do(people, people.ann, RESOLVE)
    await do(people, people.dev, comment("It was the deploy."))
    assert sentence((await people.events())[-1]) == "Dev: It was the deploy."


async def test_a_comment_keeps_its_words_and_lines(people: People) -> None:
    words = "First line\n\n<b>not bold</b> \U0001f525 {actor} %s"
    await do(people, people.dev, comment(f"  {words}\n"))
    (entry,) = await people.lines()
    assert entry.event.text == words
    assert entry.event.kind is EventKind.COMMENT
    assert entry.author is not None
    assert entry.author.id == people.dev.user_id
    assert sentence(entry.event) == f"Dev: {words}"


@pytest.mark.parametrize("words", ["", "   \n\t ", "\x00\x07", "\u202e"])
async def test_a_comment_without_words_is_refused(people: People, words: str) -> None:
    with pytest.raises(Invalid, match="Write something first") as refused:
        await do(people, people.dev, comment(words))
    assert set(refused.value.fields) == {"text"}


async def test_a_comment_has_at_most_ten_thousand_characters(people: People) -> None:
    await do(people, people.dev, comment("x" * incidents.MAX_COMMENT))
    with pytest.raises(Invalid, match="this one has 10,001"):
        await do(people, people.dev, comment("x" * (incidents.MAX_COMMENT + 1)))
    assert len(await people.events()) == 1


async def test_characters_that_the_database_or_readers_choke_on_are_dropped(people: People) -> None:
    await do(people, people.dev, comment("a\x00b\x1b[31mc\u202ed\ud800e\r\nf"))
    assert (await people.events())[0].text == "ab[31mcde\nf"


async def test_lines_after_one_that_was_seen_are_all_there(people: People) -> None:
    for words in ("one", "two", "three"):
        await do(people, people.dev, comment(words))
    first, *_ = await people.lines()
    assert [entry.event.text for entry in await people.lines(after_id=id_of(first.event))] == ["two", "three"]


async def test_a_line_never_becomes_visible_behind_one_that_was_seen(people: People) -> None:
    """Else a page that asks for what came after the newest line it shows would miss it for good."""
    async with people.database.transaction() as session:
        slow = await incidents.comment(session, people.dev, NUMBER, "slow")
        fast = asyncio.create_task(do(people, people.dora, comment("fast")))
        await until_somebody_waits_for_a_lock(people.database)
        assert await people.lines() == []
    await fast
    assert [entry.event.text for entry in await people.lines()] == ["slow", "fast"]
    assert [entry.event.text for entry in await people.lines(after_id=id_of(slow))] == ["fast"]


async def test_a_change_is_announced_with_its_incident_and_line_and_a_refused_one_is_not(people: People) -> None:
    told: list[BusMessage] = []
    for topic in (Topic.INCIDENTS, Topic.EVENTS):
        people.database.bus.subscribe(topic, told.append)
    with pytest.raises(UsecaseError):
        await do(people, people.vic, acknowledge())
    assert told == []
    await do(people, people.dev, acknowledge())
    incident, (event,) = await people.incident(), await people.events()
    team_id = id_of(people.team)
    assert told == [
        BusMessage(Topic.INCIDENTS, team_id, {"ids": [incident.id]}),
        BusMessage(Topic.EVENTS, team_id, {"id": event.id, "incident_id": incident.id}),
    ]


async def test_a_line_still_names_its_author_when_the_account_is_gone(people: People) -> None:
    await do(people, people.dev, comment("bye"))
    async with people.database.transaction() as session:
        query = text("DELETE FROM user_account WHERE id = :id")
        await (await session.connection()).execute(query, {"id": people.dev.user_id})
    (entry,) = await people.lines()
    assert entry.author is None
    assert sentence(entry.event) == "Dev: bye"


async def test_every_kind_of_line_has_its_sentence(people: People) -> None:
    async with people.database.transaction() as session:
        event = await incidents.comment(session, people.dev, NUMBER, "words")
    for kind in EventKind:
        event.kind, event.data = kind, {}
        assert sentence(event)


def test_every_status_is_resolved_or_not() -> None:
    assert {*incidents.UNRESOLVED, IncidentStatus.RESOLVED} == set(IncidentStatus)
