"""The data folder: made when missing, and used by one owner at a time."""

import fcntl
import os
from pathlib import Path
from typing import IO

from app.core.errors import StartError


def open_data_dir(path: Path) -> Path:
    """Make the folder if it is missing; returns its absolute path, raises StartError when it can't be made."""
    folder = path.expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return folder


class FolderLock:
    """An advisory lock on `<folder>/<name>`; the kernel drops it when its owner dies, however it dies."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock; raises StartError when another process holds it or the folder can't be written."""
        if self._file is not None:
            return
        try:
            file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii")
        except OSError as error:
            raise _unwritable(self._path.parent, error) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise StartError(
                f"Another Pulseboard uses the data folder {self._path.parent}. "
                "Stop it first, or set PULSEBOARD_DATA_DIR to another folder."
            ) from None
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _unwritable(folder: Path, error: OSError) -> StartError:
    return StartError(
        f"Can't write to the data folder {folder} ({error.strerror}). "
        "Give this user the right to write there, or set PULSEBOARD_DATA_DIR to another folder."
    )
