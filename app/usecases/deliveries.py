"""Messages owed to channels: what to send, and what came of it."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.crypto import Sealer
from app.core.errors import NotifyError, PermanentNotifyError, RetryableNotifyError, SealError
from app.db.session import announce
from app.domain.incident import MessageKind
from app.domain.status import Status
from app.live.bus import Topic
from app.usecases.channels import channel_context
from app.usecases.configs import open_config
from app.usecases.events import Happening, write_event
from models import Channel, Delivery, Incident, Team
from models.channel import DeliveryState
from models.incident import EventKind
from notifiers import NOTIFIERS
from notifiers.base import Message

GIVE_UP_AFTER = timedelta(hours=24)
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Owed:
    """A message to send. `attempt` counts from 1."""

    delivery_id: int
    team_id: int
    incident_id: int
    channel_id: int
    channel: str
    kind: str
    config: Any
    message: Message
    attempt: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt, and how long it took; `error` None means that the vendor accepted the message."""

    error: NotifyError | None
    seconds: float


async def owed(session: AsyncSession, delivery_id: int, sealer: Sealer, public_url: str) -> Owed | None:
    """The message to send, None when there is nothing to do.

    That is: it was settled already, its channel was deleted or turned off, or the channel's settings can't be read; the
    last two are settled here, with the reason.
    """
    query = (
        select(Delivery, Channel, Incident.number, Team.name)
        .join(Channel, col(Channel.id) == Delivery.channel_id)
        .join(Incident, col(Incident.id) == Delivery.incident_id)
        .join(Team, col(Team.id) == Delivery.team_id)
        .where(Delivery.id == delivery_id, Delivery.state == DeliveryState.PENDING)
    )
    row = (await session.exec(query)).first()
    if row is None:
        return None
    delivery, channel, number, team = row
    assert delivery.id is not None and channel.id is not None  # noqa: S101, PT018  they were read from the database
    if not channel.enabled:
        await _park(session, delivery, channel, "The channel was turned off before the message left.")
        return None
    try:
        config = open_config(NOTIFIERS[channel.kind].config, channel.config, sealer, channel_context(channel))
    except (SealError, LookupError, ValueError, TypeError) as error:
        reason = error.message if isinstance(error, SealError) else "The channel's settings can't be read."
        await _break(session, channel, f"{reason} Enter the channel's settings again.")
        await _park(session, delivery, channel, reason)
        return None
    return Owed(
        delivery_id=delivery.id,
        team_id=delivery.team_id,
        incident_id=delivery.incident_id,
        channel_id=channel.id,
        channel=channel.name,
        kind=channel.kind,
        config=config,
        message=_message(delivery, team, f"{public_url}/incidents/{number}"),
        attempt=delivery.attempts + 1,
        created_at=delivery.created_at,
    )


async def settle(session: AsyncSession, owed: Owed, attempt: Attempt) -> float | None:
    """Write down the attempt; returns the seconds to wait for the next one, None when there is none.

    An attempt that was written down before, or overtaken by another sender's, leaves no trace.
    """
    wait_s = _next_wait(owed, attempt.error)
    state = DeliveryState.SENT if attempt.error is None else DeliveryState.FAILED
    if not await _advance(session, owed, attempt, DeliveryState.PENDING if wait_s is not None else state):
        return await _wait_after_another(session, owed)
    channel = await session.get(Channel, owed.channel_id)
    if channel is not None and attempt.error is None:
        await _mend(session, channel)
    elif channel is not None and isinstance(attempt.error, PermanentNotifyError):
        await _break(session, channel, attempt.error.message)
    await write_event(session, owed.team_id, _happening(owed, attempt, wait_s))
    return wait_s


def _next_wait(owed: Owed, error: NotifyError | None) -> float | None:
    """Seconds; exponential with jitter, not before the vendor's Retry-After, and not after a day."""
    if error is None or not isinstance(error, RetryableNotifyError):
        return None
    longest = min(_FIRST_WAIT_S * 2.0 ** (owed.attempt - 1), _LONGEST_WAIT_S)
    wait_s = max(longest * random.uniform(0.5, 1.0), error.retry_after or 0.0)  # noqa: S311  spreads load
    late = clock.now() + timedelta(seconds=wait_s) - owed.created_at
    return None if late > GIVE_UP_AFTER else wait_s


async def _advance(session: AsyncSession, owed: Owed, attempt: Attempt, state: DeliveryState) -> bool:
    """Compare and set: False when this delivery is not the one that was sent any more."""
    query = (
        update(Delivery)
        .where(
            col(Delivery.id) == owed.delivery_id,
            col(Delivery.state) == DeliveryState.PENDING,
            col(Delivery.attempts) == owed.attempt - 1,
        )
        .values(
            state=state,
            attempts=owed.attempt,
            sent_at=clock.now() if state is DeliveryState.SENT else None,
            last_error=attempt.error.message if attempt.error else None,
        )
    )
    return bool((await session.exec(query)).rowcount)


async def _wait_after_another(session: AsyncSession, owed: Owed) -> float | None:
    """After a commit whose answer was lost, or another sender's attempt: the message may still be owed."""
    delivery = await session.get(Delivery, owed.delivery_id)
    return _FIRST_WAIT_S if delivery is not None and delivery.state is DeliveryState.PENDING else None


async def _park(session: AsyncSession, delivery: Delivery, channel: Channel, reason: str) -> None:
    delivery.state = DeliveryState.FAILED
    delivery.last_error = reason
    data = {"channel": channel.name, "attempt": delivery.attempts, "error": reason}
    happening = Happening(EventKind.DELIVERY_FAILED, incident_id=delivery.incident_id, data=data)
    await write_event(session, delivery.team_id, happening)


async def _break(session: AsyncSession, channel: Channel, reason: str) -> None:
    channel.broken = reason
    await session.flush()
    announce(session, Topic.CHANNELS, channel.team_id)


async def _mend(session: AsyncSession, channel: Channel) -> None:
    if channel.broken is not None:
        channel.broken = None
        await session.flush()
        announce(session, Topic.CHANNELS, channel.team_id)


def _happening(owed: Owed, attempt: Attempt, wait_s: float | None) -> Happening:
    data: dict[str, Any] = {
        "channel": f"{NOTIFIERS[owed.kind].title} {owed.channel}",
        "message": owed.message.kind.value,
        "attempt": owed.attempt,
        "seconds": round(attempt.seconds, 3),
    }
    if attempt.error is None:
        return Happening(EventKind.DELIVERED, incident_id=owed.incident_id, data=data)
    data |= {"error": attempt.error.message, "next_try_s": None if wait_s is None else round(wait_s, 1)}
    return Happening(EventKind.DELIVERY_FAILED, incident_id=owed.incident_id, data=data)


def _message(delivery: Delivery, team: str, url: str) -> Message:
    words = delivery.message
    return Message(
        kind=MessageKind(delivery.kind),
        key=delivery.key,
        service=words["service"],
        status=Status(words["status"]),
        title=words["title"],
        detail=words["detail"],
        team=team,
        url=url,
        incident_number=words["incident_number"],
        severity=words["severity"],
        at=datetime.fromisoformat(words["at"]),
        since=datetime.fromisoformat(words["since"]),
        duration_s=words["duration_s"],
    )
