"""The navigation: one element in the browser, so that a page costs the server little."""

from dataclasses import dataclass

from nicegui import ui
from nicegui.events import GenericEventArguments

from app.usecases import accounts
from app.usecases.actor import Actor
from pages import session


@dataclass(frozen=True, slots=True)
class Entry:
    """A link; pressing g and then `key` opens it."""

    name: str
    title: str
    href: str
    key: str
    section: str = ""


ENTRIES = (
    Entry("overview", "Overview", "/", "o"),
    Entry("services", "Services", "/services", "s"),
    Entry("incidents", "Incidents", "/incidents", "i"),
    Entry("channels", "Channels", "/channels", "c", section="Settings"),
)


class Nav(ui.element, component="nav.js"):
    """Entries, theme, sign out, the keys, and the bar that says that the connection is lost."""

    def __init__(self, active: str, actor: Actor, open_incidents: int) -> None:
        super().__init__()
        self._props["entries"] = tuple((e.name, e.title, e.href, e.key, e.section) for e in ENTRIES)
        self._props["active"] = active
        self._props["team"] = actor.team_name
        self._props["user"] = (actor.name, actor.initials, actor.avatar_color, actor.role.value.capitalize())
        self._props["theme"] = actor.theme
        self._props["open"] = open_incidents
        self.on("theme", self._remember_theme)

    async def _remember_theme(self, event: GenericEventArguments) -> None:
        async with session.transaction() as opened:
            await accounts.set_theme(opened, session.actor(), str(event.args))
