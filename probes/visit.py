"""One run against a host: the way from its name to a checked address and a connection, the times, the evidence."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from app.core import clock
from app.core.errors import ProbeError, ProbeUnable, TargetFailed
from app.domain.status import Outcome
from probes.base import Phases, ProbeContext, ProbeResult
from probes.curl import transport
from probes.stream import Stream, tls_context
from probes.verdicts import TARGET_ERRNOS, milliseconds, refused, timed_out, tls_message

LOOKING_UP = "looking up the name"
# RFC 8305: how long an address may take before the next one is tried beside it.
_STAGGER_S = 0.25


@dataclass(frozen=True, slots=True)
class Tls:
    """How to make a TLS handshake. `minimum` is the lowest version to accept."""

    server_name: str
    verify: bool = True
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2


class Visit:
    """What one run did and saw.

    `doing` is told when the time is over. `facts` are JSON. `latency_ms` is that of the whole run unless it is set.
    """

    def __init__(self, context: ProbeContext) -> None:
        self.context = context
        self.facts: dict[str, Any] = {}
        self.code: int | None = None
        self.latency_ms: float | None = None
        self.doing = "connecting"
        self.started = self._mark = clock.monotonic()
        self._phases: dict[str, float] = {}
        self._closers: list[Callable[[], None]] = []

    @property
    def remaining(self) -> float:
        """Seconds that are left, more than 0."""
        return max(0.001, self.started + self.context.timeout - clock.monotonic())

    @property
    def phases(self) -> Phases:
        return Phases(**self._phases)

    def reached(self, phase: str) -> None:
        """Note the time since the phase before; only the first time counts."""
        now = clock.monotonic()
        self._phases.setdefault(phase, milliseconds(now - self._mark))
        self._mark = now

    def at_end(self, close: Callable[[], None]) -> None:
        """Call `close` when the run is over, however it ends."""
        self._closers.append(close)

    def close(self) -> None:
        for close in reversed(self._closers):
            close()

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of `host` that the policy allows, in the order to try."""
        doing, self.doing = self.doing, LOOKING_UP
        try:
            ip_address(host)
            found: tuple[str, ...] = (host,)
        except ValueError:
            found = await _lookup(host)
            self.reached("dns")
        self.doing = doing
        return self.allowed(found, port)

    def allowed(self, addresses: tuple[str, ...], port: int) -> list[str]:
        """Those that the policy allows; raises ProbeUnable when it allows none."""
        rules = {text: self.context.address_policy(ip_address(text.partition("%")[0]), port) for text in addresses}
        kept = [text for text, rule in rules.items() if rule is None]
        if not kept:
            raise ProbeUnable("policy", next(refused(text, rule) for text, rule in rules.items() if rule))
        return kept

    async def connect(self, host: str, port: int) -> Stream:
        """A TCP connection to the first address that answers."""
        addresses = await self.resolve(host, port)
        self.doing = "connecting"
        connected = await _race([(address, port) for address in addresses])
        self.at_end(connected.close)
        self.facts["address"] = connected.getpeername()[0]
        self.reached("connect")
        self.doing = "waiting for the first byte"
        return Stream(connected, self._on_data)

    async def start_tls(self, stream: Stream, tls: Tls) -> None:
        """Make the handshake; raises TargetFailed for a certificate that is not trusted, too."""
        self._mark = clock.monotonic()
        self.doing = "in the TLS handshake"
        try:
            await stream.start_tls(tls_context(self.context.ca_file, tls.verify, tls.minimum), tls.server_name)
        except ssl.SSLCertVerificationError as error:
            raise TargetFailed("tls", tls_message(error)) from error
        self.reached("tls")
        self.doing = "waiting for the first byte"

    def _on_data(self) -> None:
        if "first_byte" not in self._phases:
            self.reached("first_byte")
            self.doing = "reading the answer"


async def visit(context: ProbeContext, talk: Callable[[Visit], Awaitable[str]]) -> ProbeResult:
    """Run `talk` under the run's deadline. It returns the message of an UP, or raises a ProbeError."""
    run = Visit(context)
    outcome, cause = Outcome.UP, ""
    try:
        async with asyncio.timeout(context.timeout):
            message = await talk(run)
    except TimeoutError:
        ours = run.doing == LOOKING_UP  # no answer to a lookup says nothing about the target
        outcome, cause = (Outcome.UNKNOWN, "dns") if ours else (Outcome.DOWN, "timeout")
        message = timed_out(context.timeout, run.doing)
    except ProbeError as error:
        outcome = Outcome.DOWN if isinstance(error, TargetFailed) else Outcome.UNKNOWN
        cause, message = error.cause, error.message
    finally:
        run.close()
    whole = milliseconds(clock.monotonic() - run.started)
    latency = None if outcome is Outcome.UNKNOWN else run.latency_ms or whole
    return ProbeResult(outcome, latency, cause, message, run.code, run.phases, run.facts)


def connect_error(error: OSError) -> ProbeError:
    """What a failure to connect, or to send a datagram, says."""
    number = error.errno or 0
    if number in TARGET_ERRNOS:
        return TargetFailed("connect", TARGET_ERRNOS[number])
    name = errno.errorcode.get(number, str(number))
    return ProbeUnable("internal", f"Our own trouble while connecting: {name}")


def new_socket(address: str, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
    """A non-blocking socket of the address's family. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)
    return opened


async def _lookup(host: str) -> tuple[str, ...]:
    answer = await transport().resolver.lookup(host)
    if answer.no_such_name:
        raise TargetFailed("dns", "The host name does not exist")
    if answer.error:
        raise ProbeUnable("dns", f"The name lookup failed: {answer.error}")
    return answer.found


async def _race(addresses: list[tuple[str, int]]) -> socket.socket:
    """Happy Eyeballs: the first connection that is made; the others are closed."""
    waiting = list(addresses)
    running: set[asyncio.Task[socket.socket]] = set()
    failures: list[ProbeError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_open(waiting.pop(0))))
            pause = _STAGGER_S if waiting else None
            done, _ = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.remove(task)
                try:
                    return task.result()
                except ProbeError as error:
                    failures.append(error)
    finally:
        await _give_up(running)
    raise next((error for error in failures if isinstance(error, TargetFailed)), failures[0])


async def _give_up(running: set[asyncio.Task[socket.socket]]) -> None:
    for task in running:
        task.cancel()
    for late in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(late, socket.socket):
            late.close()


async def _open(address: tuple[str, int]) -> socket.socket:
    opened: socket.socket | None = None
    try:
        opened = new_socket(address[0], socket.SOCK_STREAM)
        await asyncio.get_running_loop().sock_connect(opened, address)
    except BaseException as error:
        if opened is not None:
            opened.close()
        if isinstance(error, OSError):
            raise connect_error(error) from None
        raise
    return opened
