"""The list of channels, kept live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nicegui import ui
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.crypto import Sealer
from app.core.errors import SealError
from app.domain.access import Permission
from app.live.bus import BusMessage, Topic
from app.usecases import channels
from app.usecases.actor import Actor
from app.usecases.channels import Messages, public_channel
from models import Channel
from models.channel import ChannelPublic
from pages import live
from pages import session as page_session
from pages.components.buttons import Button
from pages.components.channel_card import ChannelCard, Choices
from pages.components.channel_form import ChannelForm
from pages.components.delete_service import confirmed
from pages.components.parts import Text
from pages.components.refusal import refusals
from pages.components.service_body import Follower


@dataclass(frozen=True, slots=True)
class Found:
    """The channels as people may see them, and what was owed to each by its id."""

    channels: Sequence[ChannelPublic]
    messages: Mapping[int, Messages]


async def read_channels(session: AsyncSession, actor: Actor, sealer: Sealer) -> Found:
    found = await channels.list_channels(session, actor)
    return Found([_public(channel, sealer) for channel in found], await channels.messages_of(session, actor))


def _public(channel: Channel, sealer: Sealer) -> ChannelPublic:
    """A channel whose secret can't be opened any more is shown as broken, so that it can be mended."""
    try:
        return public_channel(channel, sealer)
    except SealError as error:
        return ChannelPublic.model_validate(channel.model_dump() | {"config": {}, "broken": error.message})


class ChannelsBody:
    """Draws the list in the present slot; `start` keeps it live until the page ends."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._may_manage = page_session.actor().may(Permission.MANAGE_CHANNELS)
        with ui.element("header").classes("page-head"):
            Text("Channels", "h1")
            ui.element("span").classes("spacer")
            if self._may_manage:
                Button("Add channel", lambda: self._open_form(None), "primary").props("data-testid=add")
        Text("Each channel that is on is told when a service goes down, and when it is up again.", "p").classes("muted")
        self._box = ui.element("div").classes("stack channels")
        # Dialogs live here, so that a change of the list leaves them open.
        self._desk = ui.element("div")
        self._draw()

    def start(self) -> None:
        client = ui.context.client
        follower = Follower(self._follow)

        async def told(message: BusMessage) -> None:
            if client.has_socket_connection:
                await follower.note(message.topic)

        async def load() -> None:
            await follower.note(Topic.RESYNC)

        client.on_connect(load)
        live.listen(Topic.CHANNELS, page_session.actor().team_id, told)

    async def _follow(self, _: set[Topic]) -> None:
        async with page_session.transaction() as session:
            found = await read_channels(session, page_session.actor(), page_session.context().sealer)
        if found != self._found:
            self._found = found
            self._draw()

    def _draw(self) -> None:
        choices = Choices(self._open_form, self._delete) if self._may_manage else None
        self._box.clear()
        with self._box:
            for channel in self._found.channels:
                ChannelCard(channel, self._found.messages.get(channel.id), choices)
            if not self._found.channels:
                self._draw_nothing()

    def _draw_nothing(self) -> None:
        with ui.element("div").classes("empty").props("data-testid=empty"):
            Text("Nobody is told yet", "h2")
            if self._may_manage:
                Text("Add a Slack channel, and it hears of every failure within seconds, with a link here.", "p")
                Button("Add the first channel", lambda: self._open_form(None), "primary")
            else:
                Text("An admin of your team can add a channel, such as one of Slack's.", "p")

    def _open_form(self, channel: ChannelPublic | None) -> None:
        with self._desk:
            ChannelForm(channel)

    async def _delete(self, channel: ChannelPublic) -> None:
        messages = self._found.messages.get(channel.id)
        with self._desk:
            agreed = await confirmed(f"Delete {channel.name}?", _loss(channel, messages))
        if not agreed:
            return
        with refusals():
            async with page_session.transaction() as session:
                await channels.delete_channel(session, page_session.actor(), channel.id)


def _loss(channel: ChannelPublic, messages: Messages | None) -> str:
    lost = f"{channel.name} is told nothing any more, and its address is forgotten."
    if messages is not None and messages.waiting:
        lost += f" Messages that still wait for it are not sent: {messages.waiting:,}."
    return f"{lost} The timelines of incidents keep what they say of it. This can't be undone."
