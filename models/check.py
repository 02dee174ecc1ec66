"""A check: one way to look at a service, its schedule and its present state.

What differs by kind is `config`, validated by the kind's own class in `probes`.
"""

from datetime import datetime
from typing import Any

from pydantic import ValidationInfo, field_validator
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Integer, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.domain.status import Outcome, Policy, Status, Streak
from models.base import UtcDateTime, text_enum

# Only under this key does SQLModel hand a field's extras on to its JSON schema, which draws the form.
_SECONDS = {"json_schema_extra": {"unit": "s"}}
_MILLISECONDS = {"json_schema_extra": {"unit": "ms"}}
_ADVANCED = {"json_schema_extra": {"advanced": True}}
_TIMEOUT = _SECONDS | {"validate_default": True}
_RETRY_INTERVAL = {"json_schema_extra": {"unit": "s", "advanced": True}, "validate_default": True}


class CheckTiming(SQLModel):
    """What every kind of check has besides its config: when it runs and how it is judged."""

    interval_s: int = Field(
        default=30,
        ge=5,
        le=86_400,
        title="Interval",
        description="Time between two checks.",
        schema_extra=_SECONDS,
    )
    timeout_s: int = Field(
        default=10,
        ge=1,
        le=300,
        title="Timeout",
        description="A check that takes longer is down.",
        schema_extra=_TIMEOUT,
    )
    retries: int = Field(
        default=1,
        ge=0,
        le=20,
        title="Retries",
        description="Failures in a row, after the first, before it counts as down.",
    )
    retry_interval_s: int = Field(
        default=5,
        ge=1,
        le=86_400,
        title="Retry interval",
        description="Time between checks while a failure is being confirmed.",
        schema_extra=_RETRY_INTERVAL,
    )
    recoveries: int = Field(
        default=1,
        ge=1,
        le=20,
        title="Successes to recover",
        description="Good results in a row before it counts as up again.",
        schema_extra=_ADVANCED,
    )
    degraded_ms: int | None = Field(
        default=None,
        ge=1,
        le=300_000,
        title="Slow above",
        description="Latency above this counts as degraded. Empty: never.",
        schema_extra=_MILLISECONDS,
    )

    @field_validator("timeout_s", "retry_interval_s")
    @classmethod
    def _fits_the_interval(cls, value: int, info: ValidationInfo) -> int:
        interval = info.data.get("interval_s")
        if interval is not None and value > interval:
            raise ValueError(f"This must not be longer than the interval: {interval} s or less.")
        return value

    @property
    def policy(self) -> Policy:
        return Policy(failures=self.retries + 1, recoveries=self.recoveries, degraded_ms=self.degraded_ms)


class CheckBase(CheckTiming):
    kind: str = Field(sa_type=Text, max_length=20)
    config: dict[str, Any] = Field(sa_type=JSONB)


class Check(CheckBase, table=True):
    """`config` holds sealed text where the kind's class marks a secret."""

    __table_args__ = (
        UniqueConstraint("team_id", "id"),
        ForeignKeyConstraint(["team_id", "service_id"], ["service.team_id", "service.id"], ondelete="CASCADE"),
        Index(None, "team_id", "service_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    team_id: int
    service_id: int
    paused: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)
    version: int = Field(default=1)


class CheckCreate(CheckBase):
    """What makes a check; `config` is plain."""


class CheckUpdate(CheckCreate):
    """Replaces the whole; `version` is the one that was seen, None to overwrite whatever is there."""

    version: int | None = None


class CheckPublic(CheckBase):
    """`config` with secrets masked."""

    id: int
    service_id: int
    paused: bool
    status: Status
    version: int


class CheckSchedule(SQLModel, table=True):
    """When a check is due. A claim moves `due_at` to the end of its lease and `run` (the fencing token) on by one.

    While leased, `slot_at` is the slot being run; a result is accepted only with the present `run`.
    Narrow, because each claim rewrites the row and its index entry.
    """

    __tablename__ = "check_schedule"
    __table_args__ = (
        ForeignKeyConstraint(["team_id", "check_id"], ["check.team_id", "check.id"], ondelete="CASCADE"),
        Index(None, "due_at"),
        {"postgresql_with": {"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0.05}},
    )

    due_at: datetime = Field(sa_type=UtcDateTime)
    slot_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    run: int = Field(default=0, sa_type=BigInteger)
    check_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    team_id: int


class CheckState(SQLModel, table=True):
    """The present state of a check: its streak and its last result. Narrow, so that updates stay HOT."""

    __tablename__ = "check_state"
    __table_args__ = (
        ForeignKeyConstraint(["team_id", "check_id"], ["check.team_id", "check.id"], ondelete="CASCADE"),
        {"postgresql_with": {"fillfactor": 60, "autovacuum_vacuum_scale_factor": 0.05}},
    )

    check_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    team_id: int
    status: Status = Field(default=Status.PENDING, sa_type=text_enum(Status))
    candidate: Status | None = Field(default=None, sa_type=text_enum(Status))
    count: int = 0
    seq: int = 0
    since: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_outcome: Outcome | None = Field(default=None, sa_type=text_enum(Outcome))
    last_latency_ms: float | None = None
    last_message: str | None = Field(default=None, sa_type=Text)
    incident_id: int | None = None

    @property
    def streak(self) -> Streak:
        return Streak(status=self.status, candidate=self.candidate, count=self.count, seq=self.seq)
