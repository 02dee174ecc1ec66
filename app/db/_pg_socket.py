"""The folder of the server's socket: for its owner alone, and short enough for the system's limit."""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from app.db._pg_host import PostgresHost

_MAX_SOCKET_PATH = 103  # bytes; the smallest limit of the systems we run on
_SOCKET_NAME = ".s.PGSQL.5432"


class SocketFolder:
    """`<data_dir>/socket`, or a short folder elsewhere; `<data_dir>/postgres.socket` says which while it is in use."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._record = data_dir / "postgres.socket"
        self._folder: Path | None = None

    @property
    def path(self) -> Path:
        assert self._folder is not None, "the server was never launched"  # noqa: S101
        return self._folder

    def make(self, host: PostgresHost) -> None:
        folder = self._data_dir / "socket"
        if len(os.fsencode(folder / _SOCKET_NAME)) > _MAX_SOCKET_PATH:
            folder = self._short(host)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        host.give(folder)
        self._record.write_text(str(folder), encoding="utf-8")
        self._folder = folder

    def recorded(self) -> Path | None:
        """The folder that another process's server uses now, None when there is no server."""
        try:
            folder = Path(self._record.read_text(encoding="utf-8"))
        except OSError:
            return None
        return folder if (folder / _SOCKET_NAME).exists() else None

    def remove(self) -> None:
        if self._folder is None:
            return
        if self._folder.parent != self._data_dir:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._record.unlink(missing_ok=True)

    def _short(self, host: PostgresHost) -> Path:
        """The folder of the last start if it is still ours alone, else a new one that nobody can guess."""
        with contextlib.suppress(OSError):
            last = Path(self._record.read_text(encoding="utf-8"))
            status = last.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == host.uid and last.parent != self._data_dir:
                return last
        return Path(tempfile.mkdtemp(prefix="pulseboard-"))
