"""People and their sessions."""

from datetime import datetime

from sqlalchemy import BigInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.base import UtcDateTime


class UserBase(SQLModel):
    email: str = Field(sa_type=Text, unique=True)
    name: str = Field(sa_type=Text)
    avatar_color: str = Field(default="#6c5ce7", sa_type=Text)
    theme: str = Field(default="auto", sa_type=Text)


class User(UserBase, table=True):
    """`email` is kept in lower case. `disabled_at` locks every session out."""

    __tablename__ = "user_account"

    id: int | None = Field(default=None, primary_key=True)
    password_hash: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AuthSession(SQLModel, table=True):
    """One signed-in browser or API client; `id` is the token's jti. Revoking it ends the token at once."""

    __tablename__ = "auth_session"

    id: str = Field(primary_key=True, sa_type=Text)
    user_id: int = Field(foreign_key="user_account.id", ondelete="CASCADE", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Installation(SQLModel, table=True):
    """The one row (id 1) that says whether the first admin was made; once done it stays done."""

    id: int = Field(default=1, primary_key=True)
    setup_token_hash: str | None = Field(default=None, sa_type=Text)
    setup_done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WorkerSeen(SQLModel, table=True):
    """The heartbeat of one worker process; `counters` are what it counts for /metrics, by name."""

    __tablename__ = "worker_seen"

    id: str = Field(primary_key=True, sa_type=Text)
    started_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    runs: int = Field(default=0, sa_type=BigInteger)
    lag_ms: float = Field(default=0.0)
    counters: dict[str, float] = Field(default_factory=dict, sa_type=JSONB)
