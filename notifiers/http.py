"""One POST to a vendor's webhook, and what its answer means for a retry.

No error raised here has a cause or a context: those of httpx hold the request, and with it the secret address.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from app.core import clock
from app.core.errors import NotifyError, PermanentNotifyError, RetryableNotifyError

DEADLINE_S = 15.0
LONGEST_WAIT_S = 3600.0
_BODY_BYTES = 4096
# Request Timeout, Too Early, Too Many Requests: the client errors that pass by themselves.
_PASSING = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Post:
    """`body` is sent as JSON; `key` is the idempotency key. `deadline_s` bounds the whole, whatever trickles in."""

    vendor: str
    url: SecretStr
    body: Mapping[str, Any]
    key: str
    deadline_s: float = DEADLINE_S


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the beginning of the body, empty when it was compressed. `retry_after` is in seconds."""

    status: int
    body: str
    retry_after: float | None


async def post(http: httpx.AsyncClient, request: Post) -> Answer:
    """Send and read the answer within the deadline; raises RetryableNotifyError when there was none."""
    try:
        async with asyncio.timeout(request.deadline_s):
            return await _exchange(http, request)
    except (TimeoutError, httpx.TimeoutException):
        trouble = "gave no answer in time"
    except httpx.ConnectError:
        trouble = "can't be reached (name, connection or certificate)"
    except (httpx.HTTPError, OSError):
        trouble = "broke the connection off"
    raise RetryableNotifyError(f"{request.vendor} {trouble}.")


async def _exchange(http: httpx.AsyncClient, request: Post) -> Answer:
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", "Idempotency-Key": request.key}
    content = orjson.dumps(request.body)
    address = request.url.get_secret_value()
    async with http.stream("POST", address, content=content, headers=headers, follow_redirects=False) as response:
        body = await _beginning(response)
        return Answer(response.status_code, body, retry_after(response.headers.get("Retry-After", "")))


async def _beginning(response: httpx.Response) -> str:
    # Decompression has no bound in httpx, and no vendor compresses what was asked for plain.
    if "Content-Encoding" in response.headers:
        return ""
    body = b""
    async for chunk in response.aiter_bytes(_BODY_BYTES):
        body += chunk
        if len(body) >= _BODY_BYTES:
            break
    return body[:_BODY_BYTES].decode(errors="replace").strip()


def refusal(vendor: str, answer: Answer, reason: str) -> NotifyError | None:
    """What a status outside 2xx means; `reason` is the vendor's own word, already known to be safe to show."""
    if 200 <= answer.status < 300:
        return None
    words = f"{vendor} answered {answer.status}" + (f": {reason}." if reason else ".")
    if answer.status >= 500 or answer.status in _PASSING:
        return RetryableNotifyError(words, answer.retry_after)
    if 300 <= answer.status < 400:
        words = f"{vendor} answered {answer.status}, a redirect, which is never followed. Enter the final address."
    return PermanentNotifyError(words)


def retry_after(header: str) -> float | None:
    """Seconds to wait, from seconds or an HTTP date; at most LONGEST_WAIT_S, None when there is no sense in it."""
    try:
        seconds = float(header)
    except ValueError:
        seconds = _seconds_until(header)
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_WAIT_S)


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - clock.now()).total_seconds()
    except (ValueError, OverflowError):
        return math.nan
