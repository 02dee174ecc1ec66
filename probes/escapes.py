r"""Bytes as people type them: text, with \r, \n, \t, \0, \\ and \xNN for what has no key."""

import re

MAX_BYTES = 4096
HINT = r"\r, \n, \t, \0 and \xNN stand for those bytes, \\ for a backslash."

_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.|$)", re.DOTALL)
_NAMED = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


def to_bytes(text: str) -> bytes:
    """The bytes meant; raises ValueError whose text tells people what is wrong."""
    try:
        data = _ESCAPE.sub(_meant, text.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValueError("It contains characters that can't be sent") from None
    if len(data) > MAX_BYTES:
        raise ValueError(f"It is longer than {MAX_BYTES} bytes")
    return data


def checked(text: str) -> str:
    """The text itself, as a validator."""
    to_bytes(text)
    return text


def _meant(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if len(code) == 3:
        return bytes([int(code[1:], 16)])
    if code not in _NAMED:
        raise ValueError(r"A backslash starts \r, \n, \t, \0 or \xNN; write \\ for the backslash itself")
    return _NAMED[code]
