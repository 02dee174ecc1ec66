from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, make_url

from app.core.errors import StartError
from app.db.embedded import APP_ROLE, EmbeddedPostgres
from app.db.migrate import config, head, upgrade
from app.db.session import engine_url, libpq_url
from tests.kit.older_postgres import older_postgres


def revisions(url: str) -> list[tuple[str]]:
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchall()


def test_a_second_upgrade_changes_nothing(database_url: str) -> None:
    upgrade(database_url)
    assert revisions(database_url) == [(head(),)]


def test_the_models_and_the_migrations_agree(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        command.check(config(connection))
    engine.dispose()


def test_two_migrators_at_once_make_one_schema(postgres: EmbeddedPostgres, postgres_admin: psycopg.Connection) -> None:
    postgres_admin.execute(f"CREATE DATABASE two_migrators OWNER {APP_ROLE}")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(upgrade, [postgres.url("two_migrators")] * 2))
    assert revisions(postgres.url("two_migrators")) == [(head(),)]


def test_an_older_server_gets_the_same_schema(data_dir: Path) -> None:
    with older_postgres(data_dir) as url:
        with psycopg.connect(url) as connection:
            assert 150000 <= connection.info.server_version < 180000
        upgrade(url)
        assert revisions(url) == [(head(),)]
        engine = create_engine(engine_url(url))
        with engine.connect() as opened:
            command.check(config(opened))
        engine.dispose()


def test_a_database_that_is_not_in_utf8_is_refused(
    postgres: EmbeddedPostgres, postgres_admin: psycopg.Connection
) -> None:
    postgres_admin.execute(f"CREATE DATABASE ascii OWNER {APP_ROLE} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StartError, match=r"SQL_ASCII.*ENCODING 'UTF8'"):
        upgrade(postgres.url("ascii"))


def test_an_unreachable_database_is_one_line_that_names_the_mend_and_hides_the_password() -> None:
    with pytest.raises(StartError, match="Check DATABASE_URL") as refused:
        upgrade("postgresql://someone:hunter2@127.0.0.1:1/nothing")
    assert "hunter2" not in refused.value.message
    assert "\n" not in refused.value.message


def test_a_schema_of_a_newer_version_is_refused(database_url: str) -> None:
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    with pytest.raises(StartError, match="newer Pulseboard"):
        upgrade(database_url)
    assert revisions(database_url) == [("from_the_future",)]


def test_an_address_of_another_kind_of_database_is_refused() -> None:
    with pytest.raises(StartError, match="postgresql://"):
        upgrade(make_url("mysql://localhost/pulse").render_as_string())
