from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.ledger import Ledger, open_ledger


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with open_ledger(tmp_path / "ledger.jsonl") as running:
        yield running
