"""Security headers on every response, and the one answer to an error that nobody foresaw."""

import secrets

from loguru import logger
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.settings import Settings
from app.web.cookies import is_secure
from app.web.plain import wants_html
from app.web.templates import message_page

_COMMON = {
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with it browsers send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PLAIN_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_DOCS = "/api/docs"
_DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Vue compiles its templates in the browser, which takes 'unsafe-eval'.
_PAGE_CSP = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HSTS = "max-age=31536000"


class SecurityHeaders:
    """Outermost of our own middlewares; only compression stays outside, since a page's scripts get a nonce here."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        csp = _DOCS_CSP if scope["path"].startswith(_DOCS) else _PLAIN_CSP
        response = _Response(send, csp, secure=is_secure(scope, self._settings))
        try:
            await self.app(scope, receive, response.send)
        except Exception:
            reference = secrets.token_hex(4)
            logger.bind(path=scope["path"], reference=reference).exception("A request failed")
            if response.started:
                raise
            await _fault(scope, reference)(scope, receive, response.send)


class _Response:
    """One response on its way out. The body of a page is held until it is whole."""

    def __init__(self, send: Send, csp: str, *, secure: bool) -> None:
        self.started = False
        self._send = send
        self._csp = csp
        self._secure = secure
        self._page_start: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._add_headers(MutableHeaders(scope=message))
            if "x-nicegui-content" in MutableHeaders(scope=message):
                self._page_start = message
                return
        elif self._page_start is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_page(self._page_start)
            return
        await self._send(message)

    def _add_headers(self, headers: MutableHeaders) -> None:
        for name, value in _COMMON.items():
            headers.setdefault(name, value)
        headers.setdefault("Content-Security-Policy", self._csp)
        if headers.get("content-type", "").startswith("text/html"):
            headers.setdefault("Cache-Control", "no-store")
        if self._secure:
            headers["Strict-Transport-Security"] = _HSTS

    async def _send_page(self, start: Message) -> None:
        nonce = secrets.token_urlsafe(16)
        body = bytes(self._body).replace(b"<script", f'<script nonce="{nonce}"'.encode())
        headers = MutableHeaders(scope=start)
        headers["Content-Security-Policy"] = _PAGE_CSP.format(nonce=nonce)
        headers["Content-Length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _fault(scope: Scope, reference: str) -> Response:
    words = f"Something went wrong on our side. If it happens again, tell an admin this reference: {reference}."
    if wants_html(scope):
        return message_page(500, "Something went wrong", words)
    return JSONResponse({"message": words, "fields": {}}, 500)
