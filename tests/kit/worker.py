"""A worker in the test's own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.core.addresses import probe_policy
from app.core.settings import Settings
from app.runtime.worker import Worker
from tests.builders import SEALER

SHORT_LEASES = {"notify_allow": "127.0.0.1", "lease_grace_s": 1.0, "sender_lease_s": 2.0}


@asynccontextmanager
async def running_worker(url: str, folder: Path, **changes: Any) -> AsyncIterator[Worker]:
    """A worker with short leases and short deadlines, stopped at the end; `changes` are settings."""
    settings = Settings.model_validate({"data_dir": folder, **SHORT_LEASES, **changes})
    worker = Worker(settings, url, SEALER, probe_policy())
    worker.database.deadline_s = 1.0
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()
