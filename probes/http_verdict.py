"""What an HTTP exchange says about the target. Only code that talked to the target may say DOWN."""

import errno
import re
from datetime import UTC, datetime
from http import HTTPStatus
from math import floor
from typing import Any

import pycurl

from app.core import clock
from app.domain.status import Outcome
from probes.base import NO_PHASES, Phases, ProbeResult
from probes.curl import BODY_CAP, Exchange
from probes.http_config import HttpConfig, status_ranges

_EXCERPT = 2048
_MAX_HEADER_TEXT = 200
_DAY_S = 86_400
_SHOWN_HEADERS = frozenset(
    {"content-type", "content-length", "location", "retry-after", "server", "via", "x-cache", "x-request-id"}
)
_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: "1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "2",
    pycurl.CURL_HTTP_VERSION_3: "3",
}
_OUR_ERRORS = frozenset(
    {pycurl.E_FAILED_INIT, pycurl.E_OUT_OF_MEMORY, pycurl.E_INTERFACE_FAILED, pycurl.E_SSL_CACERT_BADFILE}
)
_OUR_ERRNOS = frozenset(
    {
        errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAFNOSUPPORT,
        errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM,
    }
)  # fmt: skip
_CONNECT_MESSAGES = {
    errno.ECONNREFUSED: "Connection refused",
    errno.EHOSTUNREACH: "No route to the host",
    errno.ETIMEDOUT: "The host does not answer",
    errno.ECONNRESET: "Connection reset",
}
_TLS_ERRORS = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_SSL_CIPHER, pycurl.E_SSL_INVALIDCERTSTATUS})
_BROKEN_OFF = {
    pycurl.E_GOT_NOTHING: ("protocol", "The connection was closed without an answer"),
    pycurl.E_PARTIAL_FILE: ("body", "The answer ended before it was complete"),
    pycurl.E_BAD_CONTENT_ENCODING: ("body", "The answer's content encoding is broken"),
}
# OpenSSL's X509_V_ERR_* codes.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME = 9, 10, 62
_CERTIFICATE_MESSAGES = {
    _NOT_YET_VALID: "Certificate is not valid yet",
    _EXPIRED: "Certificate expired",
    18: "Certificate is self-signed",
    19: "Certificate comes from an authority that is not trusted",
    20: "Certificate comes from an authority that is not trusted",
    21: "Certificate comes from an authority that is not trusted",
    23: "Certificate was revoked",
    _WRONG_NAME: "Certificate is not valid for this name",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def judge(config: HttpConfig, exchange: Exchange) -> ProbeResult:
    """The verdict on the last exchange of a run; the caller adds what came before it."""
    if exchange.error:
        return _failed(exchange)
    facts = facts_of(exchange)
    if not any(exchange.status in span for span in status_ranges(config.expected_status)):
        return _down("status", status_text(exchange.status), exchange, facts)
    if config.keyword and not _contains(exchange, config.keyword):
        where = " in its first 1 MiB" if exchange.truncated else ""
        return _down("keyword", f"The answer does not contain the keyword{where}", exchange, facts)
    return ProbeResult(outcome=Outcome.UP, message=status_text(exchange.status), code=exchange.status, facts=facts)


def unknown(cause: str, message: str) -> ProbeResult:
    """The result of a run that says nothing about the target."""
    return ProbeResult(outcome=Outcome.UNKNOWN, cause=cause, message=message)


def timed_out(timeout: float, doing: str) -> str:
    return f"No answer within {timeout:g} s ({doing})"


def status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def phases_of(exchange: Exchange) -> Phases:
    """Phases of one exchange without its name lookup, which libcurl does not do here."""
    if not exchange.connected:
        return NO_PHASES
    secured = exchange.handshaken or exchange.connected
    first_byte = exchange.first_byte if exchange.header_lines else 0.0
    return Phases(
        connect=_ms(exchange.connected),
        tls=_ms(exchange.handshaken - exchange.connected) if exchange.handshaken else None,
        first_byte=_ms(first_byte - secured) if first_byte else None,
        download=_ms(exchange.total - first_byte) if first_byte and not exchange.error else None,
    )


def facts_of(exchange: Exchange) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if exchange.address:
        facts["address"] = exchange.address
    if exchange.status:
        facts["http_version"] = _VERSIONS.get(exchange.http_version, "")
        facts["headers"] = _shown_headers(exchange.header_lines)
    if exchange.certificates:
        facts |= _certificate_facts(exchange.certificates[0])
    return facts


def printable(text: str, limit: int) -> str:
    """Text of a stranger without control characters or lone surrogates, at most `limit` characters."""
    return _CONTROLS.sub(" ", text).strip()[:limit]


def certificate_message(verify_result: int, days: int | None) -> str:
    """Why a certificate was refused; `days` until it expires, negative after, None when not known."""
    message = _CERTIFICATE_MESSAGES.get(verify_result, "Certificate can't be verified")
    if verify_result != _EXPIRED or days is None or days >= 0:
        return message
    return f"{message} {-days} day{'' if days == -1 else 's'} ago"


def _failed(exchange: Exchange) -> ProbeResult:
    code = exchange.error
    if code == pycurl.E_COULDNT_CONNECT:
        return _not_connected(exchange)
    if code in _OUR_ERRORS or not (exchange.connected or code == pycurl.E_OPERATION_TIMEDOUT):
        return unknown("internal", f"Our own trouble: {printable(exchange.error_text, 200)}")
    cause, message = _reason(exchange)
    return _down(cause, message, exchange, facts_of(exchange))


def _not_connected(exchange: Exchange) -> ProbeResult:
    if exchange.opened:
        number = exchange.errno
        if number not in _OUR_ERRNOS:
            return _down("connect", _CONNECT_MESSAGES.get(number, "Connection failed"), exchange, {})
    elif exchange.refused:
        rule, address = exchange.refused
        return unknown("policy", f"Address {address} may not be checked (rule {rule})")
    else:
        number = exchange.local_error
    return unknown("internal", f"Our own trouble while connecting: {errno.errorcode.get(number, number)}")


def _reason(exchange: Exchange) -> tuple[str, str]:
    """Cause and message of a failure that the target answers for."""
    code, text = exchange.error, printable(exchange.error_text, 200)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return "timeout", timed_out(exchange.request.timeout, reached(exchange))
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return "tls", certificate_message(exchange.verify_result, None)
    if code in _TLS_ERRORS:
        return "tls", f"TLS handshake failed: {text}"
    if exchange.errno in _CONNECT_MESSAGES and code in {pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR}:
        return "protocol", _CONNECT_MESSAGES[exchange.errno]
    return _BROKEN_OFF.get(code, ("protocol", text or f"libcurl error {code}"))


def _down(cause: str, message: str, exchange: Exchange, facts: dict[str, Any]) -> ProbeResult:
    if exchange.body:
        text = bytes(exchange.body[: _EXCERPT * 2]).decode(_charset(exchange), "replace")
        facts["body"] = printable(text, _EXCERPT)
    return ProbeResult(outcome=Outcome.DOWN, cause=cause, message=message, code=exchange.status or None, facts=facts)


def reached(exchange: Exchange) -> str:
    if not exchange.connected:
        return "connecting"
    if exchange.request.url.startswith("https:") and not exchange.handshaken:
        return "in the TLS handshake"
    if not exchange.header_lines:
        return "waiting for the first byte"
    if exchange.header_lines[-1].strip():
        return "reading the headers"
    return "reading the body"


def _contains(exchange: Exchange, keyword: str) -> bool:
    if keyword.encode() in exchange.body:
        return True
    charset = _charset(exchange)
    return charset != "utf-8" and keyword in exchange.body[:BODY_CAP].decode(charset, "replace")


def _charset(exchange: Exchange) -> str:
    for line in exchange.header_lines:
        if line[:13].lower() == b"content-type:":
            match = re.search(rb"charset=\"?([\w.:-]{1,40})", line, re.IGNORECASE)
            return _known_charset(match[1].decode("ascii")) if match else "utf-8"
    return "utf-8"


def _known_charset(name: str) -> str:
    try:
        "".encode(name)
        b"".decode(name)
    except (LookupError, UnicodeError):
        return "utf-8"
    return name.lower()


def _shown_headers(lines: list[bytes]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and (known := name.lower().decode("latin-1")) in _SHOWN_HEADERS:
            shown[known] = printable(value.decode("latin-1"), _MAX_HEADER_TEXT)
    return shown


def _certificate_facts(fields: list[tuple[str, str]]) -> dict[str, Any]:
    named = dict(fields)
    facts: dict[str, Any] = {
        "certificate_subject": printable(named.get("Subject", ""), _MAX_HEADER_TEXT),
        "certificate_issuer": printable(named.get("Issuer", ""), _MAX_HEADER_TEXT),
    }
    try:
        expires = datetime.strptime(named.get("Expire date", ""), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError:
        return facts
    facts["certificate_expires"] = expires.isoformat()
    facts["certificate_days"] = floor((expires - clock.now()).total_seconds() / _DAY_S)
    return facts


def _ms(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 3)
