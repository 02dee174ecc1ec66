"""Tokens of sessions: JWT, signed with HS256 and nothing else."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import jwt

from app.core import clock
from app.core.crypto import MIN_KEY_BYTES
from app.core.errors import StartError, Unauthenticated

ISSUER = "pulseboard"
LEEWAY_S = 30
_ALGORITHM = "HS256"
_REQUIRED = ["exp", "iat", "jti", "sub", "aud", "iss"]
_MAX_CHARACTERS = 2048


class Audience(StrEnum):
    """Where a token is good: a browser's cookie is refused by the API, and the other way round."""

    WEB = "web"
    API = "api"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says; whether its session still stands is the database's to know."""

    user_id: int
    session_id: str
    expires_at: datetime


class Tokens:
    """Makes and reads tokens; raises StartError for a key of less than 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise StartError(f"The signing key has {len(key)} bytes; {MIN_KEY_BYTES} or more are needed.")
        self._key = key

    def issue(self, claims: Claims, audience: Audience) -> str:
        payload = {
            "iss": ISSUER,
            "aud": audience.value,
            "sub": str(claims.user_id),
            "jti": claims.session_id,
            "iat": int(clock.now().timestamp()),
            "exp": int(claims.expires_at.timestamp()),
        }
        return jwt.encode(payload, self._key, algorithm=_ALGORITHM)

    def read(self, token: str, audience: Audience) -> Claims:
        """Raises Unauthenticated for every token that this key did not sign for this audience, and for expired ones."""
        if len(token) > _MAX_CHARACTERS:
            raise Unauthenticated()
        try:
            return self._read(token, audience)
        except Exception:  # whatever a hostile token breaks in a parser, it is no token of ours
            raise Unauthenticated() from None

    def _read(self, token: str, audience: Audience) -> Claims:
        payload = jwt.decode(
            token,
            self._key,
            algorithms=[_ALGORITHM],
            audience=audience.value,
            issuer=ISSUER,
            leeway=LEEWAY_S,
            options={"require": _REQUIRED, "strict_aud": True},
        )
        return Claims(int(payload["sub"]), str(payload["jti"]), datetime.fromtimestamp(payload["exp"], UTC))
