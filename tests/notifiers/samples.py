"""Messages and texts that the tests of channels share."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.domain.incident import MessageKind
from app.domain.status import Status
from notifiers.base import Message

DOWN = Message(
    kind=MessageKind.DOWN,
    key="5f4dcc3b5aa765d61d8327deb882cf99",
    service="payments-api",
    status=Status.DOWN,
    title="502 Bad Gateway",
    detail="GET https://payments.example/health\nanswered 502 after 31 ms",
    team="Platform",
    url="https://pulse.example/incidents/42",
    incident_number=42,
    severity="critical",
    at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    since=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
)
RECOVERED = replace(DOWN, kind=MessageKind.RECOVERED, status=Status.UP, title="200 OK", duration_s=252.0)
TEST = Message(kind=MessageKind.TEST, key="test-1", service="", status=Status.UP, title="This channel works.")

POISON = {
    "crlf": "name\r\nBcc: everyone@example.com\r\n\r\nbody",
    "nul": "before\x00after",
    "escape codes": "\x1b[2J\x1b[31mred\x07",
    "huge": "x" * 100_000,
    "long lines": ("y" * 5_000 + "\n") * 20,
    "lone surrogate": "half \ud83d of a face",
    "right to left": "invoice\u202egpj.exe",
    "markup": "<!channel> <@U123> <http://evil.example|good> & `code` ```fence``` *b* _i_",
    "mentions": "@channel @here @everyone @Channel",
    "astral": "\U0001f600" * 3_000,
    "only controls": "\x00\x01\x02",
    "template": "{{7*7}} ${x} {% include %}",
    "line separators": "a\u2028b\u2029c\x85d",
    "empty": "",
}


def poisoned(text: str) -> list[Message]:
    """A message with the text in every free field."""
    fields: dict[str, Any] = dict.fromkeys(("service", "title", "detail", "team", "severity"), text)
    return [replace(message, **fields) for message in (DOWN, RECOVERED, TEST)]


def strings(value: Any) -> list[str]:
    """Every string of a JSON value, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in strings(item)]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []
