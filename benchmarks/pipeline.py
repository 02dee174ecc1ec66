"""CPU time of one check through the whole pipeline: claimed, probed, judged, recorded, stored.

    python -m benchmarks.pipeline [--seconds 20] [--rounds 3]

A real worker process and its own embedded PostgreSQL check services of the zoo, which has a process of its own that is
not counted. A figure is all user and system time of the worker and of every PostgreSQL process over a window, divided
by the rows stored in it; so it has its share of heartbeats, housekeeping, autovacuum and checkpoints. Beside it, bare
libcurl in this process: the same request on a fresh connection, 50 at a time, nothing judged or stored.
"""

import argparse
import asyncio
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import uvloop

from benchmarks import kit
from benchmarks.probe_http import BarePycurl
from models.result import Level

_INTERVAL_S = 5
_AT_A_TIME = 50
_BARE_CHECKS = {"http": 5000, "https": 1500}
_GOALS_US = {"http": 350, "https": 1500}


@dataclass(frozen=True, slots=True)
class Setting:
    """So many checks every 5 seconds; `host` is the zoo's."""

    scheme: str
    host: str
    checks: int


_SETTINGS = (
    Setting("http", "fast", 1000),
    Setting("http", "fast", 4000),
    Setting("https", "secure", 1000),
    Setting("https", "secure", 2000),
)


@dataclass(frozen=True, slots=True)
class Window:
    """CPU seconds of the worker and of PostgreSQL, rows stored, and how many of them were not UP."""

    seconds: float
    worker_s: float
    postgres_s: float
    rows: int
    not_up: int

    @property
    def worker_us(self) -> float:
        return self.worker_s / self.rows * 1e6

    @property
    def postgres_us(self) -> float:
        return self.postgres_s / self.rows * 1e6

    @property
    def us(self) -> float:
        return self.worker_us + self.postgres_us


class Watch:
    """Takes windows of a running worker and its server."""

    def __init__(self, worker: int, server: int, url: str) -> None:
        self._pids = (worker, server)
        self.url = url

    def take(self, seconds: float) -> Window:
        before = self._stored()
        start, spent = time.monotonic(), [kit.cpu_s(pid) for pid in self._pids]
        time.sleep(seconds)
        worker_s, postgres_s = (kit.cpu_s(pid) - was for pid, was in zip(self._pids, spent, strict=True))
        lasted = time.monotonic() - start
        after = self._stored()
        return Window(lasted, worker_s, postgres_s, after[0] - before[0], after[1] - before[1])

    def _stored(self) -> tuple[int, int]:
        query = "SELECT count(*), count(*) FILTER (WHERE level <> %s) FROM check_result"
        rows, not_up = kit.ask(self.url, query, [Level.UP])
        return rows, not_up


def measure(setting: Setting, zoo: dict[str, Any], seconds: float, rounds: int) -> list[Window]:
    """Windows of a worker that has run every check."""
    with _watched(setting, zoo) as watch:
        kit.wait_until(lambda: kit.is_settled(watch.url), "the first result of every check")
        time.sleep(_INTERVAL_S)
        return [watch.take(seconds) for _ in range(rounds)]


def measure_idle(seconds: float) -> Window:
    """A worker without checks, some time after its start."""
    with _watched(Setting("http", "fast", 0), {"hosts": {"fast": ""}, "ca_file": certifi.where()}) as watch:
        kit.wait_until(lambda: bool(kit.ask(watch.url, "SELECT count(*) FROM worker_seen")[0]), "the worker")
        time.sleep(_INTERVAL_S)
        return watch.take(seconds)


@contextmanager
def _watched(setting: Setting, zoo: dict[str, Any]) -> Iterator[Watch]:
    with kit.home() as home:
        kit.add_fleet(home.postgres.url(), setting.checks, {"url": zoo["hosts"][setting.host]}, _INTERVAL_S)
        bundle = home.folder / "ca.pem"  # as large as a real one: the zoo's authority among all others
        bundle.write_text(Path(certifi.where()).read_text() + Path(zoo["ca_file"]).read_text())
        environment = home.environment | {"SSL_CERT_FILE": str(bundle)}
        with kit.program("app.cli", "worker", environment=environment, log=home.folder / "worker.log") as worker:
            assert home.postgres.pid is not None
            yield Watch(worker.pid, home.postgres.pid, home.postgres.url())


async def bare_us(url: str, ca_file: str, count: int) -> float:
    """CPU microseconds of this process for one bare exchange."""
    bare = BarePycurl(ca_file)

    async def several(times: int) -> None:
        for _ in range(times):
            await bare.fetch(url)

    await several(100)
    started = _own_cpu_s()
    await asyncio.gather(*(several(count // _AT_A_TIME) for _ in range(_AT_A_TIME)))
    return (_own_cpu_s() - started) / (count // _AT_A_TIME * _AT_A_TIME) * 1e6


def _own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _row(setting: Setting, windows: list[Window], bare: list[float]) -> list[str]:
    stored = sum(window.rows for window in windows)
    return [
        f"{setting.scheme}, {setting.checks:,} checks every {_INTERVAL_S} s",
        f"{stored / sum(window.seconds for window in windows):,.0f}",
        f"{statistics.median(window.worker_us for window in windows):,.0f}",
        f"{statistics.median(window.postgres_us for window in windows):,.0f}",
        kit.spread([window.us for window in windows]),
        f"{_GOALS_US[setting.scheme]:,}",
        kit.spread(bare),
        f"{sum(window.not_up for window in windows)}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["http", "https"])
    options = parser.parse_args()
    rows = []
    with kit.zoo() as zoo:
        for setting in _SETTINGS:
            if options.only not in {None, setting.scheme}:
                continue
            target, count = zoo["hosts"][setting.host], _BARE_CHECKS[setting.scheme]
            bare = [uvloop.run(bare_us(target, zoo["ca_file"], count)) for _ in range(options.rounds)]
            rows.append(_row(setting, measure(setting, zoo, options.seconds, options.rounds), bare))
    idle = measure_idle(options.seconds)
    head = [
        "setting",
        "stored/s",
        "worker us",
        "PostgreSQL us",
        "us per stored check",
        "goal",
        "bare libcurl us",
        "not UP",
    ]
    kit.print_table("CPU time of a check, from claim to stored row", head, rows)
    cores = 100 / idle.seconds
    print(f"\nWithout checks: worker {idle.worker_s * cores:.2f}%, PostgreSQL {idle.postgres_s * cores:.2f}% of a core")


if __name__ == "__main__":
    main()
