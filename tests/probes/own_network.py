"""Pings in a network of their own, where the kernel can be told not to answer. Run under `unshare --net`, as root."""

import asyncio
import fcntl
import json
import socket
import struct
from pathlib import Path

from probes.base import ProbeContext
from probes.icmp import ICMP, IcmpConfig

_SETTINGS = Path("/proc/sys/net/ipv4")
_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 0x1


def _bring_up(interface: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", interface, _UP))


async def _ping() -> tuple[str, str, str]:
    result = await ICMP.run(IcmpConfig(host="127.0.0.1", count=2), ProbeContext(timeout=0.4))
    return result.outcome.value, result.cause, result.message


def main() -> None:
    _bring_up(b"lo")
    (_SETTINGS / "ping_group_range").write_text("0 0")
    seen = {}
    for title, ignoring in (("unprivileged", "0"), ("silent", "1")):
        (_SETTINGS / "icmp_echo_ignore_all").write_text(ignoring)
        seen[title] = asyncio.run(_ping())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP):
        seen["socket"] = ("datagram", "", "")
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
