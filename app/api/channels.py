"""Channels that are told."""

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.deps import Ctx, CurrentActor, Session
from app.usecases import channels
from app.usecases.channels import Messages, public_channel
from models.channel import ChannelCreate, ChannelPublic, ChannelUpdate

router = APIRouter(tags=["channels"])


class Sent(BaseModel):
    """The vendor accepted the message."""

    sent: bool = True


@router.get("/channels")
async def list_channels(context: Ctx, session: Session, actor: CurrentActor) -> list[ChannelPublic]:
    return [public_channel(found, context.sealer) for found in await channels.list_channels(session, actor)]


@router.post("/channels", status_code=201)
async def add_channel(form: ChannelCreate, context: Ctx, session: Session, actor: CurrentActor) -> ChannelPublic:
    channel = await channels.add_channel(session, actor, form.model_dump(), context.sealer)
    return public_channel(channel, context.sealer)


@router.get("/channels/messages")
async def messages(session: Session, actor: CurrentActor) -> dict[int, Messages]:
    """What was owed to each channel, by channel id."""
    return await channels.messages_of(session, actor)


@router.get("/channels/{channel_id}")
async def get_channel(channel_id: int, context: Ctx, session: Session, actor: CurrentActor) -> ChannelPublic:
    return public_channel(await channels.get_channel(session, actor, channel_id), context.sealer)


@router.put("/channels/{channel_id}")
async def edit_channel(
    channel_id: int, form: ChannelUpdate, context: Ctx, session: Session, actor: CurrentActor
) -> ChannelPublic:
    """Replace the settings; a masked or empty secret keeps the stored one."""
    channel = await channels.edit_channel(session, actor, channel_id, form.model_dump(), context.sealer)
    return public_channel(channel, context.sealer)


@router.delete("/channels/{channel_id}", status_code=204)
async def delete_channel(channel_id: int, session: Session, actor: CurrentActor) -> None:
    await channels.delete_channel(session, actor, channel_id)


@router.post("/channels/{channel_id}/test")
async def send_test(channel_id: int, context: Ctx, actor: CurrentActor) -> Sent:
    """Send a test message now; 502 with the vendor's words when it is refused."""
    async with context.database.transaction() as session:
        channel, config = await channels.open_channel(session, actor, channel_id, context.sealer)
    await channels.send_test(actor, channel, config, context.http)
    return Sent()
