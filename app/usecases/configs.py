"""Configs of checks and channels at rest: secrets sealed, masked for people, opened for use.

A secret field is a SecretStr, or one marked `secret` in its json_schema_extra (such as a mapping of headers). At rest
it is {"sealed": text}; masked, each secret text is MASK, and a masked text that comes back keeps the stored one.
"""

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from app.core.crypto import Sealer
from app.core.errors import Invalid
from app.usecases.validation import validated

MASK = "••••••••"
_LOST = "Enter the value again: nothing is stored under this name."

M = TypeVar("M", bound=BaseModel)


def seal_config(config: BaseModel, sealer: Sealer, context: str) -> dict[str, Any]:
    """The JSON of `config` to store."""
    stored = config.model_dump(mode="json")
    for name in _secret_fields(type(config)):
        value = _plain(getattr(config, name))
        if value:
            stored[name] = {"sealed": sealer.seal(orjson.dumps(value).decode(), f"{context}:{name}")}
    return stored


def open_config(cls: type[M], stored: dict[str, Any], sealer: Sealer, context: str) -> M:
    """The typed config; raises SealError when a secret can't be opened."""
    return cls.model_validate(_opened(cls, stored, sealer, context))


def mask_config(cls: type[BaseModel], stored: dict[str, Any], sealer: Sealer, context: str) -> dict[str, Any]:
    """The JSON that people may see."""
    plain = _opened(cls, stored, sealer, context)
    return {name: _masked(value) if name in _secret_fields(cls) else value for name, value in plain.items()}


def config_from_form(
    cls: type[M], values: dict[str, Any], stored: dict[str, Any] | None, sealer: Sealer, context: str
) -> M:
    """Validate what a form or the API sent; masked or empty secrets are taken from `stored`. Raises Invalid."""
    if stored is not None:
        kept = _opened(cls, stored, sealer, context)
        values = values | {name: _unmasked(values.get(name, ""), kept.get(name)) for name in _secret_fields(cls)}
    masked = {name: _LOST for name in _secret_fields(cls) if _holds_mask(values.get(name))}
    if masked:
        raise Invalid(masked)
    return validated(cls, values)


def _secret_fields(cls: type[BaseModel]) -> list[str]:
    return [name for name, info in cls.model_fields.items() if _is_secret(info)]


def _is_secret(info: FieldInfo) -> bool:
    extra = info.json_schema_extra
    return info.annotation is SecretStr or (isinstance(extra, dict) and bool(extra.get("secret")))


def _opened(cls: type[BaseModel], stored: dict[str, Any], sealer: Sealer, context: str) -> dict[str, Any]:
    plain = dict(stored)
    for name in _secret_fields(cls):
        value = plain.get(name)
        if isinstance(value, dict) and value.keys() == {"sealed"}:
            plain[name] = orjson.loads(sealer.open(value["sealed"], f"{context}:{name}"))
    return plain


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return dict.fromkeys(value, MASK)
    return MASK if value else value


def _holds_mask(value: Any) -> bool:
    return MASK in value.values() if isinstance(value, dict) else value == MASK


def _unmasked(value: Any, kept: Any) -> Any:
    if isinstance(value, dict) and isinstance(kept, dict):
        return {name: kept.get(name, text) if text == MASK else text for name, text in value.items()}
    return kept if kept and value in (MASK, "") else value
