"""What `pulseboard serve` refuses, as its user meets it: one line, exit code 2."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from app.core.data_dir import FolderLock


def serve(data_dir: Path, command: str = "serve", **settings: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULSEBOARD_", "DATABASE_"))}
    environment = {**kept, "PULSEBOARD_DATA_DIR": str(data_dir), "PULSEBOARD_PORT": str(free_port()), **settings}
    line = [sys.executable, "-m", "app.cli", command]
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def assert_refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    for word in words:
        assert word in line


def test_a_taken_port_is_refused(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert_refused(serve(data_dir, PULSEBOARD_PORT=port), f"Port {port} is taken", "PULSEBOARD_PORT")


def test_an_address_of_another_machine_is_refused(data_dir: Path) -> None:
    assert_refused(serve(data_dir, PULSEBOARD_HOST="192.0.2.1"), "Can't listen on 192.0.2.1", "PULSEBOARD_HOST")


def test_a_data_folder_that_cant_be_made_is_refused(data_dir: Path) -> None:
    data_dir.write_text("a file is in the way")
    assert_refused(serve(data_dir / "below"), str(data_dir), "PULSEBOARD_DATA_DIR")


def test_a_data_folder_in_use_is_refused(data_dir: Path) -> None:
    data_dir.mkdir()
    lock = FolderLock(data_dir, "pulseboard.lock")
    lock.acquire()
    assert_refused(serve(data_dir), "Another Pulseboard uses", str(data_dir))
    lock.release()


def test_a_database_that_cant_be_reached_is_refused(data_dir: Path) -> None:
    done = serve(data_dir, DATABASE_URL="postgresql://someone:hunter2@127.0.0.1:1/nothing")
    assert_refused(done, "Can't connect to the database", "DATABASE_URL")
    assert "hunter2" not in done.stderr


def test_a_wrong_setting_is_refused_by_its_name(data_dir: Path) -> None:
    assert_refused(serve(data_dir, PULSEBOARD_PORT="many"), "PULSEBOARD_PORT")
