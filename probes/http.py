"""The HTTP check: a request, its redirects, and the verdict on the last answer."""

import asyncio
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from app.core import clock
from app.domain.status import Outcome
from probes.base import NO_PHASES, Phases, Probe, ProbeContext, ProbeResult
from probes.curl import transport
from probes.exchange import BODY_CAP, Exchange, Request, resolve_entry
from probes.http_config import HttpConfig, wire_url
from probes.http_verdict import down, judge, phases_of
from probes.names import Addresses
from probes.verdicts import timed_out, unknown

_USER_AGENT = b"User-Agent: Pulseboard"
_EXCERPT_BYTES = 4096
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
# Headers without secrets: the only ones that follow a redirect to another origin.
_HARMLESS = frozenset({"accept", "accept-language", "cache-control", "pragma", "user-agent"})


class _Run:
    """One run of a check: where it is on its way through the redirects, and the time spent."""

    def __init__(self, config: HttpConfig, context: ProbeContext) -> None:
        self.config = config
        self.context = context
        self.url = wire_url(config.url)
        self.method: str = config.method
        self.headers = config.headers
        self.body = config.body.encode() if config.body or config.method in _BODY_METHODS else None
        self.hops = 0
        self.spent_ms = 0.0
        self.phases = NO_PHASES
        self.deadline = clock.monotonic() + context.timeout

    @property
    def remaining(self) -> float:
        return self.deadline - clock.monotonic()

    def count(self, phases: Phases, total_ms: float) -> None:
        """Add the times of one hop."""
        self.phases = _sum_phases(self.phases, phases) if self.hops else phases
        self.spent_ms += total_ms

    def result(self, found: ProbeResult) -> ProbeResult:
        """`found` with the times and the redirects of the whole run."""
        message, facts = found.message, found.facts
        if self.hops:
            where = f"after {self.hops} redirect{'' if self.hops == 1 else 's'}, at {urlsplit(self.url).hostname}"
            message, facts = f"{message} ({where[:120]})", {**facts, "redirects": self.hops}
        latency_ms = None if found.outcome is Outcome.UNKNOWN else round(self.spent_ms, 3)
        return ProbeResult(found.outcome, latency_ms, found.cause, message, found.code, self.phases, facts)

    def follow(self, status: int, url: str) -> None:
        """Take one redirect; raises ValueError when its URL can't be followed."""
        target = wire_url(url.partition("#")[0])
        if not _same_origin(self.url, target):
            self.headers = {name: value for name, value in self.headers.items() if name.lower() in _HARMLESS}
        if (status == 303 and self.method != "HEAD") or (status in {301, 302} and self.method == "POST"):
            self.method, self.body = "GET", None
        self.url = target
        self.hops += 1


async def run(config: HttpConfig, context: ProbeContext) -> ProbeResult:
    """Check the target once; ends by itself within `context.timeout` seconds."""
    state = _Run(config, context)
    while True:
        answer = await _exchange(state)
        if isinstance(answer, ProbeResult):
            return state.result(answer)
        if answer.error or answer.status not in _REDIRECTS or not answer.redirect_url or not config.max_redirects:
            return state.result(judge(config, answer, context.timeout))
        if state.hops == config.max_redirects:
            return state.result(down("redirect", f"More than {config.max_redirects} redirects", answer))
        try:
            state.follow(answer.status, answer.redirect_url)
        except ValueError as error:
            return state.result(down("redirect", f"The redirect can't be followed: {error}", answer))


def describe(config: HttpConfig) -> str:
    return f"{config.method} {config.url}"


HTTP: Probe[HttpConfig] = Probe(kind="http", title="HTTP(S)", config=HttpConfig, run=run, describe=describe)


async def _exchange(state: _Run) -> Exchange | ProbeResult:
    host, port, literal = _endpoint(state.url)
    lookup_ms, resolve = 0.0, ""
    if not literal:
        started = clock.monotonic()
        answer = await _lookup(state, host)
        lookup_ms = round((clock.monotonic() - started) * 1000, 3)
        if isinstance(answer, ProbeResult):
            state.count(Phases(dns=lookup_ms), lookup_ms)
            return answer
        resolve = resolve_entry(host, port, answer.found)
    exchange = await transport().perform(_request(state, resolve))
    state.count(phases_of(exchange, lookup_ms), lookup_ms + exchange.total * 1000)
    return exchange


async def _lookup(state: _Run, host: str) -> Addresses | ProbeResult:
    """The host's addresses, or the verdict. No answer to a lookup says nothing about the target."""
    try:
        async with asyncio.timeout(state.remaining):
            answer = await transport().resolver.lookup(host)
    except TimeoutError:
        return unknown("dns", timed_out(state.context.timeout, "looking up the name"))
    if answer.no_such_name:
        return ProbeResult(Outcome.DOWN, cause="dns", message="The host name does not exist")
    return unknown("dns", f"The name lookup failed: {answer.error}") if answer.error else answer


def _request(state: _Run, resolve: str) -> Request:
    return Request(
        url=state.url,
        timeout=state.remaining,
        policy=state.context.address_policy,
        method=state.method,
        headers=_header_lines(state),
        body=state.body,
        resolve=resolve,
        verify_tls=state.config.verify_tls,
        ca_file=state.context.ca_file,
        keep=BODY_CAP if state.config.keyword else _EXCERPT_BYTES,
    )


def _header_lines(state: _Run) -> tuple[bytes, ...]:
    # libcurl's spelling: "Name;" sends an empty value, "Name:" would take the header away.
    lines = [f"{name}: {value}".encode() if value else f"{name};".encode() for name, value in state.headers.items()]
    given = {name.lower() for name in state.headers}
    if "user-agent" not in given:
        lines.append(_USER_AGENT)
    if state.body is not None and "content-type" not in given:
        lines.append(b"Content-Type: application/json")
    return tuple(lines)


def _same_origin(url: str, other: str) -> bool:
    """Scheme, host and port agree; the step from http to https on one host's usual ports counts as none."""
    here, there = urlsplit(url), urlsplit(other)
    if here.hostname != there.hostname:
        return False
    upgrade = (here.scheme, here.port, there.scheme, there.port) == ("http", None, "https", None)
    return upgrade or (here.scheme, here.port) == (there.scheme, there.port)


@lru_cache(maxsize=4096)
def _endpoint(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether the host is an address that needs no lookup."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        ip_address(host)
    except ValueError:
        return host, port, False
    return host, port, True


def _sum_phases(first: Phases, second: Phases) -> Phases:
    return Phases(
        dns=_sum(first.dns, second.dns),
        connect=_sum(first.connect, second.connect),
        tls=_sum(first.tls, second.tls),
        first_byte=_sum(first.first_byte, second.first_byte),
        download=_sum(first.download, second.download),
    )


def _sum(first: float | None, second: float | None) -> float | None:
    if first is None or second is None:
        return first if second is None else second
    return round(first + second, 3)
