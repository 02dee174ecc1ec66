"""The guard at the door: nothing but the public addresses is reached without a session, by HTTP or by websocket.

It denies by default: an address must be on a short list to be open, and must exist to be passed on. NiceGUI would
keep a page in memory for each address that it doesn't know.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from nicegui import Client
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.errors import Unauthenticated
from app.db.session import DATABASE_AWAY
from app.usecases.actor import Actor
from app.usecases.context import Context
from app.web import cookies, plain
from app.web.origin import is_same_origin
from app.web.sessions import Sessions
from app.web.sockets import is_owner

PUBLIC = frozenset({"/login", "/logout", "/setup", "/assets/auth.css", "/assets/favicon.svg", "/favicon.ico"})
# These know their callers themselves, by bearer token or not at all; they heed no cookie.
OWN_AUTHENTICATION = ("/api/", "/healthz", "/readyz", "/metrics")

_SOCKET = "/_nicegui_ws/"
_OF_CLIENT = "/_nicegui/client/"
_PER_USER = 100
_PER_ADDRESS = 20

Routes = Callable[[], Iterable[BaseRoute]]


class Guard:
    """Puts `context` and, behind a session, `actor` into the scope. `routes` are all that may be served."""

    def __init__(self, app: ASGIApp, context: Context, sessions: Sessions, routes: Routes) -> None:
        self.app = app
        self._context = context
        self._sessions = sessions
        self._routes = routes
        self._open_sockets: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        scope = {**scope, "headers": _without_prefix(scope), "context": self._context}
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await (await self._refusal(scope) or self.app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        """What to answer instead of passing the request on."""
        path = scope["path"]
        match = self._match(scope)
        if match is not Match.FULL:
            return plain.not_found(scope) if match is Match.NONE else plain.wrong_method()
        if path.startswith(OWN_AUTHENTICATION):
            return None
        if not self._is_same_origin(scope):
            return plain.foreign_origin()
        return None if path in PUBLIC else await self._refusal_of_person(scope)

    async def _refusal_of_person(self, scope: Scope) -> Response | None:
        try:
            actor = scope["actor"] = await self._actor(scope)
        except Unauthenticated:
            return plain.to_login(scope)
        except DATABASE_AWAY:
            return plain.database_away(scope)
        return None if _may_use_client(scope, actor) else plain.foreign_client()

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(_SOCKET) or not self._is_same_origin(scope):
            await _refuse(receive, send)
            return
        try:
            actor = scope["actor"] = await self._actor(scope)
        except Unauthenticated:
            # NiceGUI itself must refuse an unknown client: then the browser reloads, and gets the sign-in page.
            await self._serve_socket(_as_expired(scope), receive, send, _Cap(f"address {_peer(scope)}", _PER_ADDRESS))
            return
        except DATABASE_AWAY:
            await _refuse(receive, send)
            return
        if not _client_id(scope) or not _may_use_client(scope, actor):
            await _refuse(receive, send)
            return
        await self._serve_socket(scope, receive, send, _Cap(f"user {actor.user_id}", _PER_USER))

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send, cap: "_Cap") -> None:
        if self._open_sockets[cap.name] >= cap.limit:
            await _refuse(receive, send)
            return
        self._open_sockets[cap.name] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._open_sockets[cap.name] -= 1
            if not self._open_sockets[cap.name]:
                del self._open_sockets[cap.name]

    async def _actor(self, scope: Scope) -> Actor:
        return await self._sessions.from_cookie(cookies.session_token(scope, self._context.settings))

    def _match(self, scope: Scope) -> Match:
        """FULL for an address that exists, PARTIAL when it knows another method only."""
        return max((route.matches(scope)[0] for route in self._routes()), key=lambda match: match.value)

    def _is_same_origin(self, scope: Scope) -> bool:
        return is_same_origin(scope, secure=cookies.is_secure(scope, self._context.settings))


@dataclass(frozen=True, slots=True)
class _Cap:
    """How many sockets of that name may be open."""

    name: str
    limit: int


def _may_use_client(scope: Scope, actor: Actor) -> bool:
    """Whether the request names no page, one that is gone, or one made for this person."""
    client = Client.instances.get(_client_id(scope))
    return client is None or is_owner(client, actor)


def _client_id(scope: Scope) -> str:
    path = str(scope["path"])
    if path.startswith(_OF_CLIENT):
        return path.removeprefix(_OF_CLIENT).split("/", maxsplit=1)[0]
    if path.startswith(_SOCKET):
        query = str(scope["query_string"], "latin-1")
        return parse_qs(query).get("client_id", [""])[0]
    return ""


def _as_expired(scope: Scope) -> Scope:
    query = parse_qs(str(scope["query_string"], "latin-1"))
    query.pop("sid", None)
    return {**scope, "query_string": urlencode(query | {"client_id": ["expired"]}, doseq=True).encode()}


def _without_prefix(scope: Scope) -> list[tuple[bytes, bytes]]:
    # NiceGUI writes this header's value into its pages and redirects, whoever sent it.
    return [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-prefix"]


def _peer(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""


async def _refuse(receive: Receive, send: Send) -> None:
    """Answer a websocket's handshake with 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4403})
