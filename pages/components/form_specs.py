"""What a form has to ask: the fields of a pydantic or SQLModel class, read from its JSON schema."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

_WIDE_FROM = 500


class Kind(StrEnum):
    """How a field is drawn."""

    TEXT = "text"
    TEXTAREA = "textarea"
    NUMBER = "number"
    SELECT = "select"
    SWITCH = "switch"
    TAGS = "tags"
    MAPPING = "mapping"
    SECRET = "secret"  # noqa: S105  the name of a kind


@dataclass(frozen=True, slots=True)
class Spec:
    """One field. `example` is shown while it is empty; `secret` values come masked and may be left as they are."""

    name: str
    title: str
    kind: Kind
    hint: str = ""
    unit: str = ""
    example: str = ""
    options: tuple[str, ...] = ()
    default: Any = None
    nullable: bool = False
    advanced: bool = False
    secret: bool = False
    wide: bool = False


def specs_of(cls: type[BaseModel]) -> list[Spec]:
    """The fields that people fill in, in their order: those that were given a title."""
    schema = cls.model_json_schema()
    named = [name for name, info in cls.model_fields.items() if info.title]
    return [_spec(name, schema["properties"][name], schema.get("$defs", {})) for name in named]


def _spec(name: str, prop: dict[str, Any], defs: dict[str, Any]) -> Spec:
    kinds = [_resolved(kind, defs) for kind in prop.get("anyOf", [prop])]
    filled = next(kind for kind in kinds if kind.get("type") != "null")
    kind = _kind(prop, filled)
    return Spec(
        name=name,
        title=prop["title"],
        kind=kind,
        hint=prop.get("description", "") + (" Separate them by commas." if kind is Kind.TAGS else ""),
        unit=prop.get("unit", ""),
        example=_example(kind, prop.get("examples", [])),
        options=tuple(filled.get("enum", ())),
        default=prop.get("default"),
        nullable=any(kind.get("type") == "null" for kind in kinds),
        advanced=bool(prop.get("advanced")),
        secret=bool(prop.get("secret")) or kind is Kind.SECRET,
        wide=kind in {Kind.TEXTAREA, Kind.MAPPING, Kind.SECRET} or filled.get("maxLength", 0) >= _WIDE_FROM,
    )


def _resolved(prop: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    reference = str(prop.get("$ref", ""))
    found: dict[str, Any] = defs.get(reference.rpartition("/")[2], prop)
    return found


def _kind(prop: dict[str, Any], filled: dict[str, Any]) -> Kind:
    if "enum" in filled:
        return Kind.SELECT
    if filled.get("format") == "password":
        return Kind.SECRET
    if prop.get("widget") == Kind.TEXTAREA:
        return Kind.TEXTAREA
    by_type = {
        "boolean": Kind.SWITCH,
        "integer": Kind.NUMBER,
        "number": Kind.NUMBER,
        "array": Kind.TAGS,
        "object": Kind.MAPPING,
    }
    return by_type.get(filled.get("type", ""), Kind.TEXT)


def _example(kind: Kind, examples: list[Any]) -> str:
    return str(examples[0]) if examples and kind is not Kind.MAPPING else ""
