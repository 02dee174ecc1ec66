"""The ping check: whether a host answers ICMP echo requests, how fast, and how many get lost.

It needs the system's leave to open an unprivileged ICMP socket (net.ipv4.ping_group_range) or a raw one.
"""

import asyncio
import secrets
import socket
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from app.core import clock
from app.core.errors import ProbeUnable, TargetFailed
from probes.base import Probe, ProbeContext, ProbeResult
from probes.targets import HostConfig
from probes.verdicts import milliseconds, timed_out
from probes.visit import Visit, connect_error, new_socket, visit

_LARGEST = 2048
_NOT_ALLOWED = (
    "The system allows Pulseboard no ping: let net.ipv4.ping_group_range include its group, or give it CAP_NET_RAW"
)


class IcmpConfig(HostConfig):
    """A host that must answer ping."""

    count: Annotated[int, Field(ge=1, le=10)] = Field(
        default=3, title="Packets", description="How many echo requests to send, one after the other."
    )
    max_loss: Annotated[int, Field(ge=0, le=99)] = Field(
        default=50,
        title="Loss allowed",
        description="DOWN when a larger share of the packets gets lost.",
        json_schema_extra={"unit": "%"},
    )


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How an address family speaks ICMP. `raw` replies come with their IPv4 header."""

    protocol: int
    request: int
    reply: int


_V4 = _Dialect(socket.IPPROTO_ICMP, 8, 0)
_V6 = _Dialect(socket.IPPROTO_ICMPV6, 128, 129)


class _Pinger:
    """An ICMP socket to one address."""

    def __init__(self, run: Visit, address: str) -> None:
        self._dialect = _V6 if ":" in address else _V4
        self._token = secrets.token_bytes(16)  # tells our replies from those to anybody else
        self._identifier = secrets.randbits(16)
        self._socket = _open(address, self._dialect)
        run.at_end(self._socket.close)
        try:
            self._socket.connect((address, 0))
        except OSError as error:
            raise connect_error(error) from None

    async def ping(self, sequence: int) -> float:
        """The time to the reply in seconds."""
        started = clock.monotonic()
        try:
            self._socket.send(self._packet(sequence))
            while True:
                data = await asyncio.get_running_loop().sock_recv(self._socket, _LARGEST)
                if self._is_reply(data, sequence):
                    return clock.monotonic() - started
        except OSError as error:
            raise connect_error(error) from None

    def _packet(self, sequence: int) -> bytes:
        rest = struct.pack("!HH", self._identifier, sequence) + self._token
        head = struct.pack("!BBH", self._dialect.request, 0, 0)
        if self._dialect is _V6:  # there the kernel counts the sum
            return head + rest
        return struct.pack("!BBH", self._dialect.request, 0, checksum(head + rest)) + rest

    def _is_reply(self, data: bytes, sequence: int) -> bool:
        if self._dialect is _V4 and self._socket.type == socket.SOCK_RAW:
            data = data[(data[0] & 15) * 4 :] if data else data
        return (
            len(data) >= 8
            and data[0] == self._dialect.reply
            and struct.unpack_from("!H", data, 6)[0] == sequence
            and data[8:] == self._token
        )


async def run(config: IcmpConfig, context: ProbeContext) -> ProbeResult:
    async def talk(run: Visit) -> str:
        address = (await run.resolve(config.host, 0))[0]
        run.facts["address"] = address
        run.doing = "waiting for a reply"
        times = await _ping_all(run, _Pinger(run, address), config.count)
        return judge(run, config, times)

    return await visit(context, talk)


def describe(config: IcmpConfig) -> str:
    return f"Ping {config.host}"


ICMP: Probe[IcmpConfig] = Probe(kind="icmp", title="Ping", config=IcmpConfig, run=run, describe=describe)


def checksum(data: bytes) -> int:
    """The Internet checksum of RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _open(address: str, dialect: _Dialect) -> socket.socket:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            return new_socket(address, kind, dialect.protocol)
        except PermissionError:
            continue
        except OSError as error:
            raise connect_error(error) from None
    raise ProbeUnable("internal", _NOT_ALLOWED)


async def _ping_all(run: Visit, pinger: _Pinger, count: int) -> list[float]:
    """The times of the replies; each packet may take its share of the time that is left."""
    times = []
    for sequence in range(count):
        # A little earlier than the run's own end, so that the last packet's loss is counted and not cut off.
        share = 0.95 * run.remaining / (count - sequence)
        try:
            async with asyncio.timeout(share):
                times.append(await pinger.ping(sequence))
        except TimeoutError:
            continue
    return times


def judge(run: Visit, config: IcmpConfig, times: list[float]) -> str:
    """The message of an UP; raises TargetFailed when too many packets were lost."""
    loss = round(100 * (config.count - len(times)) / config.count)
    run.facts |= {"packets_sent": config.count, "packets_lost_percent": loss}
    if not times:
        raise TargetFailed("timeout", timed_out(run.context.timeout, run.doing))
    steps = [abs(later - earlier) for earlier, later in pairwise(times)]
    jitter = milliseconds(sum(steps) / len(steps)) if steps else 0.0
    run.latency_ms = milliseconds(sum(times) / len(times))
    run.facts |= {
        "rtt_min_ms": milliseconds(min(times)),
        "rtt_max_ms": milliseconds(max(times)),
        "jitter_ms": jitter,
    }
    if loss > config.max_loss:
        raise TargetFailed("timeout", f"{loss}% of {config.count} packets were lost")
    return f"{len(times)} of {config.count} packets answered, jitter {jitter:.1f} ms"
