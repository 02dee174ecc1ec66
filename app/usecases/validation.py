"""Validation of what people send, with errors that name the field and the mend."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.core.errors import Invalid

M = TypeVar("M", bound=BaseModel)

_MAX_ID = 2**31 - 1

# What to enter instead, for the errors that people meet; the braces are filled from the error's context.
_WORDS = {
    "missing": "Fill this in.",
    "string_type": "Enter a text.",
    "string_too_short": "Enter at least {min_length} characters.",
    "string_too_long": "Enter at most {max_length:,} characters.",
    "too_long": "Enter at most {max_length:,}.",
    "int_type": "Enter a whole number.",
    "int_parsing": "Enter a whole number.",
    "int_from_float": "Enter a whole number.",
    "float_type": "Enter a number.",
    "float_parsing": "Enter a number.",
    "greater_than_equal": "Enter {ge:,} or more.",
    "less_than_equal": "Enter {le:,} or less.",
    "literal_error": "Choose one of {expected}.",
    "extra_forbidden": "There is no such field.",
}


def validated(cls: type[M], values: dict[str, Any]) -> M:
    """An instance of `cls`; raises Invalid with a text per field. Input values are never echoed."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise Invalid(field_errors(error)) from None


def is_id(number: int) -> bool:
    """Whether a row can have this id; the database refuses to compare with others."""
    return 0 < number <= _MAX_ID


def field_errors(error: ValidationError) -> dict[str, str]:
    """Field name -> what is wrong; errors of the whole object are under an empty name."""
    found: dict[str, str] = {}
    for item in error.errors(include_input=False, include_url=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        found.setdefault(name, _words(item["type"], item.get("ctx", {}), item["msg"]))
    return found


def _words(kind: str, context: dict[str, Any], message: str) -> str:
    if kind == "string_too_short" and context["min_length"] == 1:
        kind = "missing"
    known = _WORDS.get(kind)
    return known.format_map(context) if known else message.removeprefix("Value error, ")
