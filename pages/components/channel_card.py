"""One channel: how it is, what it was sent, and what can be done with it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from app.core.errors import NotifyError, SealError
from app.usecases import channels
from app.usecases.channels import Messages
from models.channel import ChannelPublic
from notifiers import NOTIFIERS
from pages import session as page_session
from pages.components.buttons import Button
from pages.components.moment import Lasting
from pages.components.parts import Text, pill
from pages.components.refusal import refusals


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a test message."""

    is_sent: bool
    words: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What an admin can do with the channels; each is called with a channel."""

    edit: Callable[[ChannelPublic], None]
    delete: Callable[[ChannelPublic], Awaitable[None]]


class ChannelCard:
    """Draws the channel in the present slot; without `choices` it can only be looked at."""

    def __init__(self, channel: ChannelPublic, messages: Messages | None, choices: Choices | None) -> None:
        self._channel = channel
        with ui.element("section").classes("card channel").props("data-testid=channel"):
            with ui.element("div").classes("line wrap"):
                self._draw_state()
                Text(channel.name, "h2").classes("ellipsis")
                Text(NOTIFIERS[channel.kind].title).classes("muted")
                ui.element("span").classes("spacer")
                if choices is not None:
                    self._draw_buttons(choices)
            self._draw_messages(messages)
            if channel.broken:
                with ui.element("div").classes("banner bad").props("data-testid=broken"):
                    Text(f"{channel.broken} Sending was given up. Edit the channel to mend it, then send a test.", "p")
            self._trial = Text("", "p").classes("small trial").props('role=status data-testid="trial"')

    def show_trial(self, trial: Trial) -> None:
        self._trial.text = trial.words
        self._trial.classes(remove="up down", add="up" if trial.is_sent else "down")

    def _draw_state(self) -> None:
        if self._channel.broken:
            pill("down", "Broken")
        elif self._channel.enabled:
            pill("up", "On")
        else:
            pill("paused", "Off")

    def _draw_buttons(self, choices: Choices) -> None:
        channel = self._channel
        self._test = Button("Send a test", self._send_test)
        Button("Edit", lambda: choices.edit(channel))
        Button("Delete", lambda: choices.delete(channel))

    def _draw_messages(self, messages: Messages | None) -> None:
        with ui.element("p").classes("muted small num"):
            if messages is None:
                Text("No messages yet.")
                return
            Text(_numbers(messages))
            if messages.last_sent_at is not None:
                Text(", the last one ")
                Lasting(messages.last_sent_at, None)
                Text(" ago")

    async def _send_test(self) -> None:
        self._test.enable(False)
        self._trial.text = "Sending…"
        self._trial.classes(remove="up down")
        trial = Trial(False, "The test was not sent.")
        try:
            with refusals():
                trial = await self._try()
        finally:
            self._test.enable()
            self.show_trial(trial)

    async def _try(self) -> Trial:
        context, actor = page_session.context(), page_session.actor()
        title = NOTIFIERS[self._channel.kind].title
        try:
            async with page_session.transaction() as session:
                channel, config = await channels.open_channel(session, actor, self._channel.id, context.sealer)
            await channels.send_test(actor, channel, config, context.http)
        except (NotifyError, SealError) as error:
            return Trial(False, error.message)
        return Trial(True, f"{title} accepted the test message. Look for it in {channel.name}.")


def _numbers(messages: Messages) -> str:
    parts = [f"{messages.sent:,} message{'' if messages.sent == 1 else 's'} delivered"]
    parts += [f"{messages.waiting:,} waiting"] if messages.waiting else []
    parts += [f"{messages.given_up:,} given up"] if messages.given_up else []
    return ", ".join(parts)
