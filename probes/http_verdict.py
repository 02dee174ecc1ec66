"""What an HTTP exchange says about the target. Only code that talked to the target may say DOWN."""

import errno
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus

import pycurl

from app.domain.status import Outcome
from probes.base import Phases, ProbeResult
from probes.exchange import Exchange
from probes.http_config import HttpConfig, status_ranges
from probes.http_facts import charset, excerpt, facts_of
from probes.verdicts import (
    CERTIFICATE_MESSAGES,
    EXPIRED,
    TARGET_ERRNOS,
    WRONG_NAME,
    milliseconds,
    one_line,
    timed_out,
    unknown,
)

_OUR_ERRORS = frozenset(
    {pycurl.E_FAILED_INIT, pycurl.E_OUT_OF_MEMORY, pycurl.E_INTERFACE_FAILED, pycurl.E_SSL_CACERT_BADFILE}
)
_TLS_ERRORS = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_SSL_CIPHER, pycurl.E_SSL_INVALIDCERTSTATUS})
_BROKEN_OFF = {
    pycurl.E_GOT_NOTHING: ("protocol", "The connection was closed without an answer"),
    pycurl.E_PARTIAL_FILE: ("body", "The answer ended before it was complete"),
    pycurl.E_BAD_CONTENT_ENCODING: ("body", "The answer's content encoding is broken"),
}
_CERTIFICATE_MESSAGES = {**CERTIFICATE_MESSAGES, 1: CERTIFICATE_MESSAGES[WRONG_NAME]}  # what libcurl leaves


def judge(config: HttpConfig, exchange: Exchange, timeout: float) -> ProbeResult:
    """The verdict on the last exchange of a run of `timeout` seconds, without the run's times."""
    if exchange.error:
        return _failed(exchange, timeout)
    if not any(exchange.status in span for span in status_ranges(config.expected_status)):
        return down("status", _status_text(exchange.status), exchange)
    if config.keyword and not _contains(exchange, config.keyword):
        where = " in its first 1 MiB" if exchange.truncated else ""
        return down("keyword", f"The answer does not contain the keyword{where}", exchange)
    return ProbeResult(
        Outcome.UP, message=_status_text(exchange.status), code=exchange.status, facts=facts_of(exchange)
    )


def down(cause: str, message: str, exchange: Exchange) -> ProbeResult:
    facts = facts_of(exchange)
    if exchange.body:
        facts["body"] = excerpt(exchange)
    return ProbeResult(Outcome.DOWN, cause=cause, message=message, code=exchange.status or None, facts=facts)


def phases_of(exchange: Exchange, lookup_ms: float) -> Phases:
    connected, handshaken, first_byte = exchange.connected, exchange.handshaken, exchange.first_byte
    return Phases(
        dns=lookup_ms,
        connect=milliseconds(connected) if connected else None,
        tls=milliseconds(handshaken - connected) if handshaken else None,
        first_byte=milliseconds(first_byte - (handshaken or connected)) if first_byte else None,
        download=milliseconds(exchange.total - first_byte) if first_byte and not exchange.error else None,
    )


def _failed(exchange: Exchange, timeout: float) -> ProbeResult:
    code = exchange.error
    if code == pycurl.E_COULDNT_CONNECT:
        return _not_connected(exchange)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return down("timeout", timed_out(timeout, _reached(exchange)), exchange)
    if code in _OUR_ERRORS or not exchange.connected:
        return unknown("internal", f"Our own trouble: {one_line(exchange.error_text)}")
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return _not_trusted(exchange)
    return down(*_reason(exchange), exchange)


def _not_connected(exchange: Exchange) -> ProbeResult:
    number = exchange.errno if exchange.opened else exchange.local_error
    if exchange.opened and number in TARGET_ERRNOS:
        return down("connect", TARGET_ERRNOS[number], exchange)
    if exchange.refused and not exchange.opened:
        rule, address = exchange.refused
        return unknown("policy", f"Address {address} may not be checked (rule {rule})")
    return unknown("internal", f"Our own trouble while connecting: {errno.errorcode.get(number, str(number))}")


def _not_trusted(exchange: Exchange) -> ProbeResult:
    message = _CERTIFICATE_MESSAGES.get(exchange.verify_result, "Certificate can't be verified")
    result = down("tls", message, exchange)
    days = -result.facts.get("certificate_days", 0)
    if exchange.verify_result == EXPIRED and days > 0:
        return replace(result, message=f"{message} {days} day{'' if days == 1 else 's'} ago")
    return result


def _reason(exchange: Exchange) -> tuple[str, str]:
    """Cause and message of a failure after the connection was made."""
    code, text = exchange.error, one_line(exchange.error_text)
    if code in _TLS_ERRORS:
        return "tls", f"TLS handshake failed: {text}"
    if code in _BROKEN_OFF:
        return _BROKEN_OFF[code]
    return "protocol", TARGET_ERRNOS.get(exchange.errno, text or f"libcurl error {code}")


def _reached(exchange: Exchange) -> str:
    if not exchange.connected:
        return "connecting"
    if exchange.request.secure and not exchange.handshaken:
        return "in the TLS handshake"
    if not exchange.header_lines:
        return "waiting for the first byte"
    return "reading the headers" if exchange.header_lines[-1].strip() else "reading the body"


def _contains(exchange: Exchange, keyword: str) -> bool:
    if keyword.encode() in exchange.body:
        return True
    encoding = charset(exchange)
    return encoding != "utf-8" and keyword in exchange.body.decode(encoding, "replace")


@lru_cache(maxsize=512)
def _status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
