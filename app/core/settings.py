"""Every setting, read once from the environment into one frozen class.

A variable NAME may be given as NAME_FILE, the path of a file that holds the value, so that secrets stay out of
the environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from app.core.errors import StartError

_VARIABLES = {
    "host": "PULSEBOARD_HOST",
    "port": "PULSEBOARD_PORT",
    "data_dir": "PULSEBOARD_DATA_DIR",
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "secret_key": "PULSEBOARD_SECRET_KEY",
    "base_url": "PULSEBOARD_BASE_URL",
    "workers": "PULSEBOARD_WORKERS",
    "worker_concurrency": "PULSEBOARD_WORKER_CONCURRENCY",
    "lease_grace_s": "PULSEBOARD_LEASE_GRACE_S",
    "sender_lease_s": "PULSEBOARD_SENDER_LEASE_S",
    "log_level": "PULSEBOARD_LOG_LEVEL",
    "notify_allow": "PULSEBOARD_NOTIFY_ALLOW",
}


class Settings(BaseModel):
    """`database_url` None means the embedded PostgreSQL in `data_dir`. Durations are in seconds.

    A check whose worker died is run by another after its timeout and `lease_grace_s`; a message whose sender died is
    sent by another after `sender_lease_s`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    data_dir: Path = Path("data")
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    secret_key: SecretStr | None = None
    base_url: str = ""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    worker_concurrency: Annotated[int, Field(ge=1, le=5000)] = 300
    lease_grace_s: Annotated[float, Field(ge=0.5, le=600)] = 10.0
    sender_lease_s: Annotated[float, Field(ge=1, le=600)] = 60.0
    log_level: str = "INFO"
    notify_allow: str = ""

    @property
    def public_url(self) -> str:
        """Where people reach the dashboard; links in messages start with it."""
        return self.base_url.rstrip("/") or f"http://{_reachable(self.host)}:{self.port}"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raises StartError that names the variable and the mend."""
    source = os.environ if environment is None else environment
    values = {field: value for field, name in _VARIABLES.items() if (value := _value(source, name))}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise StartError(f"{_VARIABLES[str(first['loc'][0])]}: {first['msg']}.") from None


def _value(source: Mapping[str, str], name: str) -> str | None:
    path = source.get(f"{name}_FILE")
    if not path:
        return source.get(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StartError(f"{name}_FILE: can't read {path} ({error.strerror}). Check the path and its mode.") from None


def _reachable(host: str) -> str:
    return "localhost" if host in {"0.0.0.0", "::", "127.0.0.1"} else host  # noqa: S104  compared, not bound
