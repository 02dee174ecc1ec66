"""What many browsers on a busy board cost the web process, and how old a result is when they have it.

    python -m benchmarks.board [--browsers 200] [--services 1000] [--seconds 20] [--rounds 3]

A real web process, a real worker that checks every service each 3 seconds against the zoo, and browsers in a process
of their own, which load the page and the snapshot and follow the board over a websocket each. Some services go down
and up all the time. Latency is counted from the commit in PostgreSQL (`track_commit_timestamp`) to the message in the
browser's hands, for every result and every browser.
"""

import argparse
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import psycopg

from app.db.session import libpq_url
from benchmarks import kit

_INTERVAL_S = 3
_PEOPLE = 20
_FLAPPING = 5
_SETTLE_S = 8.0
_PATIENCE_S = 300.0
_RESULTS = """
    SELECT check_id, extract(epoch FROM at)::float8, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
    FROM check_result WHERE at > to_timestamp(%s)
"""
_CHANGES = """
    SELECT check_id, extract(epoch FROM at)::float8, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
    FROM transition WHERE at > to_timestamp(%s)
"""


@dataclass
class Stage:
    """Everything that runs, by process id."""

    home: kit.Home
    pids: dict[str, int] = field(default_factory=dict)

    def spent(self) -> dict[str, float]:
        return {name: kit.cpu_s(pid) for name, pid in self.pids.items()}

    def commits(self, query: Any, since: float) -> dict[tuple[int, int], float]:
        """(service, microseconds of its time) -> time of the commit."""
        with psycopg.connect(libpq_url(self.home.postgres.url())) as connection:
            return {(row[0], round(row[1] * 1e6)): row[2] for row in connection.execute(query, [since])}


@contextmanager
def _stage(services: int) -> Iterator[tuple[Stage, str, dict[str, Any]]]:
    """A settled product with a fleet: the stage, the web process's address, and the zoo."""
    with kit.zoo() as zoo, kit.home({"track_commit_timestamp": "on"}) as home:
        url = home.postgres.url()
        kit.add_fleet(url, services, {"url": zoo["hosts"]["fast"]}, _INTERVAL_S)
        kit.add_history(url)
        with psycopg.connect(libpq_url(url)) as connection:
            restless = json.dumps({"url": zoo["hosts"]["keyword"]})
            connection.execute('UPDATE "check" SET config = %s, retries = 0 WHERE id <= %s', [restless, _FLAPPING])
        log = home.folder / "worker.log"
        with (
            kit.web(home) as (web, address),
            kit.program("app.cli", "worker", environment=home.environment, log=log) as w,
        ):
            assert home.postgres.pid is not None
            kit.wait_until(lambda: kit.is_settled(url), "the first result of every check")
            yield Stage(home, {"web": web.pid, "worker": w.pid, "PostgreSQL": home.postgres.pid}), address, zoo


@contextmanager
def _browsers(url: str, cookies: list[str], stage: Stage) -> Iterator["subprocess.Popen[str]"]:
    with kit.program("benchmarks.browsers", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"url": url, "cookies": cookies}) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise SystemExit("The browsers could not connect.")
        stage.pids["browsers (not counted)"] = process.pid
        yield process


def _flap(zoo: dict[str, Any], status: int) -> None:
    order = {"host": "keyword", "behaviour": {"status": status}}
    httpx.post(zoo["control"], json=order, timeout=5.0).raise_for_status()


def _windows(stage: Stage, zoo: dict[str, Any], seconds: float, rounds: int) -> dict[str, list[float]]:
    """Percent of a core by process, one value for each round; within each the restless services fail and recover."""
    found: dict[str, list[float]] = {name: [] for name in stage.pids}
    for _ in range(rounds):
        start, before = time.monotonic(), stage.spent()
        _flap(zoo, 500)
        time.sleep(seconds / 2)
        _flap(zoo, 200)
        time.sleep(seconds / 2)
        lasted = time.monotonic() - start
        for name, spent in stage.spent().items():
            found[name].append((spent - before[name]) / lasted * 100)
    return found


def _latencies(frames: list[dict[str, Any]], kind: str, commits: dict[tuple[int, int], float]) -> list[float]:
    """Seconds from commit to receipt, for every browser; each thing counts in the first frame that brings it."""
    found: list[float] = []
    for frame in frames:
        for service, at in frame[kind]:
            committed = commits.pop((service, round((at or 0) * 1e6)), None)
            if committed is not None:
                found.extend(received - committed for received in frame["received"])
    return found


def run(browsers: int, services: int, seconds: float, rounds: int) -> None:
    with _stage(services) as (stage, address, zoo):
        cookies = kit.sign_in(stage.home, _PEOPLE, browsers)
        web = psutil.Process(stage.pids["web"])
        memory, spent = web.memory_full_info().pss, kit.cpu_s(web.pid)
        with _browsers(address, cookies, stage) as process:
            load_ms = (kit.cpu_s(web.pid) - spent) / browsers * 1000
            time.sleep(_SETTLE_S)
            since = time.time()
            used = _windows(stage, zoo, seconds, rounds)
            until = time.time()
            grown = (web.memory_full_info().pss - memory) / browsers
            process.send_signal(signal.SIGTERM)
            assert process.stdout is not None
            seen = json.loads(process.stdout.readline())
        frames = [frame for frame in seen["frames"].values() if since < min(frame["received"], default=0)]
        results, changes = (stage.commits(query, since) for query in (_RESULTS, _CHANGES))
        stored = sum(1 for committed in results.values() if committed < until) / (until - since)
        waits = {"result": _latencies(frames, "results", dict(results))}
        waits["change of status"] = _latencies(frames, "changes", dict(changes))
    head = ["process", "% of a core", "goal"]
    rows = [[name, kit.spread(values, 1), "25" if name == "web" else ""] for name, values in used.items()]
    kit.print_table(f"{browsers} browsers on {services:,} services, {stored:,.0f} results a second", head, rows)
    head = ["from commit to browser, ms", "p50", "p99", "most", "goal (p99)", "deliveries"]
    rows = [[kind, *_quantiles(values), "1,000", f"{len(values):,}"] for kind, values in waits.items()]
    kit.print_table("Delivery", head, rows)
    print(f"\nA browser takes {seen['bytes_per_s'] / 1000:,.1f} kB/s, {grown / 1e6:,.2f} MB of the web process, and")
    print(f"{load_ms:,.0f} ms of its CPU to come in: a page of {seen['page_bytes'] / 1000:,.0f} kB and a snapshot of ")
    print(f"{seen['snapshot_bytes'] / 1000:,.0f} kB. Frames missed: {seen['gaps']}.")


def _quantiles(values: list[float]) -> list[str]:
    return [f"{kit.percentile(values, percent) * 1000:,.0f}" if values else "-" for percent in (50, 99, 100)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browsers", type=int, default=200)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    run(options.browsers, options.services, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
