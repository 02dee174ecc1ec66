"""Bringing a database's schema to the newest revision, one migrator at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from loguru import logger
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from app.core.errors import StartError
from app.db.session import engine_url

OLDEST_SERVER = 150000  # PostgreSQL 15.0, as server_version_num has it
_LOCK = 0x70756C7365  # any constant that every Pulseboard shares
_CONNECT_SECONDS = 10


def upgrade(url: str, revision: str = "head") -> None:
    """Run the missing migrations; whoever comes second waits for the first.

    Raises StartError when the server can't be reached, is unfit, or holds the schema of a newer Pulseboard.
    """
    engine = create_engine(
        engine_url(url),
        poolclass=NullPool,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "client_encoding": "utf8"},
    )
    with _connect(engine) as connection:
        _check_server(connection)
        # Held by the session, so that each migration can have its own transaction under it.
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        try:
            command.upgrade(config(connection), revision)
        except CommandError as error:
            raise StartError(
                f"The database {_safe(url)} can't be brought to this version's schema ({error}). "
                "If a newer Pulseboard has used it, start that one."
            ) from None
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()
    logger.bind(revision=head()).debug("The schema is up to date")


def head() -> str:
    """The revision that this version of the program needs."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; `migrations/env.py` takes the open connection from its attributes."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parents[2] / "migrations"))
    found.set_main_option("path_separator", "os")
    found.attributes["connection"] = connection
    return found


def _safe(url: str) -> str:
    return engine_url(url).render_as_string(hide_password=True)


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[-1]
        raise StartError(
            f"Can't connect to the database {engine.url}: {reason}. Check DATABASE_URL and that the server runs."
        ) from None


def _check_server(connection: Connection) -> None:
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    connection.rollback()
    if number < OLDEST_SERVER:
        raise StartError(
            f"The database server is PostgreSQL {number // 10000}; "
            f"Pulseboard needs {OLDEST_SERVER // 10000} or newer. Upgrade it, or point DATABASE_URL elsewhere."
        )
    if encoding != "UTF8":
        raise StartError(
            f"The database stores text as {encoding}; Pulseboard needs UTF8. "
            "Run: CREATE DATABASE pulseboard ENCODING 'UTF8' TEMPLATE template0, and point DATABASE_URL there."
        )
