"""Results of checks, by day, and their counts by hour."""

from datetime import datetime
from enum import IntEnum

from sqlalchemy import REAL, Column, Integer, SmallInteger, Text
from sqlmodel import Field, SQLModel

from models.base import UtcDateTime


class Level(IntEnum):
    """How one result is stored and drawn: its outcome, with slow answers apart."""

    UP = 1
    DEGRADED = 2
    DOWN = 3
    UNKNOWN = 4


# One character per level for the strips of last results.
LEVEL_CHARS = {Level.UP: "u", Level.DEGRADED: "g", Level.DOWN: "d", Level.UNKNOWN: "n"}


class CheckResult(SQLModel, table=True):
    """One run. Partitioned by day on `at`; durations in milliseconds. The team is that of its check.

    There is no foreign key: rows come by COPY and go by partition.
    """

    __tablename__ = "check_result"
    __table_args__ = ({"postgresql_partition_by": "RANGE (at)"},)

    check_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    latency_ms: float | None = Field(default=None, sa_type=REAL)
    at: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    dns_ms: float | None = Field(default=None, sa_type=REAL)
    connect_ms: float | None = Field(default=None, sa_type=REAL)
    tls_ms: float | None = Field(default=None, sa_type=REAL)
    first_byte_ms: float | None = Field(default=None, sa_type=REAL)
    download_ms: float | None = Field(default=None, sa_type=REAL)
    level: int = Field(sa_type=SmallInteger)
    code: int | None = Field(default=None, sa_type=Integer)
    message: str | None = Field(default=None, sa_type=Text)


class CheckHour(SQLModel, table=True):
    """Counts and latency of one check in one hour, added to in the transaction that stores the results."""

    __tablename__ = "check_hour"
    __table_args__ = ({"postgresql_with": {"fillfactor": 70}},)

    check_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    hour: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    up: int = 0
    degraded: int = 0
    down: int = 0
    unknown: int = 0
    latency_count: int = 0
    latency_sum: float = Field(default=0.0)
    latency_min: float | None = Field(default=None, sa_type=REAL)
    latency_max: float | None = Field(default=None, sa_type=REAL)
