"""Setup, sign-in and sign-out: plain HTML forms that work without a script."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from app.core.errors import Conflict, Forbidden, Invalid, RateLimited, Unauthenticated
from app.db.session import DATABASE_AWAY
from app.usecases import accounts
from app.usecases.context import Context
from app.usecases.passwords import MIN_LENGTH
from app.usecases.sign_in import Attempt, SignedIn
from app.usecases.tokens import Audience
from app.web import cookies, plain
from app.web.origin import safe_next
from app.web.sessions import Sessions
from app.web.templates import FOLDER, message_page, page, stylesheet

Endpoint = Callable[[Request], Awaitable[Response]]

_MAX_BODY = 16_384
_MAX_FIELDS = 20
_SETUP_FIELDS = ("name", "email", "password", "team")
_PASSWORD_HINT = f"{MIN_LENGTH} characters or more. A sentence of a few words is easy to remember."


@dataclass(frozen=True, slots=True)
class Forms:
    """The routes of people who aren't signed in yet."""

    context: Context
    sessions: Sessions

    def routes(self) -> list[Route]:
        return [
            Route("/login", _when_away(self._login_page), methods=["GET"]),
            Route("/login", _when_away(self._login), methods=["POST"]),
            Route("/logout", _when_away(self._logout), methods=["POST"]),
            Route("/setup", _when_away(self._setup_page), methods=["GET"]),
            Route("/setup", _when_away(self._setup), methods=["POST"]),
            Route("/assets/auth.css", self._stylesheet, methods=["GET"]),
            Route("/assets/favicon.svg", self._icon, methods=["GET"]),
        ]

    async def _login_page(self, request: Request) -> Response:
        target = safe_next(request.query_params.get("next", "/"))
        try:
            await self.sessions.from_cookie(cookies.session_token(request.scope, self.context.settings))
        except Unauthenticated:
            return await self._ask_to_sign_in(target)
        return RedirectResponse(target, 303)

    async def _ask_to_sign_in(self, target: str) -> Response:
        async with self.context.database.transaction() as session:
            unfinished = await accounts.needs_setup(session)
        if unfinished:
            words = "Pulseboard has no account yet. Open the setup link that it printed when it started."
            return message_page(200, "Set up Pulseboard", words, onward=False)
        return _login_form(200, {"next": target})

    async def _login(self, request: Request) -> Response:
        values = await _form(request)
        attempt = Attempt(values.get("email", ""), values.get("password", ""), _peer(request))
        try:
            signed_in = await self.context.sign_in(attempt, Audience.WEB)
        except (Unauthenticated, RateLimited) as error:
            return _login_form(error.status_code, values, error)
        await self._revoke(request)
        return self._enter(request, signed_in, safe_next(values.get("next", "/")))

    async def _logout(self, request: Request) -> Response:
        await self._revoke(request)
        response = RedirectResponse("/login", 303)
        cookies.clear_session(response, request, self.context.settings)
        return response

    async def _setup_page(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        try:
            async with self.context.database.transaction() as session:
                await accounts.check_setup_token(session, token)
        except Conflict:
            return RedirectResponse("/login", 303)
        except Forbidden as error:
            return message_page(403, "Set up Pulseboard", error.message, onward=False)
        return _setup_form(200, {"token": token})

    async def _setup(self, request: Request) -> Response:
        values = await _form(request)
        token = values.get("token", "")
        chosen = {name: values.get(name, "") for name in _SETUP_FIELDS}
        try:
            async with self.context.database.transaction() as session:
                await accounts.complete_setup(session, self.context.passwords, token, chosen)
        except Invalid as error:
            return _setup_form(error.status_code, values, error.fields)
        except (Conflict, Forbidden) as error:
            return message_page(error.status_code, "Set up Pulseboard", error.message)
        attempt = Attempt(chosen["email"], chosen["password"], _peer(request))
        return self._enter(request, await self.context.sign_in(attempt, Audience.WEB), "/")

    def _enter(self, request: Request, signed_in: SignedIn, target: str) -> Response:
        response = RedirectResponse(target, 303)
        cookies.set_session(response, request, self.context.settings, signed_in.token, signed_in.claims.expires_at)
        return response

    async def _revoke(self, request: Request) -> None:
        try:
            token = cookies.session_token(request.scope, self.context.settings)
            claims = self.context.tokens.read(token, Audience.WEB)
        except Unauthenticated:
            return
        async with self.context.database.transaction() as session:
            await accounts.revoke_session(session, claims.session_id)
        self.sessions.forget(claims.user_id)

    async def _stylesheet(self, _: Request) -> Response:
        return Response(stylesheet(), media_type="text/css", headers={"Cache-Control": "no-cache"})

    async def _icon(self, _: Request) -> Response:
        return FileResponse(FOLDER / "static" / "favicon.svg", media_type="image/svg+xml")


def _when_away(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except DATABASE_AWAY:
            return plain.database_away(request.scope)

    return answer


def _login_form(status: int, values: dict[str, str], error: Unauthenticated | RateLimited | None = None) -> Response:
    response = page(
        "login",
        status,
        title="Sign in",
        message=error.message if error else "",
        next=safe_next(values.get("next", "/")),
        values=values,
        errors={},
    )
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _setup_form(status: int, values: dict[str, str], errors: dict[str, str] | None = None) -> Response:
    return page(
        "setup",
        status,
        title="Set up Pulseboard",
        message=(errors or {}).get("", ""),
        token=values.get("token", ""),
        values=values,
        errors=errors or {},
        focus=next((name for name in _SETUP_FIELDS if name in (errors or {})), _SETUP_FIELDS[0]),
        password_hint=_PASSWORD_HINT,
    )


async def _form(request: Request) -> dict[str, str]:
    """The fields of a posted form, the first of each name; empty when it is too long or no form."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        return {}
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            return {}
    try:
        pairs = parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""
