"""Text from outside, made fit to store and to show."""

import re
from typing import Any

# Everything below space but tab and newline, DEL, the C1 controls and the marks that turn text around.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Without control characters, direction overrides and lone surrogates, which PostgreSQL or readers choke on."""
    return _UNFIT.sub("", text)


def clean_json(value: Any) -> Any:
    """The same for every string in a JSON value."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value
