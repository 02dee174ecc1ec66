"""Channels that are told, and the messages owed to them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.domain.incident import MessageKind
from models.base import UtcDateTime, text_enum
from models.service import Name


class ChannelBase(SQLModel):
    kind: str = Field(sa_type=Text, max_length=20)
    name: Name = Field(sa_type=Text, title="Name", description="What people call it, such as #payments-oncall.")
    enabled: bool = Field(default=True, title="Enabled", description="A channel that is off is told nothing.")


class Channel(ChannelBase, table=True):
    """`config` holds sealed text where the kind's class marks a secret. `broken` says why sending was given up."""

    __table_args__ = (UniqueConstraint("team_id", "id"), UniqueConstraint("team_id", "name"))

    id: int | None = Field(default=None, primary_key=True)
    team_id: int = Field(foreign_key="team.id", ondelete="CASCADE")
    config: dict[str, Any] = Field(sa_type=JSONB)
    broken: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    version: int = Field(default=1)


class ChannelCreate(ChannelBase):
    """What makes a channel; `config` is plain."""

    config: dict[str, Any]


class ChannelUpdate(ChannelCreate):
    """Replaces the whole. A masked or empty secret keeps the stored one; `version` None overwrites what is there."""

    version: int | None = None


class ChannelPublic(ChannelBase):
    """`config` with secrets masked."""

    id: int
    config: dict[str, Any]
    broken: str | None
    version: int


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Delivery(SQLModel, table=True):
    """One message owed to one channel for one transition of one incident; at most one per key."""

    __table_args__ = (
        ForeignKeyConstraint(["team_id", "incident_id"], ["incident.team_id", "incident.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["team_id", "channel_id"], ["channel.team_id", "channel.id"], ondelete="CASCADE"),
        UniqueConstraint("key"),
        Index(None, "incident_id"),
        Index(None, "channel_id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger)
    team_id: int
    incident_id: int
    channel_id: int
    seq: int
    kind: MessageKind = Field(sa_type=text_enum(MessageKind))
    key: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    message: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    state: DeliveryState = Field(default=DeliveryState.PENDING, sa_type=text_enum(DeliveryState))
    attempts: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_error: str | None = Field(default=None, sa_type=Text)
