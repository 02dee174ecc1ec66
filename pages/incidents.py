"""The team's incidents, filtered by the address: /incidents?show=resolved&service=7."""

from nicegui import ui

from pages import session as page_session
from pages.components.incidents_body import IncidentsBody, Place, read_incidents
from pages.frame import frame


def register() -> None:
    ui.page("/incidents")(incidents)


async def incidents(show: str = "", service: str = "", before: str = "") -> None:
    actor, place = page_session.actor(), Place.read(show, service, before)
    async with page_session.transaction() as session:
        found = await read_incidents(session, actor, place)
    with frame("Incidents", "incidents", actor):
        IncidentsBody(place, found).start()
