"""One service: how it is and was, its checks, its incidents, its settings."""

from typing import Annotated

from fastapi import Query
from nicegui import ui

from app.core.errors import NotFound
from app.usecases.service_view import view_service
from pages import session as page_session
from pages.components.refusal import refused_page
from pages.components.service_body import Place, ServiceBody
from pages.frame import frame


def register() -> None:
    ui.page("/services/{service_id:int}")(service)


async def service(
    service_id: int, tab: str = "", span: Annotated[str, Query(alias="range")] = "", check: int = 0
) -> None:
    """The address says what is shown: /services/7?tab=checks&range=7d&check=12."""
    actor = page_session.actor()
    try:
        async with page_session.transaction() as session:
            view = await view_service(session, actor, service_id)
    except NotFound as error:
        refused_page(error)
        return
    with frame(view.service.name, "services", actor):
        ServiceBody(view, Place.read(service_id, tab, span, check)).start()
