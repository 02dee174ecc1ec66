"""Who is at an incident, for pages: a person is there for as long as one of their pages is connected."""

from collections.abc import Callable

from nicegui import Client, ui
from nicegui import app as nicegui_app

from app.live.presence import Presence, Viewer
from app.usecases.actor import Actor


def install(presence: Presence) -> None:
    """Make `presence` the one that pages use."""
    nicegui_app.state.presence = presence


def here(incident_id: int) -> list[Viewer]:
    return _presence().here(incident_id)


async def say_typing(actor: Actor, incident_id: int) -> None:
    await _presence().typing(actor.team_id, _viewer(actor, incident_id))


def stay(actor: Actor, incident_id: int, show: Callable[[list[Viewer]], None]) -> None:
    """Put the person of the current page there, and call `show` with everybody who is, until the page ends."""
    client = ui.context.client
    stay = _Stay(client, _viewer(actor, incident_id), show)
    client.on_connect(stay.join)
    client.on_disconnect(stay.leave)
    client.on_delete(stay.end)


class _Stay:
    def __init__(self, client: Client, viewer: Viewer, show: Callable[[list[Viewer]], None]) -> None:
        self._client = client
        self._viewer = viewer
        self._show = show
        self._leave: Callable[[], None] | None = None
        self._unwatch = _presence().watch(viewer.incident_id, self._tell)

    def join(self) -> None:
        if self._leave is None:
            self._leave = _presence().join(self._viewer)
        self._tell()

    def leave(self) -> None:
        # A new connection may have come before the old one was given up.
        if self._leave is not None and not self._client.has_socket_connection:
            leave, self._leave = self._leave, None
            leave()

    def end(self) -> None:
        self._unwatch()
        if self._leave is not None:
            self._leave()

    def _tell(self) -> None:
        if self._client.has_socket_connection:
            with self._client:
                self._show(here(self._viewer.incident_id))


def _presence() -> Presence:
    presence: Presence = nicegui_app.state.presence
    return presence


def _viewer(actor: Actor, incident_id: int) -> Viewer:
    return Viewer(incident_id, actor.user_id, actor.name, actor.initials, actor.avatar_color)
