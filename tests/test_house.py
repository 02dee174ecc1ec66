"""The rules of the house that no linter checks: sizes, and that no file names a package registry's host."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("app", "models", "probes", "notifiers", "pages", "migrations", "tests", "benchmarks")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_ARGUMENTS = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def is_generated(path: Path) -> bool:
    return path.parent == ROOT / "migrations" / "versions"


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def arguments(function: Function) -> int:
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([argument for argument in every if argument.arg not in {"self", "cls"}])


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_a_file_has_at_most_300_lines() -> None:
    kept = [path for path in sources() if not is_generated(path)]
    sizes = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in kept}
    assert sizes, "no source was found"
    assert {path: lines for path, lines in sizes.items() if lines > MAX_FILE_LINES} == {}


def test_a_function_has_at_most_40_lines() -> None:
    long = [
        f"{name(path)}:{function.lineno} {function.name}: {length(function)} lines"
        for path in sources()
        if not is_generated(path)
        for function in functions(path)
        if length(function) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_a_function_takes_at_most_five_arguments() -> None:
    wide = [
        f"{name(path)}:{function.lineno} {function.name}: {arguments(function)} arguments"
        for path in sources()
        if not path.is_relative_to(ROOT / "tests")  # a test asks for as many fixtures as it needs
        for function in functions(path)
        if arguments(function) > MAX_ARGUMENTS
    ]
    assert wide == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    # Written in pieces, so that this file does not name them either.
    hosts = [f"{host}.{end}" for host, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    hosts += [
        "deb." + "debian",
        "archive." + "ubuntu",
        "docker" + ".io",
        "ghcr" + ".io",
        "quay" + ".io",
        "index-" + "url =",
    ]
    found = [
        f"{path}: {host}"
        for path in tracked_files()
        for host in hosts
        if host in (ROOT / path).read_text(encoding="utf-8", errors="ignore")
    ]
    assert found == []


def tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]
