"""The questions before something is deleted: they name what will be lost."""

from nicegui import ui

from app.usecases import checks, services
from pages import session as page_session
from pages.components.buttons import Button
from pages.components.parts import Text
from pages.components.refusal import refusals


async def ask_to_delete(service_id: int) -> None:
    """Ask for the service's name to be typed; then delete it and go to the list."""
    with refusals():
        async with page_session.transaction() as session:
            loss = await services.loss_of(session, page_session.actor(), service_id)
        lost = f"This deletes {loss}. It can't be undone, and nobody is told about this service any more."
        if not await confirmed(f"Delete {loss.name}?", lost, typed=loss.name):
            return
        async with page_session.transaction() as session:
            await services.delete_service(session, page_session.actor(), service_id)
        ui.navigate.to("/services")


async def ask_to_delete_check(check_id: int, words: str) -> None:
    """Ask, then delete the check; the page hears of it like everybody else."""
    lost = f"This deletes the check {words} with its history and its incidents. It can't be undone."
    with refusals():
        if await confirmed("Delete this check?", lost):
            async with page_session.transaction() as session:
                await checks.delete_check(session, page_session.actor(), check_id)


async def confirmed(title: str, lost: str, typed: str = "") -> bool:
    """Whether they said yes; with `typed` they have to write that first."""
    with ui.dialog() as dialog, ui.card().props("data-testid=confirm"):
        Text(title, "h2")
        Text(lost, "p")
        if typed:
            Text(f"Type {typed} to confirm.", "p").classes("muted")
            name = ui.input().props('autofocus autocomplete=off aria-label="Name, to confirm"').classes("full")
        with ui.element("div").classes("line full"):
            ui.element("span").classes("spacer")
            Button("Keep it", lambda: dialog.submit(False))
            delete = Button("Delete", lambda: dialog.submit(True), "danger")
        if typed:
            delete.enable(False)
            name.on_value_change(lambda: delete.enable((name.value or "").strip() == typed))
    answer = bool(await dialog)
    if not dialog.is_deleted:  # it is when the page ended meanwhile
        dialog.delete()
    return answer
