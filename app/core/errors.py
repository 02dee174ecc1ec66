"""Every exception that Pulseboard raises on purpose.

PulseboardError
├── StartError             the process can't start; the message names the mend (exit code 2)
├── UsecaseError           a request that is refused; mapped once to a toast or a 4xx
│   ├── NotFound           no such object in this team (404)
│   ├── Forbidden          the actor's role may not do this (403)
│   ├── Conflict           somebody else was first; look again (409)
│   ├── Invalid            a value is wrong; carries the field's name (422)
│   ├── Unauthenticated    no valid session or token (401)
│   └── RateLimited        too many attempts; try again after `retry_after` seconds (429)
├── ProbeError             ends a run of a check; becomes its result inside `probes` and never leaves it
│   ├── TargetFailed       what the target did or did not do (DOWN)
│   └── ProbeUnable        our own trouble, which says nothing about the target (UNKNOWN)
├── SealError              a sealed secret can't be opened with the present keys
└── NotifyError            a message was not delivered
    ├── RetryableNotifyError   try again later, after `retry_after` seconds if the vendor said so
    └── PermanentNotifyError   trying again can't help (revoked webhook, bad payload)
"""

from collections.abc import Mapping


class PulseboardError(Exception):
    """Base of every error raised on purpose; its text may be shown to people."""

    default = "Something went wrong."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.default)

    @property
    def message(self) -> str:
        return str(self.args[0])


class StartError(PulseboardError):
    default = "Pulseboard can't start."


class UsecaseError(PulseboardError):
    status_code = 400


class NotFound(UsecaseError):
    default = "There is no such object in this team."
    status_code = 404


class Forbidden(UsecaseError):
    default = "Your role doesn't allow this."
    status_code = 403


class Conflict(UsecaseError):
    default = "Somebody changed this before you. Look at the new state and try again."
    status_code = 409


class Unauthenticated(UsecaseError):
    default = "Sign in first."
    status_code = 401


class RateLimited(UsecaseError):
    """`retry_after` is in whole seconds."""

    status_code = 429

    def __init__(self, retry_after: int) -> None:
        minutes = -(-retry_after // 60)
        wait = f"{retry_after} seconds" if retry_after < 60 else f"{minutes} minute{'s' if minutes > 1 else ''}"
        super().__init__(f"Too many attempts. Try again in {wait}.")
        self.retry_after = retry_after


class Invalid(UsecaseError):
    """A value is wrong. `fields` maps a field's name to what is wrong with it and how to mend it."""

    default = "Some values need mending."
    status_code = 422

    def __init__(self, fields: Mapping[str, str], message: str | None = None) -> None:
        super().__init__(message or "; ".join(f"{name}: {text}" for name, text in fields.items()))
        self.fields = dict(fields)


class SealError(PulseboardError):
    default = "A stored secret can't be opened with the present key."


class NotifyError(PulseboardError):
    default = "The message was not delivered."


class RetryableNotifyError(NotifyError):
    """`retry_after` is in seconds, None when the vendor named no time."""

    def __init__(self, message: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentNotifyError(NotifyError):
    default = "The channel refused the message for good."


class ProbeError(PulseboardError):
    """Ends a run of a check. `cause` is one of ProbeResult's."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class TargetFailed(ProbeError):
    """Only code that talked to the target may raise it."""


class ProbeUnable(ProbeError):
    """We could not look."""
