"""Workers as processes of their own, to be killed, stopped and asked to end.

They are forked from a server that has imported the program already, so that a test can afford many.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.core.settings import Settings
from app.runtime.worker import run_worker
from tests.builders import MASTER_KEY

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["app.runtime.worker"])
_PATIENCE_S = 30.0


class WorkerProcess:
    def __init__(self, url: str, folder: Path, **changes: Any) -> None:
        values = {
            "data_dir": folder,
            "database_url": url,
            "secret_key": MASTER_KEY.decode(),
            "notify_allow": "127.0.0.1",
            "lease_grace_s": 0.5,
            "sender_lease_s": 1.5,
        }
        self._process = _CONTEXT.Process(target=run_worker, args=(Settings.model_validate(values | changes),))
        self._process.start()

    def kill(self) -> None:
        """As kill -9; returns when it is dead."""
        self.send(signal.SIGKILL)
        self._process.join(_PATIENCE_S)

    def send(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        if self._process.is_alive():
            os.kill(self._process.pid, number)

    def wait_for_end(self) -> int | None:
        """The exit code; None when it does not end."""
        self._process.join(_PATIENCE_S)
        return self._process.exitcode


@contextmanager
def worker_process(url: str, folder: Path, **changes: Any) -> Iterator[WorkerProcess]:
    """A worker with short leases, killed at the end; `changes` are settings."""
    worker = WorkerProcess(url, folder, **changes)
    try:
        yield worker
    finally:
        worker.send(signal.SIGCONT)
        worker.kill()
