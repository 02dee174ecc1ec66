"""What a confirmed change of status means for incidents and for whom it is told: pure rules."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.status import Change, Status


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"


class IncidentStatus(StrEnum):
    OPEN = "open"
    INVESTIGATING = "investigating"
    RESOLVED = "resolved"


class Spell(StrEnum):
    """How a check's present trouble stands: it has an open incident, one that people resolved early, or none."""

    NONE = "none"
    OPEN = "open"
    CLOSED_BY_HAND = "closed by hand"


class Step(StrEnum):
    """What happens to the incident of a check."""

    NONE = "none"
    OPEN = "open"
    ESCALATE = "escalate"
    EASE = "ease"
    RESOLVE = "resolve"


class MessageKind(StrEnum):
    """What a message to a channel says."""

    DOWN = "down"
    RECOVERED = "recovered"
    TEST = "test"


class Announcement(StrEnum):
    """Whether channels are told, and why."""

    DOWN = "down: channels are told"
    RECOVERED = "recovered: channels that were told of the failure are told of its end"
    QUIET_DEGRADED = "degraded is shown, not sent"
    QUIET_FIRST_UP = "the first result of a check is not news"

    @property
    def message(self) -> MessageKind | None:
        """What channels are sent, None for nothing."""
        return {Announcement.DOWN: MessageKind.DOWN, Announcement.RECOVERED: MessageKind.RECOVERED}.get(self)


@dataclass(frozen=True, slots=True)
class Effect:
    step: Step
    announcement: Announcement


SEVERITY = {Status.DOWN: Severity.CRITICAL, Status.DEGRADED: Severity.WARNING}


def effect(change: Change, spell: Spell) -> Effect:
    """The effect of `change` on a check whose present trouble stands as `spell` says."""
    return Effect(_step(change, spell), _announcement(change))


def _step(change: Change, spell: Spell) -> Step:
    if change.after is Status.UP:
        return Step.RESOLVE if spell is Spell.OPEN else Step.NONE
    if spell is Spell.OPEN:
        return Step.ESCALATE if change.after is Status.DOWN else Step.EASE
    # Easing after people closed the incident is not new trouble; going down again is.
    eases = spell is Spell.CLOSED_BY_HAND and change.before is Status.DOWN
    return Step.NONE if eases else Step.OPEN


def _announcement(change: Change) -> Announcement:
    if change.after is Status.DOWN:
        return Announcement.DOWN
    if change.before is Status.DOWN:
        return Announcement.RECOVERED
    return Announcement.QUIET_FIRST_UP if change.before is Status.PENDING else Announcement.QUIET_DEGRADED
