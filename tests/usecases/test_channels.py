"""What people do with channels, on real PostgreSQL; the vendor is a stand-in behind httpx's own transport."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.errors import Conflict, Forbidden, Invalid, NotFound, PermanentNotifyError
from app.db.session import Database
from app.domain.incident import MessageKind
from app.live.bus import BusMessage, Topic
from app.usecases import channels
from app.usecases.actor import Actor
from app.usecases.channels import Messages
from app.usecases.configs import MASK
from app.usecases.events import recent_events, sentence
from models import Channel, Delivery
from models.channel import DeliveryState
from tests.builders import SEALER, id_of
from tests.usecases.people import NUMBER, People, make_people, until_somebody_waits_for_a_lock

Action = Callable[[AsyncSession, Actor], Awaitable[Any]]

SECRET = "https://hooks.slack.com/services/T000/B000/verysecret"
OTHER_SECRET = "https://hooks.slack.com/services/T000/B000/another"


def form(name: str = "#oncall", url: str = SECRET, **values: Any) -> dict[str, Any]:
    return {"kind": "slack", "name": name, "enabled": True, "config": {"webhook_url": url}} | values


@pytest.fixture
async def people(database: Database) -> People:
    return await make_people(database)


async def do(people: People, actor: Actor, action: Action) -> Any:
    async with people.database.transaction() as session:
        return await action(session, actor)


def add(**values: Any) -> Action:
    return lambda session, actor: channels.add_channel(session, actor, form(**values), SEALER)


def edit(channel: Channel, **values: Any) -> Action:
    return lambda session, actor: channels.edit_channel(session, actor, id_of(channel), form(**values), SEALER)


def delete(channel: Channel) -> Action:
    return lambda session, actor: channels.delete_channel(session, actor, id_of(channel))


def open_it(channel: Channel) -> Action:
    return lambda session, actor: channels.open_channel(session, actor, id_of(channel), SEALER)


async def stored(people: People, channel: Channel) -> Channel:
    found: Channel = await do(
        people, people.vic, lambda session, actor: channels.get_channel(session, actor, id_of(channel))
    )
    return found


async def secret_of(people: People, channel: Channel) -> str:
    _, config = await do(people, people.ann, open_it(channel))
    secret: str = config.webhook_url.get_secret_value()
    return secret


async def test_a_channel_is_stored_with_its_secret_sealed_and_shown_masked(people: People) -> None:
    channel = await do(people, people.ann, add())
    query = text("SELECT config::text FROM channel")
    async with people.database.engine.connect() as connection:
        assert "hooks.slack.com" not in (await connection.execute(query)).scalar_one()
    shown = channels.public_channel(await stored(people, channel), SEALER)
    assert shown.config == {"webhook_url": MASK}
    assert "hooks.slack.com" not in shown.model_dump_json()
    assert await secret_of(people, channel) == SECRET


@pytest.mark.parametrize("kept", [MASK, ""])
async def test_a_masked_or_empty_secret_keeps_the_stored_one(people: People, kept: str) -> None:
    channel = await do(people, people.ann, add())
    await do(people, people.ann, edit(channel, name="#renamed", url=kept))
    assert (await stored(people, channel)).name == "#renamed"
    assert await secret_of(people, channel) == SECRET


async def test_a_new_secret_replaces_the_stored_one_and_a_broken_channel_is_tried_anew(people: People) -> None:
    channel = await do(people, people.ann, add())
    async with people.database.transaction() as session:
        (await session.get_one(Channel, id_of(channel))).broken = "The webhook was removed."
    await do(people, people.ann, edit(channel, url=OTHER_SECRET))
    assert await secret_of(people, channel) == OTHER_SECRET
    assert (await stored(people, channel)).broken is None


async def test_a_channel_can_be_turned_off(people: People) -> None:
    channel = await do(people, people.ann, add())
    await do(people, people.ann, edit(channel, url="", enabled=False))
    assert not (await stored(people, channel)).enabled


@pytest.mark.parametrize("person", ["dev", "vic"])
async def test_only_an_admin_changes_channels(people: People, person: str) -> None:
    channel = await do(people, people.ann, add())
    actor = getattr(people, person)
    for action in (add(name="#mine"), edit(channel), delete(channel), open_it(channel)):
        with pytest.raises(Forbidden):
            await do(people, actor, action)
    assert [found.name for found in await do(people, actor, channels.list_channels)] == ["#oncall"]


async def test_another_teams_channel_does_not_exist(people: People) -> None:
    channel = await do(people, people.ann, add())
    for action in (edit(channel), delete(channel), open_it(channel)):
        with pytest.raises(NotFound):
            await do(people, people.zoe, action)
    assert await do(people, people.zoe, channels.list_channels) == []
    assert await do(people, people.zoe, channels.messages_of) == {}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " \x00\x07 "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"kind": "pigeon"}, "kind"),
        ({"url": ""}, "webhook_url"),
        ({"url": "javascript:alert(1)"}, "webhook_url"),
        ({"config": {"webhook_url": SECRET, "colour": "red"}}, "colour"),
        ({"enabled": "perhaps"}, "enabled"),
    ],
)
async def test_bad_values_are_refused_with_the_field_to_mend(people: People, values: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await do(people, people.ann, add(**values))
    assert set(refused.value.fields) == {field}
    assert await do(people, people.ann, channels.list_channels) == []


async def test_a_name_is_taken_once_per_team(people: People) -> None:
    channel = await do(people, people.ann, add())
    await do(people, people.zoe, add())
    other = await do(people, people.ann, add(name="#second"))
    for action in (add(), edit(other, name="#oncall")):
        with pytest.raises(Invalid, match="already has a channel with this name"):
            await do(people, people.ann, action)
    assert (await stored(people, channel)).version == 1
    assert (await stored(people, other)).name == "#second"


async def test_a_channel_keeps_its_kind(people: People) -> None:
    channel = await do(people, people.ann, add())
    async with people.database.transaction() as session:
        (await session.get_one(Channel, id_of(channel))).kind = "former"
    with pytest.raises(Invalid, match="keeps its kind"):
        await do(people, people.ann, edit(channel))


async def test_an_edit_that_saw_an_old_version_is_refused(people: People) -> None:
    channel = await do(people, people.ann, add())
    await do(people, people.ann, edit(channel, name="#first", version=1))
    with pytest.raises(Conflict):
        await do(people, people.ann, edit(channel, name="#second", version=1))
    assert (await stored(people, channel)).name == "#first"


async def test_of_two_edits_at_once_one_wins_and_the_other_is_told(people: People) -> None:
    channel = await do(people, people.ann, add())
    async with people.database.transaction() as session:
        await channels.edit_channel(session, people.ann, id_of(channel), form("#first", version=1), SEALER)
        second = asyncio.create_task(do(people, people.ann, edit(channel, name="#second", version=1)))
        await until_somebody_waits_for_a_lock(people.database)
    with pytest.raises(Conflict):
        await second
    assert (await stored(people, channel)).name == "#first"


async def test_changes_are_written_down_and_announced(people: People) -> None:
    told: list[BusMessage] = []
    people.database.bus.subscribe(Topic.CHANNELS, told.append)
    channel = await do(people, people.ann, add())
    await do(people, people.ann, edit(channel, name="#renamed"))
    await do(people, people.ann, delete(channel))
    team_id = id_of(people.team)
    assert told == [BusMessage(Topic.CHANNELS, team_id)] * 3
    async with people.database.transaction() as session:
        lines = [sentence(event) for event in await recent_events(session, team_id)]
    assert lines == [
        "Ann deleted the channel #renamed",
        "Ann edited the channel #renamed",
        "Ann added the channel #oncall",
    ]


async def test_messages_are_counted_by_channel_and_go_with_it(people: People) -> None:
    channel, silent = await do(people, people.ann, add()), await do(people, people.ann, add(name="#silent"))
    sent_at = clock.now()
    async with people.database.transaction() as session:
        for index, state in enumerate((DeliveryState.SENT, DeliveryState.PENDING, DeliveryState.FAILED)):
            session.add(delivery(await people.incident_id(), channel, index, state, sent_at))
    expected = {id_of(channel): Messages(sent=1, waiting=1, given_up=1, last_sent_at=sent_at)}
    assert await do(people, people.vic, channels.messages_of) == expected
    assert id_of(silent) not in expected
    await do(people, people.ann, delete(channel))
    assert await do(people, people.vic, channels.messages_of) == {}


def delivery(incident_id: int, channel: Channel, index: int, state: DeliveryState, sent_at: Any) -> Delivery:
    return Delivery(
        team_id=channel.team_id,
        incident_id=incident_id,
        channel_id=id_of(channel),
        seq=NUMBER,
        kind=MessageKind.DOWN,
        key=str(index),
        reason="",
        state=state,
        created_at=sent_at,
        sent_at=sent_at if state is DeliveryState.SENT else None,
    )


async def test_a_test_message_reaches_the_vendor(people: People) -> None:
    posted: list[httpx.Request] = []

    def vendor(request: httpx.Request) -> httpx.Response:
        posted.append(request)
        return httpx.Response(200, text="ok")

    channel, config = await do(people, people.ann, open_it(await do(people, people.ann, add())))
    async with httpx.AsyncClient(transport=httpx.MockTransport(vendor)) as http:
        await channels.send_test(people.ann, channel, config, http)
    assert [str(request.url) for request in posted] == [SECRET]
    assert b"Ann asked for this test" in posted[0].content


async def test_a_refused_test_tells_the_vendors_words_without_the_secret(people: People) -> None:
    channel, config = await do(people, people.ann, open_it(await do(people, people.ann, add())))
    transport = httpx.MockTransport(lambda _: httpx.Response(404, text="no_service"))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(PermanentNotifyError, match="no_service") as refused:
            await channels.send_test(people.ann, channel, config, http)
    assert "verysecret" not in refused.value.message
