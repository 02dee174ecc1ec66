"""A process that owns an embedded PostgreSQL until it is told or forced to end.

`python -m tests.kit.postgres_owner FOLDER` prints the server's URL when it is ready; a line on stdin ends it cleanly.
"""

import sys
from pathlib import Path

from app.db.embedded import EmbeddedPostgres


def main() -> None:
    with EmbeddedPostgres(Path(sys.argv[1])) as server:
        print(server.url(), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
