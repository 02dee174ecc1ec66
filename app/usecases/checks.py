"""Checks: how people set them up, pause them and run them by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlalchemy import text
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.addresses import AddressPolicy
from app.core.crypto import Sealer
from app.core.errors import Conflict, Invalid, NotFound
from app.db.session import announce
from app.domain.access import Permission
from app.domain.incident import IncidentStatus
from app.domain.status import Status
from app.live.bus import Topic
from app.usecases.actor import Actor
from app.usecases.configs import config_from_form, mask_config, seal_config
from app.usecases.events import Happening, write_event
from app.usecases.probing import run_probe
from app.usecases.schedule import check_context
from app.usecases.validation import is_id, validated
from models import Check, CheckSchedule, CheckState, Incident, Service
from models.check import CheckPublic, CheckUpdate
from models.incident import EventKind
from probes import PROBES
from probes.base import ProbeContext, ProbeResult

_CHANGED = "Somebody changed this check meanwhile. Reload to see it, then save again."
_TIMING = ("interval_s", "timeout_s", "retries", "retry_interval_s", "recoveries", "degraded_ms")


@dataclass(frozen=True, slots=True)
class Trial:
    """A check to be tried before it is saved: `values` as for `add_check`, `check_id` of the saved one it edits."""

    values: dict[str, Any]
    check_id: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A check that can be tried: its kind, its typed config, and its timeout in seconds."""

    kind: str
    config: Any
    timeout_s: float


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where masked secrets come from: the stored check, None for a new one."""

    sealer: Sealer
    check: Check | None = None

    def config(self, cls: type[BaseModel], values: dict[str, Any]) -> BaseModel:
        stored, context = (self.check.config, _context(self.check)) if self.check else (None, "")
        return config_from_form(cls, values, stored, self.sealer, context)


async def checks_of(session: AsyncSession, actor: Actor, service_id: int) -> list[Check]:
    """The service's checks in the order they were added; none for another team's service."""
    actor.require(Permission.VIEW)
    query = select(Check).where(Check.team_id == actor.team_id, Check.service_id == service_id)
    return list(await session.exec(query.order_by(col(Check.id))))


async def get_check(session: AsyncSession, actor: Actor, check_id: int) -> Check:
    """The check; raises NotFound, also for another team's."""
    actor.require(Permission.VIEW)
    query = select(Check).where(Check.team_id == actor.team_id, Check.id == check_id)
    check = (await session.exec(query)).first() if is_id(check_id) else None
    if check is None:
        raise NotFound("There is no such check in this team.")
    return check


async def public_checks(session: AsyncSession, actor: Actor, service_id: int, sealer: Sealer) -> list[CheckPublic]:
    """The service's checks as people may see them: with their status, secrets masked."""
    found = await checks_of(session, actor, service_id)
    return [await public_check(session, check, sealer) for check in found]


async def public_check(session: AsyncSession, check: Check, sealer: Sealer) -> CheckPublic:
    state = await session.get(CheckState, check.id)
    config = mask_config(PROBES[check.kind].config, check.config, sealer, _context(check))
    status = Status.PAUSED if check.paused or state is None else state.status
    return CheckPublic.model_validate(check.model_dump() | {"config": config, "status": status})


async def add_check(
    session: AsyncSession, actor: Actor, service_id: int, values: dict[str, Any], sealer: Sealer
) -> Check:
    """Add a check that runs at once; `values` as CheckCreate. Raises NotFound, or Invalid with the fields to mend."""
    actor.require(Permission.VIEW)
    await _know_service(session, actor, service_id)
    actor.require(Permission.MANAGE_SERVICES)
    form, config = _read(values, _Kept(sealer))
    now = clock.now()
    timing = {name: getattr(form, name) for name in _TIMING}
    check = Check(team_id=actor.team_id, service_id=service_id, kind=form.kind, config={}, created_at=now, **timing)
    session.add(check)
    await session.flush()
    assert check.id is not None  # noqa: S101  it was just flushed
    check.config = seal_config(config, sealer, _context(check))
    session.add(CheckSchedule(check_id=check.id, team_id=check.team_id, due_at=now))
    session.add(CheckState(check_id=check.id, team_id=check.team_id, since=now, updated_at=now))
    await session.flush()
    _tell(session, check)
    return check


async def edit_check(
    session: AsyncSession, actor: Actor, check_id: int, values: dict[str, Any], sealer: Sealer
) -> Check:
    """Replace a check's settings; masked secrets keep the stored ones. A run under way no longer counts."""
    check = await get_check(session, actor, check_id)
    actor.require(Permission.MANAGE_SERVICES)
    if values.get("kind", check.kind) != check.kind:
        raise Invalid({"kind": "A check keeps its kind. Add another check instead."})
    form, config = _read(values, _Kept(sealer, check))
    if form.version is not None and form.version != check.version:
        raise Conflict(_CHANGED)
    columns = {name: getattr(form, name) for name in _TIMING}
    await _change(session, check, columns | {"config": seal_config(config, sealer, _context(check))})
    if not check.paused:
        await _restart(session, [check_id])
    _tell(session, check)
    return check


async def delete_check(session: AsyncSession, actor: Actor, check_id: int) -> None:
    """Delete the check with its history and its incidents."""
    check = await get_check(session, actor, check_id)
    actor.require(Permission.MANAGE_SERVICES)
    await session.exec(delete(Check).where(col(Check.id) == check_id))
    _tell(session, check)
    announce(session, Topic.INCIDENTS, check.team_id, ids=[])


async def set_paused(session: AsyncSession, actor: Actor, check: Check, paused: bool) -> None:
    """Pause: no runs, and an open incident ends. Resume: it starts anew as pending and runs at once."""
    actor.require(Permission.MANAGE_SERVICES)
    if check.paused == paused:
        return
    await _change(session, check, {"paused": paused})
    # The schedule first, as where results are recorded: who locks in the same order never waits in a ring.
    await (_park if paused else _restart)(session, [check.id])
    now = clock.now()
    status = Status.PAUSED if paused else Status.PENDING
    fresh = {"status": status, "candidate": None, "count": 0, "since": now, "updated_at": now, "incident_id": None}
    await session.exec(update(CheckState).where(col(CheckState.check_id) == check.id).values(**fresh))
    if paused:
        await _end_incident(session, actor, check)
    _tell(session, check)


async def make_due(session: AsyncSession, actor: Actor, check_ids: Sequence[int | None]) -> int:
    """Make these checks due at once; one that runs right now or is paused is left alone. Returns how many."""
    actor.require(Permission.CHECK_NOW)
    query = text(
        "UPDATE check_schedule SET due_at = now() WHERE check_id = ANY(:ids) AND team_id = :team "
        "AND slot_at IS NULL AND due_at < 'infinity'"
    )
    values = {"ids": list(check_ids), "team": actor.team_id}
    found = await (await session.connection()).execute(query, values)
    announce(session, Topic.WAKE, 0)
    return int(found.rowcount)


async def open_trial(session: AsyncSession, actor: Actor, trial: Trial, sealer: Sealer) -> Ready:
    """Make a check ready to be tried; the caller runs it outside the transaction. Raises Invalid."""
    actor.require(Permission.MANAGE_SERVICES)
    stored = await get_check(session, actor, trial.check_id) if trial.check_id else None
    form, config = _read(trial.values, _Kept(sealer, stored))
    return Ready(form.kind, config, form.timeout_s)


async def try_check(ready: Ready, policy: AddressPolicy) -> ProbeResult:
    """Run a check once; neither it nor its result is saved."""
    return await run_probe(ready.kind, ready.config, ProbeContext(timeout=ready.timeout_s, address_policy=policy))


async def _know_service(session: AsyncSession, actor: Actor, service_id: int) -> None:
    query = select(Service.id).where(Service.team_id == actor.team_id, Service.id == service_id)
    if (await session.exec(query)).first() is None:
        raise NotFound("There is no such service in this team.")


async def _change(session: AsyncSession, check: Check, columns: dict[str, Any]) -> None:
    """Compare and set: raises Conflict when somebody changed the check since it was read."""
    seen = (col(Check.id) == check.id, col(Check.version) == check.version)
    changed = await session.exec(update(Check).where(*seen).values(**columns, version=check.version + 1))
    if changed.rowcount != 1:
        raise Conflict(_CHANGED)
    await session.refresh(check)


def _read(values: dict[str, Any], kept: _Kept) -> tuple[CheckUpdate, Any]:
    """What was sent, validated: the form and its kind's config. Raises Invalid with the errors of both."""
    kind = values.get("kind")
    if kind not in PROBES:
        raise Invalid({"kind": f"There is no such kind of check. Choose one of: {', '.join(PROBES)}."})
    wrong: dict[str, str] = {}
    form = config = None
    try:
        form = validated(CheckUpdate, values)
    except Invalid as error:
        wrong |= error.fields
    try:
        config = kept.config(PROBES[kind].config, values.get("config") or {})
    except Invalid as error:
        wrong |= error.fields
    if form is None or wrong:
        raise Invalid(wrong)
    return form, config


def _context(check: Check) -> str:
    assert check.id is not None  # noqa: S101  only stored checks have secrets
    return check_context(check.team_id, check.id)


def _tell(session: AsyncSession, check: Check) -> None:
    announce(session, Topic.SERVICES, check.team_id, ids=[check.service_id])
    announce(session, Topic.WAKE, 0)


async def _restart(session: AsyncSession, check_ids: Sequence[int | None]) -> None:
    """Due at once under a new fencing token: a result of a run under way is refused."""
    query = text("UPDATE check_schedule SET due_at = now(), slot_at = NULL, run = run + 1 WHERE check_id = ANY(:ids)")
    await (await session.connection()).execute(query, {"ids": list(check_ids)})


async def _park(session: AsyncSession, check_ids: Sequence[int | None]) -> None:
    query = text(
        "UPDATE check_schedule SET due_at = 'infinity', slot_at = NULL, run = run + 1 WHERE check_id = ANY(:ids)"
    )
    await (await session.connection()).execute(query, {"ids": list(check_ids)})


async def _end_incident(session: AsyncSession, actor: Actor, check: Check) -> None:
    """An incident that is open ends with the pause; its timeline says by whom."""
    now = clock.now()
    query = (
        update(Incident)
        .where(col(Incident.check_id) == check.id, col(Incident.resolved_at).is_(None))
        .values(status=IncidentStatus.RESOLVED, resolved_at=now, version=Incident.version + 1)
        .returning(col(Incident.id), col(Incident.number))
    )
    for incident_id, number in (await session.exec(query)).all():
        data = {"number": number, "status": IncidentStatus.RESOLVED.value}
        resolved = Happening(EventKind.RESOLVED, service_id=check.service_id, incident_id=incident_id, data=data)
        await write_event(session, check.team_id, resolved, actor)
        announce(session, Topic.INCIDENTS, check.team_id, ids=[incident_id])
