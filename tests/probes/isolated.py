"""Run in a network and mount namespace: 30 checks of names that nobody answers for, beside two of addresses.

Prints the outcomes of the 30, their cause, and that of a live and of a refusing port.
"""

import asyncio
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from probes.base import ProbeContext
from probes.curl import close_transport
from probes.http import HTTP
from probes.http_config import HttpConfig
from tests.zoo import Zoo


def _silence_the_resolver() -> socket.socket:
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 53))
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    Path(file.name).unlink()
    return sink


async def main() -> None:
    context = ProbeContext(timeout=0.5)
    async with Zoo() as zoo:
        unanswered = [
            asyncio.ensure_future(HTTP.run(HttpConfig(url=f"http://h{number}.example/"), context))
            for number in range(30)
        ]
        fast, refused = await asyncio.gather(
            *(HTTP.run(HttpConfig(url=zoo.url(name)), context) for name in ("fast", "dead"))
        )
        results = await asyncio.gather(*unanswered)
    sys.stdout.write(" ".join([*(result.outcome for result in results), results[0].cause]))
    sys.stdout.write(f" fast:{fast.outcome} refused:{refused.outcome}\n")
    close_transport()


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    sink = _silence_the_resolver() if sys.argv[1] == "silent-resolver" else None
    asyncio.run(main())
    if sink is not None:
        sink.close()
