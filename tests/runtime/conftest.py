"""A worker in this process, on a database of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from app.core.addresses import probe_policy
from app.core.settings import Settings
from app.runtime.worker import Worker
from tests.builders import SEALER

OpenWorker = Callable[..., AbstractAsyncContextManager[Worker]]


@pytest.fixture
def open_worker(database_url: str, tmp_path: Path) -> OpenWorker:
    """Opens a worker with short leases and the given settings; the end of its block stops it gracefully."""

    @asynccontextmanager
    async def opened(**changes: object) -> AsyncIterator[Worker]:
        values = {"data_dir": tmp_path, "notify_allow": "127.0.0.1", "lease_grace_s": 1.0, "sender_lease_s": 2.0}
        worker = Worker(Settings.model_validate(values | changes), database_url, SEALER, probe_policy())
        worker.start()
        try:
            yield worker
        finally:
            assert await worker.stop()

    return opened
