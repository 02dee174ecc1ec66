"""The zoo as a program: prints one line of JSON with its addresses when it serves, ends at SIGINT or SIGTERM."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from app.runtime.zoo.cast import DEMO_CAST, HOSTILE_CAST, demo_steps
from app.runtime.zoo.schedule import random_steps
from app.runtime.zoo.zoo import Zoo

_CASTS = {"demo": DEMO_CAST, "all": DEMO_CAST + HOSTILE_CAST}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="zoo", description="Local HTTP services that behave well, badly or as told.")
    parser.add_argument("--port-base", type=int, default=9100, help="control port; the hosts follow (0: any free)")
    parser.add_argument("--log", type=Path, help="append requests and changes of state to this JSONL file")
    parser.add_argument("--cast", choices=sorted(_CASTS), default="all")
    parser.add_argument("--seed", type=int, help="play random troubles, the same for the same seed")
    parser.add_argument("--duration", type=float, default=3600.0, help="seconds of the random play")
    parser.add_argument("--mean", type=float, default=60.0, help="mean seconds between its changes, per host")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        sys.stderr.write(f"The zoo can't start: {error.strerror}. Choose another --port-base.\n")
        return 2
    return 0


async def _serve(options: argparse.Namespace) -> None:
    cast = _CASTS[options.cast]
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Zoo(cast, options.port_base, options.log) as zoo:
        hosts = {host.name: zoo.url(host.name) for host in cast}
        ready = {"control": zoo.control_url, "ca_file": str(zoo.ca_file), "hosts": hosts}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        healthy = [host.name for host in cast if host.behaviour.healthy and host.tls is None]
        steps = (
            demo_steps()
            if options.seed is None
            else random_steps(options.seed, healthy, options.duration, options.mean)
        )
        play = asyncio.create_task(zoo.play(steps))
        await stop.wait()
        play.cancel()
        await asyncio.gather(play, return_exceptions=True)


if __name__ == "__main__":
    sys.exit(main())
