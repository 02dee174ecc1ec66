"""Answers of the guard, without NiceGUI: small, the same for everybody, cheap to make."""

from urllib.parse import quote

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from app.web.origin import header
from app.web.templates import message_page


def wants_html(scope: Scope) -> bool:
    """Whether somebody looks at the answer, rather than a script."""
    mode = header(scope, b"sec-fetch-mode")
    return mode == "navigate" or (not mode and "text/html" in header(scope, b"accept"))


def to_login(scope: Scope) -> Response:
    """The sign-in page for people, which leads back here afterwards; 401 for scripts."""
    if not wants_html(scope):
        return refusal(401, "Sign in first.")
    query = scope["query_string"].decode("latin-1")
    target = scope["path"] + (f"?{query}" if query else "")
    address = "/login" if target == "/" else f"/login?next={quote(target, safe='/')}"
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def not_found(scope: Scope) -> Response:
    if not wants_html(scope):
        return refusal(404, "There is nothing at this address.")
    return message_page(404, "Page not found", "There is nothing at this address. It may have been deleted or renamed.")


def wrong_method() -> Response:
    return refusal(405, "This address can't be used this way.")


def foreign_origin() -> Response:
    return refusal(403, "This request came from another site and was refused.")


def foreign_client() -> Response:
    return refusal(403, "This page belongs to somebody else.")


def database_away(scope: Scope) -> Response:
    words = "The database doesn't answer. Try again in a few seconds."
    answer = message_page(503, "Back in a moment", words) if wants_html(scope) else refusal(503, words)
    answer.headers["Retry-After"] = "5"
    return answer


def refusal(status: int, message: str) -> Response:
    """The shape of every refusal of the product: see app.api.errors."""
    return JSONResponse({"message": message, "fields": {}}, status)
