"""Pings in a network of their own, where the kernel can be told not to answer. Run under `unshare --net`, as root."""

import asyncio
import fcntl
import json
import socket
import struct
import threading
from pathlib import Path

from probes.base import ProbeContext
from probes.icmp import ICMP, IcmpConfig, checksum

_SETTINGS = Path("/proc/sys/net/ipv4")
_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 0x1


def _bring_up(interface: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", interface, _UP))


def _forge(replier: socket.socket) -> None:
    """Answer each request with its number and somebody else's content."""
    while True:
        data = replier.recv(2048)
        head = (data[0] & 15) * 4
        if data[head] != 8:
            continue
        rest = data[head + 4 : head + 8] + b"somebody else's."
        packet = struct.pack("!BBH", 0, 0, checksum(bytes(4) + rest)) + rest
        replier.sendto(packet, ("127.0.0.1", 0))


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
    replier = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    threading.Thread(target=_forge, args=(replier,), daemon=True).start()
    seen["forged"] = asyncio.run(_ping())
    (_SETTINGS / "ping_group_range").write_text("1 0")
    seen["forged, raw"] = asyncio.run(_ping())
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
