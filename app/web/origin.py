"""Whether a request was made by a page of ours."""

from urllib.parse import urlsplit

from starlette.types import Scope

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def header(scope: Scope, name: bytes) -> str:
    """The first header of that lower-case name, or an empty text."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def is_same_origin(scope: Scope, *, secure: bool) -> bool:
    """Whether browser and server agree that a page of this very host made the request.

    A websocket must name its origin. Another request that could change something must bring an Origin or a
    Sec-Fetch-Site header, as every browser's does; one that can't may bring neither, but no wrong one either.
    """
    origin, site = header(scope, b"origin"), header(scope, b"sec-fetch-site")
    if origin and not _is_ours(origin, header(scope, b"host"), secure=secure):
        return False
    if scope["type"] == "websocket":
        return bool(origin)
    if scope["method"] in SAFE_METHODS:
        return site in {"", "same-origin", "none"}
    return site == "same-origin" or (not site and bool(origin))


def _is_ours(origin: str, host: str, *, secure: bool) -> bool:
    # A proxy that ends TLS may leave us to see http where the browser sees https; never the other way round.
    try:
        parsed = urlsplit(origin)
    except ValueError:
        return False
    schemes = {"https"} if secure else {"http", "https"}
    return bool(host) and parsed.scheme in schemes and parsed.netloc.lower() == host.lower()


def safe_next(target: str) -> str:
    """`target` when it is a path of ours to go on to after signing in, else "/"."""
    if not target.startswith("/") or target.startswith("//"):
        return "/"
    if "\\" in target or any(ord(character) < 0x21 or ord(character) == 0x7F for character in target):
        return "/"
    return "/" if target.split("?", maxsplit=1)[0] in {"/login", "/logout", "/setup"} else target
