import os
import shutil
import stat
from pathlib import Path

import psutil
import psycopg
import pytest

from app.core.errors import StartError
from app.db.embedded import ADMIN_ROLE, EmbeddedPostgres, running_url
from app.db.session import libpq_url
from tests.kit.users import as_nobody, needs_root

FAST = {"fsync": "off"}


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute(statement).fetchall()


def socket_folder(server: EmbeddedPostgres) -> Path:
    return Path(str(psycopg.conninfo.conninfo_to_dict(libpq_url(server.url()))["host"]))


def test_the_application_connects_without_a_superusers_rights(postgres: EmbeddedPostgres) -> None:
    rights = "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert query(postgres.url(), rights) == [("pulseboard", False, False, False)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(postgres.url(), "COPY (SELECT 1) TO PROGRAM 'cat'")


def test_the_application_owns_its_database(postgres: EmbeddedPostgres) -> None:
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert query(postgres.url(), owner) == [("pulseboard",)]


def test_the_server_opens_no_tcp_port(postgres: EmbeddedPostgres) -> None:
    assert psutil.Process(postgres.pid).net_connections("inet") == []


def test_only_the_owner_may_enter_the_sockets_folder(postgres: EmbeddedPostgres) -> None:
    assert stat.S_IMODE(socket_folder(postgres).stat().st_mode) == 0o700


def test_durability_is_on_unless_a_test_gives_it_up(made_data_dir: Path) -> None:
    with EmbeddedPostgres(made_data_dir) as server:
        durable = (
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
        )
        assert {setting for _, setting in query(server.url(), durable)} == {"on"}


@needs_root
def test_another_user_cant_reach_the_socket(postgres: EmbeddedPostgres) -> None:
    said = as_nobody(lambda: psycopg.connect(libpq_url(postgres.url())))
    assert "Permission denied" in said


@needs_root
@pytest.mark.parametrize("role", ["pulseboard", ADMIN_ROLE])
def test_another_user_is_refused_even_when_the_folders_stand_open(made_data_dir: Path, role: str) -> None:
    made_data_dir.parent.chmod(0o755)
    with EmbeddedPostgres(made_data_dir, {**FAST, "unix_socket_permissions": "0777"}) as server:
        made_data_dir.chmod(0o755)
        socket_folder(server).chmod(0o777)
        url = libpq_url(server.url("postgres", role))
        assert "Peer authentication failed" in as_nobody(lambda: psycopg.connect(url))


def test_a_second_owner_of_one_folder_is_refused(made_data_dir: Path) -> None:
    with EmbeddedPostgres(made_data_dir, FAST) as first:
        with pytest.raises(StartError, match="Another Pulseboard uses"):
            EmbeddedPostgres(made_data_dir, FAST).start()
        assert query(first.url(), "SELECT 1") == [(1,)]


def test_a_long_path_gets_a_short_private_socket_folder_that_is_recorded(data_dir: Path) -> None:
    long = data_dir / ("deep" * 20) / ("deeper" * 10)
    with EmbeddedPostgres(long, FAST) as server:
        short = socket_folder(server)
        assert query(running_url(long) or "", "SELECT 1") == [(1,)]
        assert len(os.fsencode(short)) < 90
        assert stat.S_IMODE(short.stat().st_mode) == 0o700
    assert not short.exists()
    assert running_url(long) is None


def test_what_was_stored_is_there_after_a_restart(made_data_dir: Path) -> None:
    with EmbeddedPostgres(made_data_dir, FAST) as server, psycopg.connect(libpq_url(server.url())) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedPostgres(made_data_dir, FAST) as server:
        assert query(server.url(), "SELECT answer FROM kept") == [(42,)]


def test_a_first_start_that_was_cut_off_is_begun_again(data_dir: Path) -> None:
    half_made = data_dir / "postgres.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(data_dir, FAST) as server:
        assert query(server.url(), "SELECT 1") == [(1,)]
    assert not half_made.exists()


@needs_root
def test_the_folder_of_another_user_is_refused_by_name(made_data_dir: Path) -> None:
    shutil.chown(made_data_dir / "postgres", "nobody")
    with pytest.raises(StartError, match="belongs to user nobody"):
        EmbeddedPostgres(made_data_dir, FAST).start()


@needs_root
def test_a_folder_that_cant_be_written_is_refused_with_the_mend(data_dir: Path) -> None:
    data_dir.parent.chmod(0o755)
    data_dir.mkdir(mode=0o755)
    said = as_nobody(EmbeddedPostgres(data_dir, FAST).start)
    assert said.startswith("StartError: Can't write to the data folder")
    assert "PULSEBOARD_DATA_DIR" in said


def test_a_folder_that_cant_be_made_is_refused_with_the_mend(data_dir: Path) -> None:
    data_dir.write_text("a file is in the way")
    with pytest.raises(StartError, match="PULSEBOARD_DATA_DIR"):
        EmbeddedPostgres(data_dir / "below", FAST).start()


def test_a_cluster_of_another_major_version_is_refused(made_data_dir: Path) -> None:
    (made_data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(StartError, match="PostgreSQL 17, this is 18"):
        EmbeddedPostgres(made_data_dir, FAST).start()


def test_a_server_that_gives_up_is_one_line_with_its_reason(made_data_dir: Path) -> None:
    with pytest.raises(StartError, match=r"did not start: .*max_connections.*Its log is"):
        EmbeddedPostgres(made_data_dir, {**FAST, "max_connections": "none"}).start()


def test_a_refused_start_leaves_the_folder_free_for_the_next(made_data_dir: Path) -> None:
    with pytest.raises(StartError):
        EmbeddedPostgres(made_data_dir, {**FAST, "max_connections": "none"}).start()
    with EmbeddedPostgres(made_data_dir, FAST) as server:
        assert query(server.url(), "SELECT 1") == [(1,)]
