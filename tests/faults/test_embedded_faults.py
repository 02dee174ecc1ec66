"""F2 and F38: the embedded server under kill -9, damaged files and slow recovery."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil
import psycopg
import pytest

from app.db._pg_host import find_host
from app.db.embedded import EmbeddedPostgres
from app.db.session import libpq_url
from tests.kit.waiting import wait_until


def servers_in(cluster: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(cluster):
                found.append(process)
        except psutil.Error:
            continue
    return found


def postmasters_in(cluster: Path) -> list[psutil.Process]:
    every = servers_in(cluster)
    pids = {process.pid for process in every}
    return [process for process in every if process.ppid() not in pids]


@contextmanager
def owner_process(data_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.kit.postgres_owner", str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql"), "the owner did not start its server"
        try:
            yield process
        finally:
            process.kill()


def start_and_stop(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server, psycopg.connect(libpq_url(server.url())) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert [process.pid for process in postmasters_in(server.cluster)] == [server.pid]
    assert servers_in(server.cluster) == []


def test_the_server_ends_with_an_owner_that_was_killed_and_five_starts_follow(made_data_dir: Path) -> None:
    with owner_process(made_data_dir) as owner:
        owner.kill()
        wait_until(lambda: servers_in(made_data_dir / "postgres") == [], "the server to follow its owner")
    for _ in range(5):
        start_and_stop(made_data_dir)


@contextmanager
def orphan_server(data_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A live server on a made cluster that nothing of ours has started, so nothing of ours ends it."""
    host = find_host()
    host.open_way_to(data_dir / "postgres")
    cluster = str(data_dir / "postgres")
    command = [str(host.programs / "postgres"), "-D", cluster, "-h", "", "-k", cluster]
    options = {"cwd": "/", "env": host.environment, "stderr": subprocess.DEVNULL, **host.identity}
    with subprocess.Popen(command, **options) as process:
        wait_until(lambda: host.run("pg_isready", "-h", cluster).returncode == 0, "the orphan to start")
        try:
            yield process
        finally:
            process.kill()


def test_a_server_without_an_owner_is_stopped_before_ours_starts(made_data_dir: Path) -> None:
    with orphan_server(made_data_dir) as orphan:
        start_and_stop(made_data_dir)
        assert orphan.poll() == 0, "the orphan was not stopped cleanly"


@pytest.mark.parametrize("damage", ["", "12", "garbage\n\n", "{live}\n/elsewhere\n", "999999999\n"])
def test_a_damaged_or_stale_pid_file_is_survived(made_data_dir: Path, damage: str) -> None:
    host = find_host()
    with subprocess.Popen(["sleep", "60"], **host.identity) as bystander:
        pid_file = made_data_dir / "postgres" / "postmaster.pid"
        pid_file.write_text(damage.format(live=bystander.pid))
        host.give(pid_file)
        start_and_stop(made_data_dir)
        assert bystander.poll() is None, "a process that is none of ours was stopped"
        bystander.kill()


def test_recovery_that_takes_longer_than_ten_seconds_is_waited_for(made_data_dir: Path) -> None:
    gate = made_data_dir.parent / "gate"
    made_data_dir.parent.chmod(0o755)
    (made_data_dir / "postgres" / "recovery.signal").touch()
    # A real recovery that asks an archive for each piece of log; the archive answers when the gate opens.
    fetch = f"while [ ! -e {gate} ]; do sleep 0.1; done; exit 1"
    opener = threading.Timer(11.0, gate.touch)
    opener.start()
    with EmbeddedPostgres(made_data_dir, {"restore_command": fetch, "hot_standby": "off"}) as server:
        assert gate.exists(), "the server was ready before its recovery"
        with psycopg.connect(libpq_url(server.url())) as connection:
            assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)


class Writer:
    """A client that writes rows one by one and keeps a ledger of the ids whose commit was acknowledged."""

    def __init__(self, url: str, first: int) -> None:
        self.acknowledged: list[int] = []
        self.backend = 0
        self._url = url
        self._first = first
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def wait_for_more(self, rows: int = 20) -> None:
        goal = len(self.acknowledged) + rows
        wait_until(lambda: len(self.acknowledged) >= goal, "acknowledged rows")

    def _run(self) -> None:
        number = self._first
        while not self._enough.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    self.backend = connection.info.backend_pid
                    while not self._enough.is_set():
                        number += 1
                        connection.execute("INSERT INTO ledger VALUES (%s)", (number,))
                        self.acknowledged.append(number)
            except psycopg.OperationalError:
                self._enough.wait(0.02)  # the server is away: come again


def test_no_acknowledged_row_is_lost_in_twenty_kills_under_load(made_data_dir: Path) -> None:
    dice = random.Random(2)
    with EmbeddedPostgres(made_data_dir) as server:
        url = libpq_url(server.url())
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE ledger (id bigint PRIMARY KEY)")
        server.execute("CHECKPOINT")  # only rows are at stake
        with Writer(url, 0) as one, Writer(url, 1_000_000) as two:
            for _ in range(20):
                one.wait_for_more(dice.randint(5, 50))
                if dice.random() < 0.5:
                    os.kill(server.pid or 0, signal.SIGKILL)
                    wait_until(lambda: not server.is_running(), "the postmaster to die")
                    server.start()
                else:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(dice.choice((one, two)).backend, signal.SIGKILL)
                two.wait_for_more(dice.randint(5, 50))
        with psycopg.connect(url) as connection:
            stored = {number for (number,) in connection.execute("SELECT id FROM ledger")}
    lost = {*one.acknowledged, *two.acknowledged} - stored
    assert lost == set()
