"""CPU time of one HTTP check, ours beside bare pycurl, against a server in another process.

    python -m benchmarks.probe_http [--checks 4000] [--rounds 5]

Prints microseconds of user and system time of this process per check, as the median of the rounds and their least.
The engines take turns in each round, so that a busy machine slows all of them alike. Each check has a fresh
connection; 50 run at a time; the answer is 1 KB; HTTPS is a full handshake, verified.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pycurl
import uvloop

from app.core.addresses import probe_policy
from app.domain.status import Outcome
from probes.base import ProbeContext
from probes.curl import close_transport
from probes.http import HTTP
from probes.http_config import HttpConfig

_AT_A_TIME = 50
_WARM_UP = 100

Check = Callable[[], Awaitable[None]]


class BarePycurl:
    """The least that fetches a page with libcurl on an event loop: no verdict, no policy, no evidence."""

    def __init__(self, ca_file: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._ca_file = ca_file
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._timer: asyncio.TimerHandle | None = None
        self._idle: list[Any] = []
        self._done: dict[Any, asyncio.Future[int]] = {}

    async def fetch(self, url: str) -> None:
        easy = self._idle.pop() if self._idle else self._new()
        easy.setopt(pycurl.URL, url)
        done = self._done[easy] = self._loop.create_future()
        self._multi.add_handle(easy)
        assert await done == 200
        self._idle.append(easy)

    def _new(self) -> Any:
        easy = pycurl.Curl()
        for option, value in (
            (pycurl.FRESH_CONNECT, 1),
            (pycurl.FORBID_REUSE, 1),
            (pycurl.NOSIGNAL, 1),
            (pycurl.SSL_SESSIONID_CACHE, 0),
            (pycurl.CAINFO, self._ca_file),
            (pycurl.TIMEOUT_MS, 10_000),
            (pycurl.WRITEFUNCTION, lambda chunk: None),
        ):
            easy.setopt(option, value)
        return easy

    def _on_socket(self, event: int, fd: int, multi: Any, data: Any) -> None:
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)
        if event & pycurl.POLL_IN and event != pycurl.POLL_REMOVE:
            self._loop.add_reader(fd, self._advance, fd, pycurl.CSELECT_IN)
        if event & pycurl.POLL_OUT and event != pycurl.POLL_REMOVE:
            self._loop.add_writer(fd, self._advance, fd, pycurl.CSELECT_OUT)

    def _on_timer(self, delay_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = None if delay_ms < 0 else self._loop.call_later(delay_ms / 1000, self._advance, pycurl.SOCKET_TIMEOUT, 0)
        self._timer = due

    def _advance(self, fd: int, flag: int) -> None:
        self._multi.socket_action(fd, flag)
        _, succeeded, failed = self._multi.info_read()
        assert not failed, failed
        for easy in succeeded:
            self._multi.remove_handle(easy)
            self._done.pop(easy).set_result(easy.getinfo(pycurl.RESPONSE_CODE))


def _cpu_us() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


async def _per_check_us(check: Check, count: int) -> float:
    async def several(times: int) -> None:
        for _ in range(times):
            await check()

    started = _cpu_us()
    await asyncio.gather(*(several(count // _AT_A_TIME) for _ in range(_AT_A_TIME)))
    return (_cpu_us() - started) / (count // _AT_A_TIME * _AT_A_TIME)


def _ours(url: str, context: ProbeContext) -> Check:
    config = HttpConfig(url=url)

    async def check() -> None:
        result = await HTTP.run(config, context)
        assert result.outcome is Outcome.UP, result.message

    return check


async def _measure(zoo: dict[str, Any], checks: int, rounds: int) -> None:
    context = ProbeContext(timeout=10, address_policy=probe_policy(), ca_file=zoo["ca_file"])
    bare = BarePycurl(zoo["ca_file"])
    http, https = zoo["hosts"]["fast"], zoo["hosts"]["secure"]
    engines: dict[str, tuple[Check, int]] = {
        "http   bare pycurl": (lambda: bare.fetch(http), checks),
        "http   our probe": (_ours(http, context), checks),
        "http   our probe, with a name lookup": (_ours(http.replace("127.0.0.1", "localhost"), context), checks),
        "https  bare pycurl": (lambda: bare.fetch(https), checks // 4),
        "https  our probe": (_ours(https, context), checks // 4),
    }
    found: dict[str, list[float]] = {name: [] for name in engines}
    for check, _ in engines.values():
        await _per_check_us(check, _WARM_UP)
    for _ in range(rounds):
        for name, (check, count) in engines.items():
            found[name].append(await _per_check_us(check, count))
    close_transport()
    print(f"{'CPU microseconds per check':40}{'median':>8}{'least':>8}")
    for name, times in found.items():
        print(f"{name:40}{statistics.median(times):8.0f}{min(times):8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    command = [sys.executable, "-m", "app.runtime.zoo", "--port-base", "0", "--cast", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            uvloop.run(_measure(json.loads(server.stdout.readline()), options.checks, options.rounds))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
