"""The cookie that carries a session's token, and whether a request came over TLS."""

from datetime import datetime

from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from app.core import clock
from app.core.settings import Settings

NAME = "pulseboard"
SECURE_NAME = "__Host-pulseboard"


def is_secure(scope: Scope, settings: Settings) -> bool:
    """Whether the browser speaks TLS: to us, or to a proxy that the base URL tells of."""
    return scope["scheme"] in {"https", "wss"} or settings.public_url.startswith("https://")


def session_token(scope: Scope, settings: Settings) -> str:
    """The token in the request's cookie, or an empty text. Over TLS only the protected cookie counts."""
    name = SECURE_NAME if is_secure(scope, settings) else NAME
    for key, value in scope["headers"]:
        if key == b"cookie":
            found = cookie_parser(value.decode("latin-1")).get(name)
            if found:
                return found
    return ""


def set_session(response: Response, request: HTTPConnection, settings: Settings, token: str, until: datetime) -> None:
    """Keep the token in the browser until the session ends."""
    secure = is_secure(request.scope, settings)
    response.set_cookie(
        SECURE_NAME if secure else NAME,
        token,
        max_age=max(0, int((until - clock.now()).total_seconds())),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def clear_session(response: Response, request: HTTPConnection, settings: Settings) -> None:
    secure = is_secure(request.scope, settings)
    response.delete_cookie(SECURE_NAME if secure else NAME, path="/", secure=secure, httponly=True, samesite="lax")
