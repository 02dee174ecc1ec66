"""The zoo's journal: a line of JSON for every request and every change of state."""

import json
from pathlib import Path
from typing import Any, TextIO

from app.core import clock


class Journal:
    """Without a path nothing is kept. Each line is handed to the system at once, so that a kill loses none."""

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None if path is None else path.open("a", encoding="utf-8", buffering=1)

    def write(self, event: str, host: str, **values: Any) -> None:
        if self._file is None:
            return
        stamps = {"event": event, "host": host, "mono": clock.monotonic(), "wall": clock.now().timestamp()}
        self._file.write(json.dumps(stamps | values) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
