"""A service: a microservice or website that people care about."""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints
from sqlalchemy import Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from models.base import UtcDateTime

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=40)]


class ServiceBase(SQLModel):
    name: Name = Field(sa_type=Text, title="Name", description="What people call it, such as checkout-api.")
    group: str = Field(
        default="",
        max_length=80,
        sa_type=Text,
        title="Group",
        description="Tiles are shown by group, such as Storefront.",
    )
    tags: list[Tag] = Field(
        default_factory=list, max_length=20, sa_type=ARRAY(Text), title="Tags", description="Words to filter by."
    )


class Service(ServiceBase, table=True):
    __table_args__ = (UniqueConstraint("team_id", "id"), UniqueConstraint("team_id", "name"))

    id: int | None = Field(default=None, primary_key=True)
    team_id: int = Field(foreign_key="team.id", ondelete="CASCADE")
    created_at: datetime = Field(sa_type=UtcDateTime)
    version: int = Field(default=1)


class ServiceCreate(ServiceBase):
    """What makes a service."""


class ServiceUpdate(ServiceBase):
    """Replaces the whole; `version` is the one that was seen, None to overwrite whatever is there."""

    version: int | None = None


class ServicePublic(ServiceBase):
    id: int
    created_at: datetime
    version: int
