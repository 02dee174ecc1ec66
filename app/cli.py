"""The command line. Each command imports what it needs, so that all of them start quickly."""

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from app.core.errors import PulseboardError, StartError
from app.core.logging import set_up_logging
from app.core.processes import end_with_parent, wait_at_gate
from app.core.settings import Settings, read_settings

cli = typer.Typer(
    name="pulseboard",
    help="A real-time, collaborative dashboard for the health of services and websites.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
user = typer.Typer(help="Accounts.", no_args_is_help=True)
cli.add_typer(user, name="user")


def main() -> None:
    """Run a command; what it can't do is said in one line: exit code 2 when it can't start, 1 when it is refused."""
    try:
        cli()
    except PulseboardError as error:
        sys.stderr.write(f"pulseboard: {error.message}\n")
        sys.exit(2 if isinstance(error, StartError) else 1)


@cli.command()
def serve() -> None:
    """Run everything on this machine: the database, the web process and the workers."""
    settings = _start("supervisor")
    from app.runtime.serve import serve

    raise typer.Exit(serve(settings))


@cli.command()
def demo() -> None:
    """Run everything with a demo team and a few local services that behave well and badly."""
    settings = _start("supervisor")
    if not {"PULSEBOARD_DATA_DIR", "PULSEBOARD_DATA_DIR_FILE"} & set(os.environ):
        settings = settings.model_copy(update={"data_dir": Path("data") / "demo"})
    from app.runtime.serve import serve

    raise typer.Exit(serve(settings, demo=True))


@cli.command()
def web() -> None:
    """Run one web process. It needs DATABASE_URL, or a running `pulseboard serve` on the same data folder."""
    settings = _start("web")
    from app.main import run_web

    wait_at_gate()
    run_web(settings)


@cli.command()
def worker() -> None:
    """Run one worker. It needs DATABASE_URL, or a running `pulseboard serve` on the same data folder."""
    settings = _start("worker")
    from app.runtime.worker import run_worker

    wait_at_gate()
    run_worker(settings)


@cli.command()
def migrate() -> None:
    """Bring the database's schema to this version."""
    settings = _start("migrate")
    from app.runtime.commands import migrate

    migrate(settings)
    typer.echo("The schema is up to date.")


@cli.command(hidden=True)
def prepare() -> None:
    """What `serve` does before it starts the web process."""
    settings = _start("prepare")
    from app.runtime.commands import prepare

    _say(prepare(settings))


@cli.command(hidden=True)
def seed_demo() -> None:
    """What `demo` does instead."""
    settings = _start("seed-demo")
    from app.runtime.commands import seed
    from app.runtime.serve import ZOO_PORT

    _say(seed(settings, ZOO_PORT))


@user.command("create")
def create_user(
    email: Annotated[str, typer.Option(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="The name that others see.")],
    role: Annotated[str, typer.Option(help="admin, developer or viewer.")] = "viewer",
    team: Annotated[str, typer.Option(help="The team to join; made when there is none of that name.")] = "Main",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
) -> None:
    """Make an account. Without --password-stdin it asks for the password."""
    settings = _start("user")
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    from app.runtime.commands import add_user

    values = {"email": email, "name": name, "role": role.lower(), "team": team, "password": password}
    typer.echo(f"Made the account {add_user(settings, values)}.")


@cli.command()
def version() -> None:
    """Print the version."""
    try:
        typer.echo(metadata.version("pulseboard"))
    except metadata.PackageNotFoundError:
        raise StartError("Pulseboard is not installed here. Run make run first.") from None


def _start(process: str) -> Settings:
    settings = read_settings()
    set_up_logging(process, settings.log_level)
    from app.runtime.serve import SUPERVISOR_PID

    if sys.platform != "linux" and (parent := os.environ.get(SUPERVISOR_PID)):
        end_with_parent(int(parent))
    return settings


def _say(line: str) -> None:
    if line:
        typer.echo(line)


if __name__ == "__main__":
    main()
