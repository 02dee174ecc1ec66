"""Where the team is told of failures."""

from nicegui import ui

from pages import session as page_session
from pages.components.channels_body import ChannelsBody, read_channels
from pages.frame import frame


def register() -> None:
    ui.page("/channels")(channels)


async def channels() -> None:
    actor = page_session.actor()
    async with page_session.transaction() as session:
        found = await read_channels(session, actor, page_session.context().sealer)
    with frame("Channels", "channels", actor):
        ChannelsBody(found).start()
