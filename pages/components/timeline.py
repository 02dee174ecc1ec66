"""Lines of an incident's timeline as the browser draws them. All of it is shown as text."""

from collections.abc import Callable
from typing import Any

from app.core.palette import STATUS_LOOKS
from app.usecases.actor import initials
from app.usecases.incidents import TimelineEntry
from models import Event
from models.incident import EventKind
from pages.components.avatars import NOBODYS_COLOUR, Person, person_of

Part = tuple[str, bool]
"""Words, and whether they stand out."""

_PEOPLES = frozenset(
    {EventKind.COMMENT, EventKind.ACKNOWLEDGED, EventKind.ASSIGNED, EventKind.STATUS_SET, EventKind.RESOLVED}
)
_OF_STATUS = {EventKind.WENT_DOWN: "down", EventKind.DEGRADED: "degraded", EventKind.RECOVERED: "up"}
_LETTER = "✉\ufe0e"


def line_of(entry: TimelineEntry) -> dict[str, Any]:
    """`id`, `at` in seconds since the epoch, `parts` of the sentence, `detail` in mono below it, a comment's `text`.

    A line of people has `who`; one of the system has the `symbol` and the `token` of its colour.
    """
    event = entry.event
    line: dict[str, Any] = {
        "id": event.id,
        "at": event.at.timestamp(),
        "parts": _parts(event),
        "detail": _detail(event),
    }
    if event.kind is EventKind.COMMENT:
        line["text"] = event.text
    if event.kind in _PEOPLES:
        return line | {"who": _who(entry)}
    symbol, token = _mark(event.kind)
    return line | {"symbol": symbol, "token": token}


def _who(entry: TimelineEntry) -> Person:
    if entry.author is not None:
        return person_of(entry.author)
    name = _word(entry.event, "actor", "Somebody")
    return (0, name, initials(name), NOBODYS_COLOUR)


def _mark(kind: EventKind) -> tuple[str, str]:
    if kind in _OF_STATUS:
        look = STATUS_LOOKS[_OF_STATUS[kind]]
        return look.symbol, look.token
    return _LETTER, "down" if kind is EventKind.DELIVERY_FAILED else "accent"


def _parts(event: Event) -> tuple[Part, ...]:
    return _SENTENCES.get(event.kind, _plain)(event)


def _went_down(event: Event) -> tuple[Part, ...]:
    return ((f"{_word(event, 'service', 'The service')} went down", True),)


def _degraded(event: Event) -> tuple[Part, ...]:
    service = _word(event, "service", "The service")
    if event.data.get("before") == "down":
        return ((service, True), (" answers again, but slowly", False))
    return ((f"{service} is slow", True),)


def _recovered(event: Event) -> tuple[Part, ...]:
    return ((f"{_word(event, 'service', 'The service')} recovered", True),)


def _delivered(event: Event) -> tuple[Part, ...]:
    seconds, attempt = event.data.get("seconds"), event.data.get("attempt", 1)
    taken = [f"delivered in {seconds:.1f} s"] if isinstance(seconds, int | float) else []
    taken += [f"attempt {attempt}"] if attempt != 1 else []
    news = " of the recovery" if event.data.get("message") == "recovered" else ""
    return (("Notified ", False), (_word(event, "channel", "a channel"), True), _in_brackets(news, taken))


def _not_delivered(event: Event) -> tuple[Part, ...]:
    attempt, wait = event.data.get("attempt", 1), event.data.get("next_try_s")
    tried = [f"attempt {attempt}"] if attempt else []
    tried.append(f"next try in {wait:.0f} s" if isinstance(wait, int | float) else "given up")
    return ((_word(event, "channel", "A channel"), True), _in_brackets(" could not be notified", tried))


def _comment(event: Event) -> tuple[Part, ...]:
    return ((_word(event, "actor", "Somebody"), True),)


def _acknowledged(event: Event) -> tuple[Part, ...]:
    return (*_comment(event), (" acknowledged and set the status to ", False), ("Investigating", True))


def _assigned(event: Event) -> tuple[Part, ...]:
    actor, owner = event.data.get("actor"), _word(event, "assignee", "nobody")
    if owner == actor:
        return (*_comment(event), (" took this on", False))
    return (*_comment(event), (" assigned this to ", False), (owner, True))


def _status_set(event: Event) -> tuple[Part, ...]:
    return (*_comment(event), (" set the status to ", False), (_word(event, "status", "").capitalize(), True))


def _resolved(event: Event) -> tuple[Part, ...]:
    return (*_comment(event), (" resolved this incident", False))


def _plain(event: Event) -> tuple[Part, ...]:
    return ((event.kind.value.replace("_", " ").capitalize(), False),)


_SENTENCES: dict[EventKind, Callable[[Event], tuple[Part, ...]]] = {
    EventKind.WENT_DOWN: _went_down,
    EventKind.DEGRADED: _degraded,
    EventKind.RECOVERED: _recovered,
    EventKind.DELIVERED: _delivered,
    EventKind.DELIVERY_FAILED: _not_delivered,
    EventKind.COMMENT: _comment,
    EventKind.ACKNOWLEDGED: _acknowledged,
    EventKind.ASSIGNED: _assigned,
    EventKind.STATUS_SET: _status_set,
    EventKind.RESOLVED: _resolved,
}


def _detail(event: Event) -> str:
    """What the check saw, or why a message was not accepted."""
    if event.kind is EventKind.DELIVERY_FAILED:
        return _word(event, "error", "")
    if event.kind not in _OF_STATUS:
        return ""
    latency = event.data.get("latency_ms")
    return " · ".join(filter(None, (_word(event, "message", ""), f"{latency:,.0f} ms" if latency is not None else "")))


def _in_brackets(words: str, details: list[str]) -> Part:
    return (f"{words} ({', '.join(details)})" if details else words, False)


def _word(event: Event, name: str, otherwise: str) -> str:
    return str(event.data.get(name) or otherwise)
