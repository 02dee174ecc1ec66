"""What kinds of checks say in the same words."""

import errno
import ssl
from typing import Final

from app.core.text import clean
from app.domain.status import Outcome
from probes.base import ProbeResult

# What a target, or the network near it, answers; every other errno is about our own machine or its routes.
TARGET_ERRNOS = {
    errno.ECONNREFUSED: "Connection refused",
    errno.ECONNRESET: "Connection reset",
    errno.ECONNABORTED: "Connection reset",
    errno.EPIPE: "Connection reset",
    errno.EHOSTUNREACH: "No route to the host",
    errno.ETIMEDOUT: "The host does not answer",
}
# OpenSSL's X509_V_ERR_* codes.
EXPIRED: Final = 10
WRONG_NAME: Final = 62
CERTIFICATE_MESSAGES = {
    9: "Certificate is not valid yet",
    EXPIRED: "Certificate expired",
    18: "Certificate is self-signed",
    19: "Certificate comes from an authority that is not trusted",
    20: "Certificate comes from an authority that is not trusted",
    21: "Certificate comes from an authority that is not trusted",
    23: "Certificate was revoked",
    WRONG_NAME: "Certificate is not valid for this name",
    64: "Certificate is not valid for this name",  # an IP address instead of a name
}
_MAX_TEXT = 200


def unknown(cause: str, message: str) -> ProbeResult:
    """The result of a run that says nothing about the target."""
    return ProbeResult(Outcome.UNKNOWN, cause=cause, message=message)


def timed_out(timeout: float, doing: str) -> str:
    return f"No answer within {timeout:g} s ({doing})"


def refused(address: str, rule: str) -> str:
    return f"Address {address} may not be checked (rule {rule})"


def tls_message(error: ssl.SSLError) -> str:
    """Why a TLS handshake failed, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CERTIFICATE_MESSAGES.get(error.verify_code, f"Certificate can't be verified: {error.verify_message}")
    reason = str(error.reason or error).replace("_", " ").lower()
    return f"TLS handshake failed: {one_line(reason)}"


def one_line(text: str | bytes, limit: int = _MAX_TEXT) -> str:
    """Text from outside on one line that can be stored and shown."""
    if isinstance(text, bytes):
        text = text[: 4 * limit].decode("utf-8", "replace")
    return " ".join(clean(text).split())[:limit]


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3) if seconds > 0 else 0.0
