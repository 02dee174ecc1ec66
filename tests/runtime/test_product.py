"""The whole product under its supervisor, from the first start to Ctrl+C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.kit.waiting import is_gone, wait_until

STOP_WITHIN_S = 8.0
START_PATIENCE_S = 120.0  # on a machine that is busy with other tests


class Product:
    """A running `pulseboard serve`; `link` is the setup link it printed."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = url
        self.ready = process.stdout.readline()
        self.link = process.stdout.readline().split()[-1]

    def child(self, word: str) -> psutil.Process | None:
        """The child whose command line holds `word`."""
        for process in psutil.Process(self.process.pid).children():
            try:
                if word in process.cmdline():
                    return process
            except psutil.Error:
                continue
        return None

    def kill(self, word: str) -> None:
        """Kill a child with -9 and wait until another one is in its place."""
        killed = self.child(word)
        assert killed is not None
        killed.kill()
        wait_until(lambda: (new := self.child(word)) and new.pid != killed.pid, f"another {word}")

    def answers(self, path: str) -> bool:
        try:
            return httpx.get(self.url + path).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running(data_dir: Path, port: int) -> Iterator[Product]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULSEBOARD_", "DATABASE_"))}
    environment = {**kept, "PULSEBOARD_DATA_DIR": str(data_dir), "PULSEBOARD_PORT": str(port)}
    command = [sys.executable, "-m", "app.cli", "serve"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        try:
            yield Product(process, f"http://127.0.0.1:{port}")
        finally:
            process.kill()


@pytest.mark.timeout(400)
def test_whoever_is_killed_comes_back_and_ctrl_c_ends_everything(data_dir: Path, free_port: int) -> None:
    with running(data_dir, free_port) as product:
        assert product.ready == f"Pulseboard is ready: http://localhost:{free_port}\n"
        assert httpx.get(product.link).status_code == 200
        wait_until(lambda: product.answers("/readyz"), "the database and a worker to be seen", START_PATIENCE_S)

        product.kill("web")
        wait_until(lambda: product.answers("/healthz"), "the next web process", START_PATIENCE_S)
        product.kill("worker")
        product.kill(str(data_dir / "postgres"))
        wait_until(lambda: product.answers("/readyz"), "everything to be well again", START_PATIENCE_S)

        everybody = psutil.Process(product.process.pid).children(recursive=True)
        os.killpg(product.process.pid, signal.SIGINT)
        assert product.process.wait(STOP_WITHIN_S) == 0
        assert all(is_gone(process.pid) for process in everybody)

    with running(data_dir, free_port) as product:
        assert httpx.get(product.link).status_code == 200
        product.process.send_signal(signal.SIGTERM)
        assert product.process.wait(STOP_WITHIN_S) == 0
