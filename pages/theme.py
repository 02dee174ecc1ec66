"""The stylesheet (tokens of the palette and pages/static/css), the shared browser modules, and defaults of elements."""

from hashlib import sha256
from pathlib import Path

from fastapi import Request, Response
from nicegui import __version__ as nicegui_version
from nicegui import app as nicegui_app
from nicegui import ui
from nicegui.dependencies import esm_modules, register_esm

from app.core import palette

STYLESHEET = "/assets/pulseboard.css"

_STATIC = Path(__file__).parent / "static"
_QUASAR_ROLES = {
    "primary": "accent-fill",
    "secondary": "accent",
    "accent": "accent",
    "dark": "surface",
    "dark_page": "bg",
    "positive": "up",
    "negative": "danger-fill",
    "info": "maintenance",
    "warning": "degraded",
}
_A_YEAR = "public, max-age=31536000, immutable"


def register() -> None:
    """Serve the stylesheet and link it on every page; call once, before NiceGUI starts."""
    sheet = stylesheet()
    version = sha256(sheet.encode()).hexdigest()[:16]

    def serve(request: Request) -> Response:
        tag = f'"{version}"'
        lasting = request.query_params.get("v") == version
        headers = {"ETag": tag, "Cache-Control": _A_YEAR if lasting else "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(sheet, media_type="text/css", headers=headers)

    nicegui_app.get(STYLESHEET, include_in_schema=False)(serve)
    ui.add_head_html(f'<link rel="stylesheet" href="{STYLESHEET}?v={version}">', shared=True)
    _share_modules(sorted((_STATIC / "esm").glob("*.js")))
    _set_defaults()


def stylesheet() -> str:
    """All of the CSS as one text: one request, and it blocks the first paint only once."""
    parts = [path.read_text(encoding="utf-8") for path in sorted((_STATIC / "css").glob("*.css"))]
    return "\n".join([token_rules(), *parts])


def token_rules() -> str:
    """The CSS variables of both themes; <html data-theme> chooses one, without it the browser does."""
    dark, light = _variables(dark=True), _variables(dark=False)
    return (
        f":root {{ {dark} }}\n"
        f"@media (prefers-color-scheme: light) {{ :root:not([data-theme=dark]) {{ {light} }} }}\n"
        f":root[data-theme=light] {{ {light} }}\n"
    )


def choose(theme: str) -> None:
    """Set the theme of the current page before its first paint."""
    if theme in {"dark", "light"}:
        ui.add_head_html(f'<script>document.documentElement.dataset.theme = "{theme}"</script>')


def _variables(*, dark: bool) -> str:
    scheme = "dark" if dark else "light"
    values = "; ".join(f"--{name}: {value}" for name, value in palette.tokens(dark=dark).items())
    return f"color-scheme: {scheme}; {values}"


def _share_modules(files: list[Path]) -> None:
    """Let components import "pulse/NAME.js"; the browser fetches all of them at once instead of one after the other."""
    register_esm("pulse", files[0].parent, max_time=max(file.stat().st_mtime for file in files))
    key = next(key for key, module in esm_modules.items() if module.name == "pulse")
    for file in files:
        address = f"/_nicegui/{nicegui_version}/esm/{key}/{file.name}"
        ui.add_head_html(f'<link rel="modulepreload" href="{address}">', shared=True)


def _set_defaults() -> None:
    nicegui_app.colors(**{role: f"var(--{token})" for role, token in _QUASAR_ROLES.items()})
    ui.button.default_props("unelevated no-caps")
    for element in (ui.input, ui.number, ui.select, ui.textarea):
        element.default_props("outlined dense hide-bottom-space")
    ui.table.default_props("flat dense")
    ui.tabs.default_props("no-caps inline-label align=left")
