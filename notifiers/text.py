"""User data made fit for a vendor: no control characters, no half characters, no tricks, and not too long."""

import re
from collections.abc import Callable

_NEWLINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# These turn the reading direction of all that follows, so that a name can pose as another.
_DIRECTIONS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_HALVES = re.compile(r"[\ud800-\udfff]")
_ELLIPSIS = "…"


def clean(text: str) -> str:
    """The text with plain newlines, without control characters and direction overrides, and valid in UTF-8."""
    text = _NEWLINES.sub("\n", text)
    return _HALVES.sub("\ufffd", _DIRECTIONS.sub("", _CONTROLS.sub("", text))).strip()


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def fit(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """The escaped text in at most `limit` UTF-16 units; what is cut ends with an ellipsis, never inside an escape."""
    pieces: list[str] = []
    used, room_to_mark = 0, 0
    for character in text:
        piece = escape(character)
        used += _units(piece)
        if used > limit:
            return "".join(pieces[:room_to_mark]) + _ELLIPSIS
        pieces.append(piece)
        if used <= limit - len(_ELLIPSIS):
            room_to_mark = len(pieces)
    return "".join(pieces)


def duration_words(seconds: float) -> str:
    """The two largest units, such as "4 min 12 s" or "2 d 3 h"."""
    rest = max(0, round(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
