"""What every kind of channel is: a frozen config class and `async send(config, message, http)`.

`send` returns when the vendor has accepted the message, and raises RetryableNotifyError or
PermanentNotifyError when it has not. No error text may contain the config's secrets.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr

from app.domain.incident import MessageKind
from app.domain.status import Status


class NotifierConfig(BaseModel):
    """Base of the config classes; fields marked SecretStr are sealed at rest and never shown again."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


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


def webhook_address(value: SecretStr) -> SecretStr:
    """Validates a field that holds a secret web address; whether it may be reached is decided when connecting."""
    text = value.get_secret_value().strip()
    url = _parsed(text)
    if url is None or url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > 65535:
        raise ValueError("Enter a whole web address that starts with https://")
    if url.userinfo or url.fragment:
        raise ValueError("Remove the user name before @ and what follows #.")
    if url.path == "/":
        raise ValueError("The path is missing. Copy the whole address.")
    return SecretStr(text)


def _parsed(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text) if len(text) <= 2000 else None
    except httpx.InvalidURL:
        return None
