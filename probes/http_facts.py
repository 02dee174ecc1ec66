"""Evidence from an HTTP exchange: where it went, what the answer looked like, how long the certificate lasts."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pycurl

from app.core import clock
from app.core.text import clean
from probes.exchange import Exchange

_MAX_BODY = 2048
_MAX_TEXT = 200
_SHOWN_HEADERS = {
    name.encode(): name
    for name in (
        "content-type", "content-length", "location", "retry-after", "server", "via", "x-cache", "x-request-id",
    )
}  # fmt: skip
_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: "1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "2",
    pycurl.CURL_HTTP_VERSION_3: "3",
}
_CHARSET = re.compile(rb"charset=\"?([\w.:-]{1,40})", re.IGNORECASE)


def facts_of(exchange: Exchange) -> dict[str, Any]:
    """Strings and whole numbers only, cleaned of control characters."""
    facts: dict[str, Any] = {}
    if exchange.address:
        facts["address"] = exchange.address
    if exchange.status:
        facts["http_version"] = _VERSIONS.get(exchange.http_version, "")
        facts["headers"] = _shown_headers(exchange.header_lines)
    if exchange.certificates:
        facts |= _certificate(exchange.certificates[0])
    return facts


def excerpt(exchange: Exchange) -> str:
    """The start of the body as text, at most 2 KiB of it."""
    return clean(bytes(exchange.body[:_MAX_BODY]).decode(charset(exchange), "replace"))


def charset(exchange: Exchange) -> str:
    """The Python name of the encoding that the answer claims; utf-8 when it claims none that we know."""
    for line in exchange.header_lines:
        if line[:13].lower() == b"content-type:" and (match := _CHARSET.search(line)):
            return _codec(match[1].decode("ascii", "replace"))
    return "utf-8"


@lru_cache(maxsize=256)
def _codec(name: str) -> str:
    try:  # Python also registers codecs that are no text encodings, such as zip
        "".encode(name)
        b"\xff".decode(name, "replace")
    except (LookupError, ValueError):
        return "utf-8"
    return name.lower()


def _shown_headers(lines: list[bytes]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        if known := _SHOWN_HEADERS.get(name.lower()):
            shown[known] = clean(value.decode("latin-1")).strip()[:_MAX_TEXT]
    return shown


def _certificate(fields: list[tuple[str, str]]) -> dict[str, Any]:
    named = dict(fields)
    facts: dict[str, Any] = {
        "certificate_subject": clean(named.get("Subject", ""))[:_MAX_TEXT],
        "certificate_issuer": clean(named.get("Issuer", ""))[:_MAX_TEXT],
    }
    if expires := _expiry(named.get("Expire date", "")):
        facts["certificate_expires"] = expires.isoformat()
        facts["certificate_days"] = (expires - clock.now()).days
    return facts


@lru_cache(maxsize=4096)
def _expiry(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError:
        return None
