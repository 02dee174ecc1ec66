"""A service as its page shows it: its checks with what they last found and when they run next."""

from dataclasses import dataclass

from sqlalchemy import case, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.domain.status import Status, fresh_or_unknown, worst
from app.usecases.actor import Actor
from app.usecases.services import get_service
from models import Check, CheckSchedule, CheckState, Service
from probes import PROBES


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check and its present state. `due_in_s` is negative when it is late, None while it runs or is paused."""

    check: Check
    state: CheckState
    due_in_s: float | None
    running: bool

    @property
    def id(self) -> int:
        return self.state.check_id

    @property
    def label(self) -> str:
        """What it looks at, such as a URL; never a secret."""
        probe = PROBES[self.check.kind]
        # Without validation, because the secrets are sealed; describing needs none.
        return probe.describe(probe.config.model_construct(**self.check.config))

    @property
    def status(self) -> Status:
        if self.check.paused:
            return Status.PAUSED
        last_at = self.state.last_at
        age_s = None if last_at is None else (clock.now() - last_at).total_seconds()
        return fresh_or_unknown(self.state.status, age_s, self.check.interval_s, self.check.timeout_s)


@dataclass(frozen=True, slots=True)
class ServiceView:
    """`checks` are in the order they were added."""

    service: Service
    checks: list[CheckView]

    @property
    def id(self) -> int:
        return self.service.id or 0

    def check(self, check_id: int) -> CheckView | None:
        return next((view for view in self.checks if view.id == check_id), None)

    @property
    def is_paused(self) -> bool:
        return bool(self.checks) and all(view.check.paused for view in self.checks)

    @property
    def due_in_s(self) -> float | None:
        return min((view.due_in_s for view in self.checks if view.due_in_s is not None), default=None)

    @property
    def is_running(self) -> bool:
        return any(view.running for view in self.checks)

    @property
    def status(self) -> Status:
        """The worst of the checks that aren't paused."""
        statuses = [view.status for view in self.checks]
        return worst([status for status in statuses if status is not Status.PAUSED] or statuses)


async def view_service(session: AsyncSession, actor: Actor, service_id: int) -> ServiceView:
    """The service; raises NotFound, also for another team's."""
    service = await get_service(session, actor, service_id)
    running = col(CheckSchedule.slot_at).is_not(None)
    waits = ~running & func.isfinite(col(CheckSchedule.due_at))
    due_in_s = case((waits, func.date_part("epoch", col(CheckSchedule.due_at) - func.now())))
    query = (
        select(Check, CheckState, due_in_s, running)
        .join(CheckState, col(CheckState.check_id) == Check.id)
        .join(CheckSchedule, col(CheckSchedule.check_id) == Check.id)
        .where(Check.team_id == actor.team_id, Check.service_id == service_id)
        .order_by(col(Check.id))
    )
    rows = (await session.exec(query)).all()
    return ServiceView(service, [CheckView(check, state, due, runs) for check, state, due, runs in rows])
