"""A worker in this process, on a database of its own."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from app.runtime.worker import Worker
from tests.kit.worker import running_worker

OpenWorker = Callable[..., AbstractAsyncContextManager[Worker]]


@pytest.fixture
def open_worker(database_url: str, tmp_path: Path) -> OpenWorker:
    """Opens a worker with short leases and the given settings; the end of its block stops it gracefully."""
    return partial(running_worker, database_url, tmp_path)
