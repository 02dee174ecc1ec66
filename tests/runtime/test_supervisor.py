import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.db.embedded import running_url
from app.db.session import libpq_url
from app.runtime.supervisor import CHILDREN_PATIENCE_S, POSTGRES_PATIENCE_S
from tests.kit.waiting import is_gone, wait_until

STOP_WITHIN_S = 8.0
LIVES = """
import os, time
with open("{name}.starts", "a") as file:
    file.write(f"{{os.getpid()}} {{time.monotonic()}}\\n")
{then}
"""
SLEEPS = "time.sleep(600)"
FINISHES = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(open("finished", "w").close()))
open("works", "w").close()
time.sleep(600)
"""
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); time.sleep(600)"


def child(name: str, then: str = SLEEPS) -> dict[str, str]:
    return {name: LIVES.format(name=name, then=then)}


class Supervised:
    """A running supervisor and what its children have left in the folder."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process = process
        self.folder = folder

    def starts(self, name: str) -> list[tuple[int, float]]:
        """The pid and the monotonic time of each start of a child."""
        path = self.folder / f"{name}.starts"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), float(at)) for pid, at in (line.split() for line in lines)]

    def wait_for_start(self, name: str, number: int = 1) -> int:
        wait_until(lambda: len(self.starts(name)) >= number, f"start {number} of {name}")
        return self.starts(name)[number - 1][0]

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self, *signals: signal.Signals) -> int:
        for number in signals or (signal.SIGTERM,):
            self.process.send_signal(number)
        return self.process.wait(STOP_WITHIN_S)


@contextmanager
def supervised(folder: Path, **plan: Any) -> Iterator[Supervised]:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.kit.supervised", str(folder), json.dumps(plan)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield Supervised(process, folder)
        finally:
            process.kill()


@pytest.fixture
def folder(data_dir: Path) -> Path:
    return data_dir.parent / "run"


def test_a_killed_child_is_started_again_and_the_others_live_on(folder: Path) -> None:
    with supervised(folder, children=child("one") | child("two")) as run:
        other = run.wait_for_start("two")
        os.kill(run.wait_for_start("one"), signal.SIGKILL)
        assert not is_gone(run.wait_for_start("one", 2))
        assert [pid for pid, _ in run.starts("two")] == [other]


def test_a_child_that_dies_at_once_is_started_after_growing_pauses(folder: Path) -> None:
    with supervised(folder, children=child("one", "raise SystemExit(1)")) as run:
        run.wait_for_start("one", 4)
        times = [at for _, at in run.starts("one")]
        assert times[2] - times[1] >= 0.5
        assert times[3] - times[2] >= 1.0


def test_a_termination_ends_everything_with_exit_code_0(folder: Path) -> None:
    with supervised(folder, children=child("one") | child("two"), postgres=True) as run:
        pids = [run.wait_for_start("one"), run.wait_for_start("two")]
        assert run.stop() == 0
        assert all(is_gone(pid) for pid in pids)
        assert running_url(folder / "data") is None


def test_a_child_may_finish_its_work_before_it_ends(folder: Path) -> None:
    with supervised(folder, children=child("one", FINISHES)) as run:
        wait_until((folder / "works").exists, "the child to work")
        assert run.stop() == 0
        assert (folder / "finished").exists()


def test_a_signal_while_a_step_runs_ends_it_with_exit_code_0(folder: Path) -> None:
    with supervised(folder, steps=child("step"), children=child("one")) as run:
        step = run.wait_for_start("step")
        assert run.stop(signal.SIGINT) == 0
        assert is_gone(step)
        assert run.starts("one") == []


def test_a_child_that_ignores_its_termination_is_killed(folder: Path) -> None:
    with supervised(folder, children=child("one", IGNORES_TERM)) as run:
        wait_until((folder / "deaf").exists, "the child to be deaf")
        assert run.stop() == 0
        assert is_gone(run.wait_for_start("one"))


def test_a_second_termination_hurries(folder: Path) -> None:
    with supervised(folder, children=child("one", IGNORES_TERM)) as run:
        wait_until((folder / "deaf").exists, "the child to be deaf")
        run.process.send_signal(signal.SIGTERM)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(CHILDREN_PATIENCE_S) == 0


def test_the_patience_of_all_parts_together_fits_into_eight_seconds() -> None:
    assert CHILDREN_PATIENCE_S + POSTGRES_PATIENCE_S + 1.0 < STOP_WITHIN_S


def test_children_are_out_of_reach_of_the_terminals_ctrl_c(folder: Path) -> None:
    with supervised(folder, children=child("one")) as run:
        assert os.getpgid(run.wait_for_start("one")) != os.getpgid(run.process.pid)


def test_children_and_server_end_with_a_supervisor_that_was_killed(folder: Path) -> None:
    with supervised(folder, children=child("one", IGNORES_TERM), postgres=True) as run:
        pid = run.wait_for_start("one")
        run.process.kill()
        wait_until(lambda: is_gone(pid), "the child to follow its supervisor")
    with supervised(folder, children=child("one"), postgres=True) as run:
        run.wait_for_start("one", 2)
        assert run.stop() == 0


def test_a_killed_postgres_is_back_and_has_its_data(folder: Path) -> None:
    with supervised(folder, children=child("one"), postgres=True) as run:
        run.wait_for_start("one")
        url = libpq_url(running_url(folder / "data") or "")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        postmaster = int((folder / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        wait_until(lambda: answer(url) == 42, "the database to be back", patience_s=15.0)
        assert len(run.starts("one")) == 1


def answer(url: str) -> int | None:
    try:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT answer FROM kept").fetchone()
            return row[0] if row else None
    except psycopg.OperationalError:
        return None


def test_steps_end_before_children_start_and_the_greeting_comes_once_they_are_healthy(folder: Path) -> None:
    steps = {"first": "print('a link'); open('prepared', 'w')"}
    checks = "assert os.path.exists('prepared'); open('serving', 'w'); time.sleep(600)"
    with supervised(folder, steps=steps, children=child("one", checks), healthy_when="serving") as run:
        assert run.read_line() == "greeting: a link\n"
        assert len(run.starts("one")) == 1


def test_a_child_that_waits_at_the_gate_starts_before_the_steps_and_works_after_them(folder: Path) -> None:
    steps = {"first": "import os, time\nwhile not os.path.exists('imported'): time.sleep(0.01)\nopen('prepared', 'w')"}
    code = """
import os
from app.core.processes import wait_at_gate
open("imported", "w")
wait_at_gate()
assert os.path.exists("prepared")
open("works", "w")
"""
    with supervised(folder, steps=steps, gated=child("one", f"{code}{SLEEPS}"), healthy_when="works") as run:
        assert run.read_line().startswith("greeting")
        os.kill(run.wait_for_start("one"), signal.SIGKILL)
        (folder / "works").unlink()
        wait_until((folder / "works").exists, "the next one to pass the open gate")


def test_a_step_that_cant_start_ends_everything_with_its_exit_code(folder: Path) -> None:
    with supervised(folder, steps={"first": "raise SystemExit(2)"}, children=child("one")) as run:
        assert run.process.wait(30) == 2
        assert run.starts("one") == []


def test_a_child_that_cant_start_ends_everything_with_exit_code_2(folder: Path) -> None:
    refused = child("one", "raise SystemExit(2)")
    with supervised(folder, children=refused | child("two"), healthy_when="never") as run:
        assert run.process.wait(30) == 2
