"""Adding and editing services and their checks; each form has its own address."""

from nicegui import ui
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.errors import NotFound, UsecaseError
from app.domain.access import Permission
from app.usecases import checks
from app.usecases.services import get_service
from models import Service
from models.check import CheckPublic
from pages import session as page_session
from pages.components.refusal import refused_page
from pages.components.service_form import ServiceForm, Task
from pages.frame import frame


def register() -> None:
    ui.page("/services/new")(new_service)
    ui.page("/services/{service_id:int}/edit")(edit_service)
    ui.page("/services/{service_id:int}/checks/new")(new_check)
    ui.page("/services/{service_id:int}/checks/{check_id:int}")(edit_check)


async def new_service() -> None:
    await _page(None)


async def edit_service(service_id: int) -> None:
    """The service, and its check when it has just one."""
    await _page(service_id)


async def new_check(service_id: int) -> None:
    await _page(service_id, check_id=0)


async def edit_check(service_id: int, check_id: int) -> None:
    await _page(service_id, check_id)


async def _page(service_id: int | None, check_id: int | None = None) -> None:
    try:
        page_session.actor().require(Permission.MANAGE_SERVICES)
        task = await _task(service_id, check_id)
    except UsecaseError as error:
        refused_page(error)
        return
    with frame(task.title, "services", page_session.actor()):
        ServiceForm(task)


async def _task(service_id: int | None, check_id: int | None) -> Task:
    """`service_id` None adds a service; `check_id` None is about the service, 0 adds a check to it."""
    if service_id is None:
        return Task("Add service")
    async with page_session.transaction() as session:
        service, found = await _read(session, service_id)
    if check_id is None:
        only = found[0] if len(found) == 1 else None
        return Task(f"Edit {service.name}", service, only, asks_check=only is not None)
    if not check_id:
        return Task(f"Add a check to {service.name}", service, asks_service=False)
    check = next((check for check in found if check.id == check_id), None)
    if check is None:
        raise NotFound("There is no such check of this service.")
    return Task(f"Edit a check of {service.name}", service, check, asks_service=False)


async def _read(session: AsyncSession, service_id: int) -> tuple[Service, list[CheckPublic]]:
    actor = page_session.actor()
    service = await get_service(session, actor, service_id)
    return service, await checks.public_checks(session, actor, service_id, page_session.context().sealer)
