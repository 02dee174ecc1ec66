"""Channels: where a team is told. Their secrets are sealed, and shown to nobody again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.crypto import Sealer
from app.core.errors import Conflict, Invalid, NotFound
from app.core.text import clean_json
from app.db.session import announce
from app.domain.access import Permission
from app.domain.incident import MessageKind
from app.domain.status import Status
from app.live.bus import Topic
from app.usecases import sending
from app.usecases.actor import Actor
from app.usecases.configs import config_from_form, mask_config, open_config, seal_config
from app.usecases.events import Happening, write_event
from app.usecases.validation import validated
from models import Channel
from models.channel import ChannelCreate, ChannelPublic, ChannelUpdate
from models.incident import EventKind
from notifiers import NOTIFIERS
from notifiers.base import Message

_MESSAGES = text(
    """
    SELECT channel_id, max(sent_at) AS last_sent_at, count(*) FILTER (WHERE state = 'sent') AS sent,
        count(*) FILTER (WHERE state = 'pending') AS waiting, count(*) FILTER (WHERE state = 'failed') AS given_up
    FROM delivery WHERE team_id = :team GROUP BY channel_id
    """
)


@dataclass(frozen=True, slots=True)
class Messages:
    """The numbers of a channel's messages, and when the last one was accepted."""

    sent: int
    waiting: int
    given_up: int
    last_sent_at: datetime | None


async def list_channels(session: AsyncSession, actor: Actor) -> list[Channel]:
    actor.require(Permission.VIEW)
    query = select(Channel).where(Channel.team_id == actor.team_id).order_by(Channel.name)
    return list(await session.exec(query))


async def get_channel(session: AsyncSession, actor: Actor, channel_id: int) -> Channel:
    """The channel; raises NotFound, also for another team's."""
    actor.require(Permission.VIEW)
    query = select(Channel).where(Channel.team_id == actor.team_id, Channel.id == channel_id)
    channel = (await session.exec(query)).first()
    if channel is None:
        raise NotFound("There is no such channel in this team.")
    return channel


async def messages_of(session: AsyncSession, actor: Actor) -> dict[int, Messages]:
    """What was owed to each channel, by channel id; channels that were never owed anything are not there."""
    actor.require(Permission.VIEW)
    rows = await (await session.connection()).execute(_MESSAGES, {"team": actor.team_id})
    return {row.channel_id: Messages(row.sent, row.waiting, row.given_up, row.last_sent_at) for row in rows}


def public_channel(channel: Channel, sealer: Sealer) -> ChannelPublic:
    """The channel as people may see it."""
    config = mask_config(NOTIFIERS[channel.kind].config, channel.config, sealer, channel_context(channel))
    return ChannelPublic.model_validate(channel.model_dump() | {"config": config})


async def add_channel(session: AsyncSession, actor: Actor, values: dict[str, Any], sealer: Sealer) -> Channel:
    """Add a channel; `values` as ChannelCreate. Raises Invalid with the fields to mend."""
    actor.require(Permission.MANAGE_CHANNELS)
    form = _form(values, ChannelCreate)
    config = config_from_form(NOTIFIERS[form.kind].config, form.config, None, sealer, "")
    channel = Channel(
        team_id=actor.team_id,
        kind=form.kind,
        name=form.name,
        enabled=form.enabled,
        config={},
        created_at=clock.now(),
    )
    await _unless_taken(session, channel)
    channel.config = seal_config(config, sealer, channel_context(channel))
    await _tell(session, actor, channel, EventKind.CHANNEL_ADDED)
    return channel


async def edit_channel(
    session: AsyncSession, actor: Actor, channel_id: int, values: dict[str, Any], sealer: Sealer
) -> Channel:
    """Replace a channel's settings; masked or empty secrets keep the stored ones. A broken channel is tried anew."""
    channel = await get_channel(session, actor, channel_id)
    actor.require(Permission.MANAGE_CHANNELS)
    form = _form(values, ChannelUpdate)
    await session.refresh(channel, with_for_update=True)
    if form.kind != channel.kind:
        raise Invalid({"kind": "A channel keeps its kind. Add another channel instead."})
    if form.version is not None and form.version != channel.version:
        raise Conflict("Somebody changed this channel meanwhile. Reload to see it, then save again.")
    context = channel_context(channel)
    config = config_from_form(NOTIFIERS[channel.kind].config, form.config, channel.config, sealer, context)
    channel.name = form.name
    channel.enabled = form.enabled
    channel.broken = None
    channel.version += 1
    channel.config = seal_config(config, sealer, context)
    await _unless_taken(session, channel)
    await _tell(session, actor, channel, EventKind.CHANNEL_EDITED)
    return channel


async def delete_channel(session: AsyncSession, actor: Actor, channel_id: int) -> None:
    """Delete the channel; messages still owed to it are not sent."""
    channel = await get_channel(session, actor, channel_id)
    actor.require(Permission.MANAGE_CHANNELS)
    await session.exec(delete(Channel).where(col(Channel.id) == channel_id))
    await _tell(session, actor, channel, EventKind.CHANNEL_DELETED)


async def open_channel(session: AsyncSession, actor: Actor, channel_id: int, sealer: Sealer) -> tuple[Channel, Any]:
    """The channel and its typed config, for a test message; the caller sends it outside the transaction."""
    channel = await get_channel(session, actor, channel_id)
    actor.require(Permission.MANAGE_CHANNELS)
    config = open_config(NOTIFIERS[channel.kind].config, channel.config, sealer, channel_context(channel))
    return channel, config


async def send_test(actor: Actor, channel: Channel, config: Any, http: httpx.AsyncClient) -> None:
    """Send a test message now; raises NotifyError with what the vendor said."""
    message = Message(
        kind=MessageKind.TEST,
        key=f"test-{channel.id}-{clock.now().timestamp():.3f}",
        service="Pulseboard",
        status=Status.UP,
        title="Test message",
        detail=f"{actor.name} asked for this test. Messages about {actor.team_name} will arrive here.",
        team=actor.team_name,
        at=clock.now(),
    )
    await sending.send(channel.kind, config, message, http)


def channel_context(channel: Channel) -> str:
    """What a channel's secrets are sealed for."""
    return f"channel:team={channel.team_id}:id={channel.id}"


def _form(values: dict[str, Any], cls: type[ChannelCreate]) -> Any:
    form = validated(cls, clean_json(values))
    if form.kind not in NOTIFIERS:
        raise Invalid({"kind": f"There is no such kind of channel. Choose one of: {', '.join(NOTIFIERS)}."})
    return form


async def _unless_taken(session: AsyncSession, channel: Channel) -> None:
    try:
        async with session.begin_nested():
            session.add(channel)
            await session.flush()
    except IntegrityError:
        raise Invalid({"name": "The team already has a channel with this name. Choose another."}) from None


async def _tell(session: AsyncSession, actor: Actor, channel: Channel, kind: EventKind) -> None:
    await write_event(session, actor.team_id, Happening(kind, data={"channel": channel.name}), actor)
    announce(session, Topic.CHANNELS, actor.team_id)
