"""All services of the team as a list, filtered by the address: /services?q=payments."""

from nicegui import ui

from pages import session
from pages.components.services_table import ServicesTable
from pages.frame import frame


def register() -> None:
    ui.page("/services")(services)


def services() -> None:
    actor = session.actor()
    with frame("Services", "services", actor, board=True):
        ServicesTable(actor)
