"""What people may ask of an HTTP check, refused with a clear reason where it can't work."""

import re
from functools import lru_cache
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, quote, urlsplit

from pydantic import Field, field_validator, model_validator

from probes.base import ProbeConfig

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

_MAX_BODY = 64 * 1024
_MAX_HEADERS = 50
_MAX_HEADER_VALUE = 8 * 1024
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
# These describe the bytes that we send, so that a wrong one would make the target wait for more.
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "expect"})
_STATUS_RANGE = re.compile(r"([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?")


class HttpConfig(ProbeConfig):
    """An HTTP or HTTPS request and the answer that counts as UP."""

    url: str = Field(
        title="URL",
        description="The address to check, with http:// or https://.",
        max_length=2048,
        examples=["https://www.example.com/health"],
        json_schema_extra={"widget": "text"},
    )
    method: Method = Field(
        default="GET",
        title="Method",
        description="The HTTP method of the request.",
        json_schema_extra={"widget": "select"},
    )
    expected_status: str = Field(
        default="200-399",
        title="Expected status",
        description="Status codes that count as UP, single or as ranges, separated by commas.",
        max_length=200,
        examples=["200-299, 301"],
        json_schema_extra={"widget": "text"},
    )
    keyword: str = Field(
        default="",
        title="Keyword",
        description="Text that the answer must contain, in its first 1 MiB. Upper and lower case differ.",
        max_length=500,
        examples=["All systems operational"],
        json_schema_extra={"widget": "text"},
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        title="Headers",
        description="Headers to send. Their values are kept secret.",
        max_length=_MAX_HEADERS,
        examples=[{"Authorization": "Bearer ..."}],
        json_schema_extra={"widget": "mapping", "secret": True, "advanced": True},
    )
    body: str = Field(
        default="",
        title="Body",
        description="Sent with POST, PUT, PATCH and DELETE; as JSON unless a Content-Type header says otherwise.",
        examples=['{"ping": true}'],
        json_schema_extra={"widget": "textarea", "advanced": True},
    )
    max_redirects: Annotated[int, Field(ge=0, le=10)] = Field(
        default=10,
        title="Redirects",
        description="How many redirects to follow; 0 takes a redirect for the answer.",
        json_schema_extra={"advanced": True},
    )
    verify_tls: bool = Field(
        default=True,
        title="Verify the certificate",
        description="An expired, self-signed or foreign certificate counts as DOWN.",
        json_schema_extra={"advanced": True},
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        value = value.strip()
        wire_url(value)
        return value

    @field_validator("expected_status")
    @classmethod
    def _check_expected_status(cls, value: str) -> str:
        status_ranges(value)
        return value.strip()

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            _check_header(name, text)
        return value

    @field_validator("body")
    @classmethod
    def _check_body(cls, value: str) -> str:
        if len(_encoded(value, "The body")) > _MAX_BODY:
            raise ValueError(f"The body is longer than {_MAX_BODY // 1024} KiB")
        return value

    @field_validator("keyword")
    @classmethod
    def _check_keyword(cls, value: str) -> str:
        _encoded(value, "The keyword")
        return value

    @model_validator(mode="after")
    def _check_method(self) -> Self:
        if self.body and self.method in _BODILESS:
            raise ValueError(f"A {self.method} request carries no body: choose another method or empty the body")
        if self.keyword and self.method == "HEAD":
            raise ValueError("An answer to HEAD has no body to look for the keyword in: choose GET")
        return self


@lru_cache(maxsize=4096)
def wire_url(text: str) -> str:
    """The URL as sent, in ASCII: an international host name in Punycode, a path in UTF-8.

    Raises ValueError whose text tells people what is wrong.
    """
    if any(ord(char) < 33 or ord(char) == 127 for char in text):
        raise ValueError("The URL contains a space or a control character")
    scheme, rest = text.partition("://")[::2]
    if scheme.lower() not in {"http", "https"} or not rest:
        raise ValueError("The URL must start with http:// or https://")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("The host name is not valid") from None
    if "@" in parts.netloc:
        raise ValueError("Put the user and password into an Authorization header, not into the URL")
    host, port = _ascii_host(parts.hostname or ""), _port(parts)
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._[]|")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]|")
    return f"{scheme.lower()}://{host}{f':{port}' if port else ''}{path or '/'}{f'?{query}' if query else ''}"


@lru_cache(maxsize=1024)
def status_ranges(text: str) -> tuple[range, ...]:
    """Parse "200-299, 301"; raises ValueError whose text tells people what is wrong."""
    ranges = []
    for part in text.split(","):
        match = _STATUS_RANGE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f'"{part.strip()[:20]}" is not a status code from 100 to 599 or a range such as 200-299')
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"The range {first}-{last} is empty: write {last}-{first}")
        ranges.append(range(first, last + 1))
    return tuple(ranges)


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("The port must be a number from 1 to 65535")
    return port


def _ascii_host(host: str) -> str:
    if not host:
        raise ValueError("The URL has no host name")
    if ":" in host:
        return f"[{host}]"
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("The host name is not valid") from None


def _check_header(name: str, text: str) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!a} is not a header name")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"{name} is set by the request itself: leave it out")
    if any(char in text for char in "\r\n\0"):
        raise ValueError(f"The value of {name} contains a line break or a NUL character")
    if len(_encoded(text, f"The value of {name}")) > _MAX_HEADER_VALUE:
        raise ValueError(f"The value of {name} is longer than {_MAX_HEADER_VALUE // 1024} KiB")


def _encoded(text: str, what: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{what} contains characters that can't be sent") from None
