"""The API's own documentation: Swagger UI from a package, so that the page asks no other host."""

from pathlib import Path

import fastapi_swagger
from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from app.core.errors import NotFound

router = APIRouter(include_in_schema=False)

_FILES = Path(fastapi_swagger.__file__).parent / "resources"
_SERVED = {"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pulseboard API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="icon" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
# No validator badge: it would send the document's address to another host.
_START = 'SwaggerUIBundle({ url: "/api/openapi.json", dom_id: "#docs", validatorUrl: null });\n'


@router.get("/api/docs")
async def page() -> HTMLResponse:
    return HTMLResponse(_PAGE)


@router.get("/api/docs/start.js")
async def start() -> PlainTextResponse:
    return PlainTextResponse(_START, media_type="text/javascript")


@router.get("/api/docs/{name}")
async def file(name: str) -> Response:
    if name not in _SERVED:
        raise NotFound("There is no such file.")
    return FileResponse(_FILES / name)
