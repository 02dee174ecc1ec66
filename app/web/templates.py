"""The plain HTML pages: no NiceGUI, no script; every value is escaped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from app.core import palette

FOLDER = Path(__file__).parent
_environment = Environment(
    loader=FileSystemLoader(FOLDER / "html"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """html/<name>.html with these values."""
    return HTMLResponse(_environment.get_template(f"{name}.html").render(**values), status)


def message_page(status: int, title: str, text: str, *, onward: bool = True) -> HTMLResponse:
    """A page that only says something; `onward` adds a way to the overview."""
    return page("message", status, title=title, text=text, onward=onward)


def stylesheet() -> str:
    """The look of these pages, in the colours that the browser prefers."""
    rules = (FOLDER / "static" / "auth.css").read_text(encoding="utf-8")
    light = f"@media (prefers-color-scheme: light) {{ :root {{ {_variables(dark=False)} }} }}"
    return f":root {{ {_variables(dark=True)} }}\n{light}\n{rules}"


def _variables(*, dark: bool) -> str:
    values = "; ".join(f"--{name}: {value}" for name, value in palette.tokens(dark=dark).items())
    return f"color-scheme: {'dark' if dark else 'light'}; {values}"
