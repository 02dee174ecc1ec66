"""Memory of the whole product when nothing happens, how fast it starts again, and how fast a killed part is back.

    python -m benchmarks.memory [--settle 30] [--rounds 3]

`pulseboard serve` with its embedded PostgreSQL, no services. PSS counts each shared page once over all processes, so
that the sum is what the product takes from the machine; RSS counts it for every process that maps it.
"""

import argparse
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from app.db.embedded import running_url
from benchmarks import kit

_GOALS_S = {"web": 5, "worker": 5, "PostgreSQL": 15}
_GOAL_MB = 400
_GOAL_START_S = 5


@dataclass(frozen=True, slots=True)
class Product:
    """A running `pulseboard serve`; how long it took to say that it is ready, and the CPU seconds that this took."""

    process: "subprocess.Popen[str]"
    folder: Path
    port: int
    start_s: float
    start_cpu_s: float

    def parts(self) -> dict[str, list[psutil.Process]]:
        """Its processes by name; the first of each is the one to kill."""
        found: defaultdict[str, list[psutil.Process]] = defaultdict(list)
        for process in kit.family(self.process.pid):
            with suppress(psutil.NoSuchProcess):
                found[_part(process)].append(process)
        return dict(found)

    def is_ready(self) -> bool:
        """Whether the web process serves, the database answers and a worker is at work."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=2.0).is_success
        except httpx.TransportError:
            return False

    def has_worker(self, number: int) -> bool:
        """Whether the worker of this process id has reported to the database."""
        url = running_url(self.folder / "data")
        if url is None:
            return False
        return bool(kit.ask(url, "SELECT count(*) FROM worker_seen WHERE id LIKE %s", [f"%-{number}-%"])[0])


def _part(process: psutil.Process) -> str:
    if process.name() == "postgres":
        return "PostgreSQL"
    command = process.cmdline()[-1:]  # empty between fork and exec
    return command[0] if command in (["web"], ["worker"]) else "supervisor"


@contextmanager
def _serve(folder: Path) -> Iterator[Product]:
    port = kit.free_port()
    environment = kit.product_environment(folder) | {"PULSEBOARD_PORT": str(port)}
    started = time.monotonic()
    with kit.program("app.cli", "serve", environment=environment, log=folder / "serve.log") as process:
        assert process.stdout is not None
        if "ready" not in process.stdout.readline():
            raise SystemExit((folder / "serve.log").read_text())
        product = Product(process, folder, port, time.monotonic() - started, kit.cpu_s(process.pid))
        kit.wait_until(product.is_ready, "the product")
        yield product


def _memory(product: Product) -> dict[str, tuple[float, float]]:
    """Bytes of PSS and RSS by part."""
    found: dict[str, tuple[float, float]] = {}
    for name, processes in product.parts().items():
        infos = [process.memory_full_info() for process in processes]
        found[name] = (sum(info.pss for info in infos), sum(info.rss for info in infos))
    return found


def _revive(product: Product, name: str) -> float:
    """Kill a part; seconds until another has taken its place and the whole is ready."""
    victim = product.parts()[name][0]
    started = time.monotonic()
    victim.send_signal(signal.SIGKILL)
    kit.wait_until(lambda: _is_back(product, name, victim.pid), name)
    return time.monotonic() - started


def _is_back(product: Product, name: str, former: int) -> bool:
    newcomers = [process.pid for process in product.parts().get(name, []) if process.pid != former]
    if not newcomers or not product.is_ready():
        return False
    return name != "worker" or product.has_worker(newcomers[0])


def _stop(product: Product) -> float:
    started = time.monotonic()
    product.process.send_signal(signal.SIGINT)
    product.process.wait(30)
    return time.monotonic() - started


def run(settle_s: float, rounds: int) -> None:
    starts: list[float] = []
    start_cpus: list[float] = []
    stops: list[float] = []
    revivals: dict[str, list[float]] = {name: [] for name in _GOALS_S}
    with kit.temporary_folder() as folder:
        with _serve(folder) as product:
            first_s = product.start_s
            time.sleep(settle_s)
            memory = _memory(product)
            stops.append(_stop(product))
        for _ in range(rounds):
            with _serve(folder) as product:
                starts.append(product.start_s)
                start_cpus.append(product.start_cpu_s)
                time.sleep(11)  # whoever dies young is started again later
                for name, times in revivals.items():
                    times.append(_revive(product, name))
                    time.sleep(11)
                stops.append(_stop(product))
    starting = {"first start": [first_s], "second start": starts, "its CPU time": start_cpus, "stop": stops}
    _print(memory, starting, revivals)


def _print(
    memory: dict[str, tuple[float, float]], times: dict[str, list[float]], revivals: dict[str, list[float]]
) -> None:
    megabytes: Callable[[float], str] = lambda size: f"{size / 1e6:,.0f}"  # noqa: E731
    total = [sum(sizes) for sizes in zip(*memory.values(), strict=True)]
    rows = [[name, megabytes(pss), megabytes(rss), ""] for name, (pss, rss) in memory.items()]
    rows.append(["all", megabytes(total[0]), megabytes(total[1]), f"{_GOAL_MB}"])
    kit.print_table("Memory when idle", ["part", "PSS, MB", "RSS, MB", "goal (PSS)"], rows)
    goals = {"second start": _GOAL_START_S, "stop": 8}
    rows = [[name, kit.spread(values, 1), str(goals.get(name, ""))] for name, values in times.items()]
    rows += [
        [f"{name} killed with -9", kit.spread(values, 1), str(_GOALS_S[name])] for name, values in revivals.items()
    ]
    kit.print_table("Starting, stopping, and coming back", ["what", "seconds", "goal"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settle", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    run(options.settle, options.rounds)


if __name__ == "__main__":
    main()
