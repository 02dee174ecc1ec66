"""Incidents, the transitions that open and close them, and the events people read."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.domain.incident import IncidentStatus, Severity
from app.domain.status import Status
from models.base import UtcDateTime, text_enum


class Transition(SQLModel, table=True):
    """A confirmed change of status, numbered per check without gaps. `evidence` is what the deciding result showed."""

    __table_args__ = (
        UniqueConstraint("check_id", "seq"),
        ForeignKeyConstraint(["team_id", "check_id"], ["check.team_id", "check.id"], ondelete="CASCADE"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger)
    team_id: int
    check_id: int
    seq: int
    before: Status = Field(sa_type=text_enum(Status))
    after: Status = Field(sa_type=text_enum(Status))
    at: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(sa_type=Text)
    evidence: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)


class Incident(SQLModel, table=True):
    """What people work on. `version` grows with each change: an update names the version it saw."""

    __table_args__ = (
        UniqueConstraint("team_id", "id"),
        UniqueConstraint("team_id", "number"),
        ForeignKeyConstraint(["team_id", "service_id"], ["service.team_id", "service.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["team_id", "check_id"], ["check.team_id", "check.id"], ondelete="CASCADE"),
        Index("uq_incident_one_open_per_check", "check_id", unique=True, postgresql_where=text("resolved_at IS NULL")),
        Index(None, "team_id", "opened_at"),
        Index(None, "service_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    team_id: int
    number: int
    service_id: int
    check_id: int
    title: str = Field(sa_type=Text)
    severity: Severity = Field(sa_type=text_enum(Severity))
    status: IncidentStatus = Field(default=IncidentStatus.OPEN, sa_type=text_enum(IncidentStatus))
    opened_at: datetime = Field(sa_type=UtcDateTime)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    owner_id: int | None = Field(default=None, foreign_key="user_account.id", ondelete="SET NULL")
    version: int = Field(default=1)


class EventKind(StrEnum):
    """What an event tells; the first group is the system's, the second is people's."""

    WENT_DOWN = "went_down"
    DEGRADED = "degraded"
    RECOVERED = "recovered"
    DELIVERED = "delivered"
    DELIVERY_FAILED = "delivery_failed"
    COMMENT = "comment"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    STATUS_SET = "status_set"
    RESOLVED = "resolved"
    SERVICE_ADDED = "service_added"
    SERVICE_EDITED = "service_edited"
    SERVICE_DELETED = "service_deleted"
    SERVICE_PAUSED = "service_paused"
    SERVICE_RESUMED = "service_resumed"
    CHANNEL_ADDED = "channel_added"
    CHANNEL_EDITED = "channel_edited"
    CHANNEL_DELETED = "channel_deleted"


class Event(SQLModel, table=True):
    """One line of a team's activity; with `incident_id` it is also a line of that incident's timeline.

    `text` is plain: a comment's words, or the rest of the sentence that `kind` begins. Names are kept in `data`,
    so that the line still reads when the object is gone.
    """

    __table_args__ = (
        ForeignKeyConstraint(["team_id", "incident_id"], ["incident.team_id", "incident.id"], ondelete="CASCADE"),
        Index(None, "team_id", "id"),
        Index(None, "incident_id", "id", postgresql_where=text("incident_id IS NOT NULL")),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger)
    team_id: int = Field(foreign_key="team.id", ondelete="CASCADE")
    at: datetime = Field(sa_type=UtcDateTime)
    kind: EventKind = Field(sa_type=text_enum(EventKind))
    actor_id: int | None = Field(default=None, foreign_key="user_account.id", ondelete="SET NULL")
    service_id: int | None = None
    incident_id: int | None = None
    text: str = Field(default="", sa_type=Text)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
