"""What every kind of check is: a frozen config class and an async function from config to ProbeResult.

The caller owns time: `ProbeContext.timeout` is the deadline of the whole probe, and the checker
cancels what overruns it. A target that is down is a value; an exception out of `run` is our bug.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from app.core.addresses import AddressPolicy, IPAddress
from app.domain.status import Outcome


def allow_all(address: IPAddress, port: int) -> str | None:
    return None


class ProbeConfig(BaseModel):
    """Base of the config classes. A field's title, description, examples and json_schema_extra draw its form.

    json_schema_extra keys: `widget` ("text", "textarea", "select", "mapping"), `unit` ("s", "ms"),
    `advanced` (folded away), `secret` (sealed at rest, masked in the API).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Phases:
    """Durations of a run's phases in milliseconds, each from the end of the one before; None when not reached."""

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    download: float | None = None


NO_PHASES = Phases()


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The outcome of one run.

    `latency_ms` is the whole run. `cause` is a stable name ("status", "timeout", "dns", "connect", "tls", "auth",
    "answer", "keyword", "body", "redirect", "policy", "protocol", "internal"), empty when UP. `message` is one line for
    people ("502 Bad Gateway"). `code` is the protocol's own (an HTTP status). `facts` is evidence kept on a
    transition: address, http_version, headers, body excerpt, certificate names and `certificate_days`.
    """

    outcome: Outcome
    latency_ms: float | None = None
    cause: str = ""
    message: str = ""
    code: int | None = None
    phases: Phases = NO_PHASES
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe may use besides its config. `timeout` is in seconds.

    `ca_file` is a PEM bundle to trust instead of the system's.
    """

    timeout: float
    address_policy: AddressPolicy = allow_all
    ca_file: str | None = None


C = TypeVar("C", bound=ProbeConfig)


@dataclass(frozen=True, slots=True)
class Probe(Generic[C]):
    """One entry of PROBES."""

    kind: str
    title: str
    config: type[C]
    run: Callable[[C, ProbeContext], Awaitable[ProbeResult]]
    describe: Callable[[C], str]
