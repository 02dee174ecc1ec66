"""What every kind of channel is: a frozen config class and `async send(config, message, http)`.

`send` returns when the vendor has accepted the message, and raises RetryableNotifyError or
PermanentNotifyError when it has not. No error text may contain the config's secrets.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict

from app.domain.incident import MessageKind
from app.domain.status import Status


class NotifierConfig(BaseModel):
    """Base of the config classes; fields marked SecretStr are sealed at rest and never shown again."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Message:
    """What one delivery says. Texts are raw user data: each notifier escapes and truncates for its vendor.

    `url` links to the incident (empty for a test). `since` is when the incident opened; `duration_s` how long it
    lasted, None while open. `key` is the idempotency key, the same over every retry.
    """

    kind: MessageKind
    key: str
    service: str
    status: Status
    title: str
    detail: str = ""
    team: str = ""
    url: str = ""
    incident_number: int | None = None
    severity: str = ""
    at: datetime | None = None
    since: datetime | None = None
    duration_s: float | None = None


C = TypeVar("C", bound=NotifierConfig)


@dataclass(frozen=True, slots=True)
class Notifier(Generic[C]):
    """One entry of NOTIFIERS."""

    kind: str
    title: str
    config: type[C]
    send: Callable[[C, Message, httpx.AsyncClient], Awaitable[None]]
