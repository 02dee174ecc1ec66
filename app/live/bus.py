"""The bus between processes. It wakes and carries hints; the database is the truth and is polled beside it."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from loguru import logger


class Topic(StrEnum):
    """What a message is about; `data` is in brackets."""

    CHECKS = "checks"  # states of checks changed {ids}
    SERVICES = "services"  # services or their checks were added, edited or removed {ids}
    INCIDENTS = "incidents"  # incidents changed {ids}
    EVENTS = "events"  # a new line of activity {id, incident_id}
    CHANNELS = "channels"  # channels changed {}
    PRESENCE = "presence"  # who looks at what {process, viewers}
    TYPING = "typing"  # {incident_id, user_id, name}
    SESSIONS = "sessions"  # sessions ended or accounts changed {user_id}
    WAKE = "wake"  # checks became due by hand {}
    JOBS = "jobs"  # background jobs were deferred {ids}
    RESYNC = "resync"  # made locally after a gap: whoever keeps state reads it again {}


@dataclass(frozen=True, slots=True)
class BusMessage:
    """`team_id` 0 means no team."""

    topic: Topic
    team_id: int = 0
    data: dict[str, Any] = field(default_factory=dict)


Handler = Callable[[BusMessage], Awaitable[None] | None]


class Bus(Protocol):
    """Publishes to every process, this one included; `healthy` is False while messages may be lost."""

    @property
    def healthy(self) -> bool: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def publish(self, messages: Iterable[BusMessage]) -> None: ...

    def subscribe(self, topic: Topic, handler: Handler) -> Callable[[], None]: ...


class Subscriptions:
    """The handlers of one process; one that fails doesn't stop the others."""

    def __init__(self) -> None:
        self._handlers: defaultdict[Topic, list[Handler]] = defaultdict(list)

    def subscribe(self, topic: Topic, handler: Handler) -> Callable[[], None]:
        """Returns the function that ends the subscription; it may be called twice."""
        self._handlers[topic].append(handler)

        def unsubscribe() -> None:
            if handler in self._handlers[topic]:
                self._handlers[topic].remove(handler)

        return unsubscribe

    async def dispatch(self, message: BusMessage) -> None:
        for handler in list(self._handlers[message.topic]):
            try:
                result = handler(message)
                if result is not None:
                    await result
            except Exception:
                logger.bind(topic=message.topic).exception("A bus handler failed")


class LocalBus(Subscriptions):
    """A bus within one process: for commands that run alone, and for tests."""

    healthy = True

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def publish(self, messages: Iterable[BusMessage]) -> None:
        for message in messages:
            await self.dispatch(message)
