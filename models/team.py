"""Teams own everything below them; people belong to teams with a role."""

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from app.domain.access import Role
from models.base import UtcDateTime, text_enum


class Team(SQLModel, table=True):
    """`last_incident` numbers the team's incidents: #1, #2, ..."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_type=Text, unique=True)
    last_incident: int = Field(default=0)
    created_at: datetime = Field(sa_type=UtcDateTime)


class Membership(SQLModel, table=True):
    team_id: int = Field(foreign_key="team.id", ondelete="CASCADE", primary_key=True)
    user_id: int = Field(foreign_key="user_account.id", ondelete="CASCADE", primary_key=True, index=True)
    role: Role = Field(sa_type=text_enum(Role))
