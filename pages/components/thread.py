"""The thread of an incident: its timeline, and what people write to each other."""

from collections.abc import Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.core.errors import Invalid, NotFound, UsecaseError
from app.db.session import DATABASE_AWAY
from app.domain.access import Permission
from app.live.bus import BusMessage, Topic
from app.usecases import incidents
from app.usecases.incidents import MAX_COMMENT, IncidentView, TimelineEntry
from pages import live, presence
from pages import session as page_session
from pages.components.avatars import Person, person_of
from pages.components.timeline import line_of

_AWAY = "The database did not answer. Your words are kept here; send them again in a moment."


class Thread(ui.element, component="thread.js"):
    """Shows `lines`, and from `follow` on every later one, by appending; nothing is sent twice or missed."""

    def __init__(self, view: IncidentView, lines: Sequence[TimelineEntry]) -> None:
        super().__init__()
        actor = page_session.actor()
        self._number, self._incident_id = view.incident.number, view.incident.id or 0
        self._last_id = _last_id(lines)
        self._props["incident"] = self._incident_id
        self._props["me"] = person_of(actor)
        self._props["first"] = tuple(line_of(entry) for entry in lines)
        self._props["can-write"] = actor.may(Permission.COMMENT)
        self._props["longest"] = MAX_COMMENT
        self.on("send", self._send)
        self.on("typing", self._typing, args=[])

    def follow(self) -> None:
        """Keep the thread live until the page ends."""
        team_id = page_session.actor().team_id
        self.client.on_connect(self._load)
        live.listen(Topic.EVENTS, team_id, self._hear_event)
        live.listen(Topic.TYPING, team_id, self._hear_typing)

    async def _hear_event(self, message: BusMessage) -> None:
        if message.data.get("incident_id", self._incident_id) == self._incident_id:
            await self._load()

    async def _load(self) -> None:
        """Send what came after the last line that was sent; a page without a connection gets it when it is back."""
        if not self.client.has_socket_connection:
            return
        try:
            async with page_session.transaction() as session:
                lines = await incidents.timeline(session, page_session.actor(), self._number, self._last_id)
        except NotFound:  # it went with its service; the page around says so
            return
        if lines:
            self._last_id = max(self._last_id, _last_id(lines))
            self.run_method("append", [line_of(entry) for entry in lines])

    async def _send(self, event: GenericEventArguments) -> None:
        key, text = str(event.args["key"]), str(event.args["text"])
        actor = page_session.actor()
        try:
            async with page_session.transaction() as session:
                written = await incidents.comment(session, actor, self._number, text)
        except Invalid as error:
            self.run_method("refuse", key, " ".join(error.fields.values()))
        except UsecaseError as error:
            self.run_method("refuse", key, error.message)
        except DATABASE_AWAY:
            self.run_method("refuse", key, _AWAY)
        else:
            self.run_method("confirm", key, line_of(TimelineEntry(written, None)) | {"who": person_of(actor)})

    async def _typing(self) -> None:
        actor = page_session.actor()
        if actor.may(Permission.COMMENT):
            await presence.say_typing(actor, self._incident_id)

    def _hear_typing(self, message: BusMessage) -> None:
        data = message.data
        if data.get("incident_id") != self._incident_id or not self.client.has_socket_connection:
            return
        here: dict[int, Person] = {viewer.user_id: person_of(viewer) for viewer in presence.here(self._incident_id)}
        if data["user_id"] in here:
            self.run_method("showTyping", here[data["user_id"]])


def _last_id(lines: Sequence[TimelineEntry]) -> int:
    return max((entry.event.id or 0 for entry in lines), default=0)
