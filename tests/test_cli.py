"""The command line as a user meets it."""

import os
import subprocess
import sys

import psycopg
import pytest

from app.db.session import libpq_url

PASSWORD = "correct horse battery staple"


def pulseboard(*arguments: str, stdin: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULSEBOARD_", "DATABASE_"))}
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.run(
        command, env=kept | settings, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def settings(database_url: str, data_dir: os.PathLike[str]) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "PULSEBOARD_DATA_DIR": str(data_dir)}


def create(settings: dict[str, str], *options: str, password: str = PASSWORD) -> "subprocess.CompletedProcess[str]":
    who = ("user", "create", "--email", "Ada@Example.org", "--name", "Ada", "--password-stdin", *options)
    return pulseboard(*who, stdin=password + "\n", **settings)


def test_an_admin_is_made_from_the_shell(settings: dict[str, str]) -> None:
    done = create(settings, "--role", "admin", "--team", "Platform")
    assert (done.returncode, done.stdout) == (0, "Made the account ada@example.org.\n"), done.stderr
    with psycopg.connect(libpq_url(settings["DATABASE_URL"])) as connection:
        found = connection.execute(
            "SELECT u.email, m.role, t.name FROM user_account u "
            "JOIN membership m ON m.user_id = u.id JOIN team t ON t.id = m.team_id"
        )
        assert found.fetchall() == [("ada@example.org", "admin", "Platform")]


def test_a_refused_account_is_one_line_with_every_mend(settings: dict[str, str]) -> None:
    done = create(settings, "--role", "boss", password="short")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "password: Use 15 characters or more" in line
    assert "role:" in line
    assert "short" not in line


def test_an_address_has_one_account(settings: dict[str, str]) -> None:
    assert create(settings).returncode == 0
    again = create(settings)
    assert again.returncode == 1
    assert "There is an account with this address already." in again.stderr


def test_the_help_names_every_command() -> None:
    done = pulseboard("--help")
    assert done.returncode == 0
    for command in ("serve", "demo", "web", "worker", "migrate", "user", "version"):
        assert command in done.stdout


def test_a_command_that_does_not_exist_is_told_so() -> None:
    done = pulseboard("sevre")
    assert done.returncode == 2
    assert "No such command" in done.stderr
