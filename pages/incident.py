"""One incident: how it is, what happened, what people say, and what the failing check saw."""

from nicegui import ui

from app.core.errors import NotFound
from pages import session as page_session
from pages.components.incident_body import IncidentBody, read_incident
from pages.components.refusal import refused_page
from pages.frame import frame


def register() -> None:
    ui.page("/incidents/{number:int}")(incident)


async def incident(number: int) -> None:
    actor = page_session.actor()
    try:
        async with page_session.transaction() as session:
            opened = await read_incident(session, actor, number)
    except NotFound as error:
        refused_page(error, "/incidents", "All incidents")
        return
    with frame(f"#{number} {opened.view.incident.title}", "incidents", actor):
        IncidentBody(opened).start()
