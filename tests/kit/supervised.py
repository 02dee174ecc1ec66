"""A supervisor with small children of its own, as a program: `python -m tests.kit.supervised FOLDER PLAN`.

PLAN is JSON: `children`, `gated` children and `steps` map names to Python code, which runs in FOLDER; `postgres` true
adds an embedded server in FOLDER/data; `healthy_when` names a file in FOLDER. It prints "greeting: ..." once the
children are healthy.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from app.core.logging import set_up_logging
from app.db.embedded import EmbeddedPostgres
from app.runtime.supervisor import Child, Plan, Supervisor


def main() -> int:
    folder, asked = Path(sys.argv[1]), json.loads(sys.argv[2])
    os.chdir(folder)
    set_up_logging("supervisor")
    postgres = EmbeddedPostgres(folder / "data", {"fsync": "off"}) if asked.get("postgres") else None

    def environment() -> Mapping[str, str]:
        return {**os.environ, "DATABASE_URL": postgres.url() if postgres else ""}

    plan = Plan(
        children=_programs(asked.get("children", {})) + _programs(asked.get("gated", {}), waits_at_gate=True),
        steps=_programs(asked.get("steps", {})),
        postgres=postgres,
        environment=environment,
        healthy=(folder / asked.get("healthy_when", ".")).exists,
        greet=lambda printed: print(f"greeting: {printed.strip()}", flush=True),
    )
    return Supervisor(plan).run()


def _programs(codes: Mapping[str, str], waits_at_gate: bool = False) -> tuple[Child, ...]:
    return tuple(Child(name, (sys.executable, "-S", "-c", code), waits_at_gate) for name, code in codes.items())


if __name__ == "__main__":
    sys.exit(main())
