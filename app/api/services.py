"""Services and their checks."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from app.api.deps import Ctx, CurrentActor, Session
from app.core import clock
from app.usecases import checks, history, services
from app.usecases.history import Range
from models import CheckResult, Service
from models.check import CheckCreate, CheckPublic, CheckUpdate
from models.result import Level
from models.service import ServiceCreate, ServicePublic, ServiceUpdate
from probes.base import ProbeResult

router = APIRouter(tags=["services"])


class ServiceWithCheck(ServiceCreate):
    """A service with its first check."""

    check: CheckCreate | None = None


class LossPublic(BaseModel):
    """What goes with a service when it is deleted."""

    name: str
    checks: int
    incidents: int
    comments: int


class Started(BaseModel):
    """How many checks were made due."""

    started: int


class ResultPublic(BaseModel):
    """One run; durations in milliseconds."""

    at: datetime
    level: str
    latency_ms: float | None
    phases: dict[str, float | None]
    code: int | None
    message: str | None

    @classmethod
    def of(cls, row: CheckResult) -> "ResultPublic":
        names = ("dns", "connect", "tls", "first_byte", "download")
        phases = {name: getattr(row, f"{name}_ms") for name in names}
        level = Level(row.level).name.lower()
        return cls(at=row.at, level=level, latency_ms=row.latency_ms, phases=phases, code=row.code, message=row.message)


class TrialPublic(BaseModel):
    """What one run found; durations in milliseconds."""

    outcome: str
    latency_ms: float | None
    cause: str
    message: str
    code: int | None
    phases: dict[str, float | None]
    facts: dict[str, Any]


class TrialForm(CheckCreate):
    """A check to try; `check_id` of the saved one whose masked secrets it keeps."""

    check_id: int | None = None


class DayPublic(BaseModel):
    """Counts of one day's results (UTC)."""

    day: datetime
    up: int
    degraded: int
    down: int
    unknown: int
    uptime: float | None = Field(description="Percent; null when nothing is known.")


@router.get("/services", response_model=list[ServicePublic])
async def list_services(session: Session, actor: CurrentActor) -> list[Service]:
    return await services.list_services(session, actor)


@router.post("/services", response_model=ServicePublic, status_code=201)
async def add_service(form: ServiceWithCheck, context: Ctx, session: Session, actor: CurrentActor) -> Service:
    values = form.model_dump(exclude={"check"})
    check = form.check.model_dump() if form.check else None
    return await services.add_service(session, actor, values, check, context.sealer)


@router.get("/services/{service_id}", response_model=ServicePublic)
async def get_service(service_id: int, session: Session, actor: CurrentActor) -> Service:
    return await services.get_service(session, actor, service_id)


@router.put("/services/{service_id}", response_model=ServicePublic)
async def edit_service(service_id: int, form: ServiceUpdate, session: Session, actor: CurrentActor) -> Service:
    return await services.edit_service(session, actor, service_id, form.model_dump())


@router.get("/services/{service_id}/loss", response_model=LossPublic)
async def loss_of_service(service_id: int, session: Session, actor: CurrentActor) -> services.Loss:
    """What deleting the service would lose."""
    return await services.loss_of(session, actor, service_id)


@router.delete("/services/{service_id}", status_code=204)
async def delete_service(service_id: int, session: Session, actor: CurrentActor) -> None:
    await services.delete_service(session, actor, service_id)


@router.post("/services/{service_id}/pause", response_model=ServicePublic)
async def pause_service(service_id: int, session: Session, actor: CurrentActor) -> Service:
    return await services.pause_service(session, actor, service_id, paused=True)


@router.post("/services/{service_id}/resume", response_model=ServicePublic)
async def resume_service(service_id: int, session: Session, actor: CurrentActor) -> Service:
    return await services.pause_service(session, actor, service_id, paused=False)


@router.post("/services/{service_id}/check-now")
async def check_service_now(service_id: int, session: Session, actor: CurrentActor) -> Started:
    return Started(started=await services.check_service_now(session, actor, service_id))


@router.get("/services/{service_id}/days")
async def days_of_service(service_id: int, session: Session, actor: CurrentActor) -> list[DayPublic]:
    """The last 90 days, oldest first."""
    days = await history.daily(session, actor, service_id, clock.now())
    return [
        DayPublic(
            day=day.day,
            up=day.counts.up,
            degraded=day.counts.degraded,
            down=day.counts.down,
            unknown=day.counts.unknown,
            uptime=day.counts.uptime,
        )
        for day in days
    ]


@router.get("/services/{service_id}/uptime")
async def uptime_of_service(service_id: int, session: Session, actor: CurrentActor) -> dict[str, float | None]:
    """Percent by range; null when nothing is known."""
    found = await history.uptimes(session, actor, service_id, clock.now())
    return {span.value: counts.uptime for span, counts in found.items()}


@router.get("/services/{service_id}/checks")
async def list_checks(service_id: int, context: Ctx, session: Session, actor: CurrentActor) -> list[CheckPublic]:
    await services.get_service(session, actor, service_id)
    return await checks.public_checks(session, actor, service_id, context.sealer)


@router.post("/services/{service_id}/checks", status_code=201)
async def add_check(
    service_id: int, form: CheckCreate, context: Ctx, session: Session, actor: CurrentActor
) -> CheckPublic:
    await services.get_service(session, actor, service_id)
    check = await checks.add_check(session, actor, service_id, form.model_dump(), context.sealer)
    return await checks.public_check(session, check, context.sealer)


@router.post("/checks/try")
async def try_check(form: TrialForm, context: Ctx, actor: CurrentActor) -> TrialPublic:
    """Run a check once without saving it or its result."""
    trial = checks.Trial(form.model_dump(exclude={"check_id"}), form.check_id)
    async with context.database.transaction() as session:
        ready = await checks.open_trial(session, actor, trial, context.sealer)
    return _trial(await checks.try_check(ready, context.address_policy))


@router.get("/checks/{check_id}")
async def get_check(check_id: int, context: Ctx, session: Session, actor: CurrentActor) -> CheckPublic:
    return await checks.public_check(session, await checks.get_check(session, actor, check_id), context.sealer)


@router.put("/checks/{check_id}")
async def edit_check(
    check_id: int, form: CheckUpdate, context: Ctx, session: Session, actor: CurrentActor
) -> CheckPublic:
    """Replace the settings; a masked secret keeps the stored one."""
    check = await checks.edit_check(session, actor, check_id, form.model_dump(), context.sealer)
    return await checks.public_check(session, check, context.sealer)


@router.delete("/checks/{check_id}", status_code=204)
async def delete_check(check_id: int, session: Session, actor: CurrentActor) -> None:
    await checks.delete_check(session, actor, check_id)


@router.post("/checks/{check_id}/pause", status_code=204)
async def pause_check(check_id: int, session: Session, actor: CurrentActor) -> None:
    await checks.set_paused(session, actor, await checks.get_check(session, actor, check_id), paused=True)


@router.post("/checks/{check_id}/resume", status_code=204)
async def resume_check(check_id: int, session: Session, actor: CurrentActor) -> None:
    await checks.set_paused(session, actor, await checks.get_check(session, actor, check_id), paused=False)


@router.post("/checks/{check_id}/check-now")
async def check_now(check_id: int, session: Session, actor: CurrentActor) -> Started:
    check = await checks.get_check(session, actor, check_id)
    return Started(started=await checks.make_due(session, actor, [check.id]))


@router.get("/checks/{check_id}/results")
async def results_of_check(
    check_id: int, session: Session, actor: CurrentActor, limit: Annotated[int, Query(ge=1, le=1000)] = 50
) -> list[ResultPublic]:
    """The newest results, newest first."""
    return [ResultPublic.of(row) for row in await history.last_results(session, actor, check_id, limit)]


@router.get("/checks/{check_id}/latency")
async def latency_of_check(
    check_id: int, session: Session, actor: CurrentActor, span: Annotated[Range, Query(alias="range")] = Range.HOUR
) -> history.Series:
    """Columns of one length, oldest first; a missing bucket is a gap."""
    return await history.latency(session, actor, check_id, span, clock.now())


@router.get("/checks/{check_id}/latency/between")
async def latency_between(
    check_id: int, session: Session, actor: CurrentActor, start: AwareDatetime, end: AwareDatetime
) -> history.Series:
    """Single results between two moments, at most 2,000."""
    return await history.latency_around(session, actor, check_id, start, end)


def _trial(result: ProbeResult) -> TrialPublic:
    phases = result.phases
    return TrialPublic(
        outcome=result.outcome.value,
        latency_ms=result.latency_ms,
        cause=result.cause,
        message=result.message,
        code=result.code,
        phases={
            "dns": phases.dns,
            "connect": phases.connect,
            "tls": phases.tls,
            "first_byte": phases.first_byte,
            "download": phases.download,
        },
        facts=dict(result.facts),
    )
