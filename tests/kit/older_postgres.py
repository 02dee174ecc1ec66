"""An external PostgreSQL of an older major version, as a managed one may be."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from app.db._pg_host import PostgresHost, find_host
from tests.kit.waiting import wait_until

# The oldest that we support where the system has it, else the oldest that comes with our own.
_SYSTEM = Path("/usr/lib/postgresql/15/bin")


@contextmanager
def older_postgres(folder: Path) -> Iterator[str]:
    """Yields the URL of a database on the older server, which listens on a socket in `folder` alone."""
    ours = find_host()
    programs = _SYSTEM if (_SYSTEM / "postgres").exists() else ours.programs.parents[1] / "pginstall" / "bin"
    host = PostgresHost(programs, ours.uid, ours.gid, ours.client)
    folder.mkdir(parents=True)
    host.give(folder)
    host.open_way_to(programs / "postgres")
    host.open_way_to(folder / "cluster")
    options = ("-U", "owner", "--auth=trust", "--encoding=UTF8", "--no-sync")
    made = host.run_as_server("initdb", "-D", str(folder / "cluster"), *options)
    assert made.returncode == 0, made.stderr
    command = [str(programs / "postgres"), "-D", str(folder / "cluster"), "-h", "", "-k", str(folder), "-F"]
    how = {"cwd": "/", "env": host.environment, "stderr": subprocess.DEVNULL, **host.identity}
    with subprocess.Popen(command, **how) as process:
        try:
            wait_until(lambda: host.run("pg_isready", "-h", str(folder)).returncode == 0, "the older server")
            yield f"postgresql://owner@/postgres?host={quote(str(folder), safe='')}"
        finally:
            process.terminate()
