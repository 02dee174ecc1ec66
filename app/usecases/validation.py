"""Validation of what people send, with errors that name the field and the mend."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.core.errors import Invalid

M = TypeVar("M", bound=BaseModel)


def validated(cls: type[M], values: dict[str, Any]) -> M:
    """An instance of `cls`; raises Invalid with a text per field. Input values are never echoed."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise Invalid(field_errors(error)) from None


def field_errors(error: ValidationError) -> dict[str, str]:
    """Field name -> what is wrong; errors of the whole object are under an empty name."""
    found: dict[str, str] = {}
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        found.setdefault(name, item["msg"].removeprefix("Value error, "))
    return found
