"""User data made fit for a vendor: no control characters, no half characters, no tricks, and not too long."""

import re
from collections.abc import Callable

from app.core import text

_NEWLINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_ELLIPSIS = "…"


def clean(value: str) -> str:
    """The text with plain newlines, without control characters, direction overrides and half characters."""
    return text.clean(_NEWLINES.sub("\n", value)).strip()


def one_line(value: str) -> str:
    return " ".join(clean(value).split())


def fit(value: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """The escaped text in at most `limit` UTF-16 units; what is cut ends with an ellipsis, never inside an escape."""
    pieces: list[str] = []
    used, room_to_mark = 0, 0
    for character in value:
        piece = escape(character)
        used += _units(piece)
        if used > limit:
            return "".join(pieces[:room_to_mark]) + _ELLIPSIS
        pieces.append(piece)
        if used <= limit - len(_ELLIPSIS):
            room_to_mark = len(pieces)
    return "".join(pieces)


def duration_words(seconds: float) -> str:
    """The two largest units that are not zero, such as "4 min 12 s" or "2 d 3 h"."""
    rest = max(0, round(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _units(value: str) -> int:
    return len(value) + sum(character > "\uffff" for character in value)
