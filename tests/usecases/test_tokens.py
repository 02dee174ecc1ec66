"""Every token that we did not sign for the purpose at hand is refused, in one way."""

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from app.core import clock
from app.core.errors import StartError, Unauthenticated
from app.usecases.tokens import Audience, Claims, Tokens

# Long enough for every HMAC, so that only the choice of algorithms can refuse the others.
KEY = b"k" * 64
TOKENS = Tokens(KEY)


def _payload(**changes: Any) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    good = {"iss": "pulseboard", "aud": "web", "sub": "7", "jti": "abc", "iat": now, "exp": now + 600}
    return {name: value for name, value in (good | changes).items() if value is not None}


def _signed(headers: dict[str, Any] | None = None, key: bytes = KEY, **changes: Any) -> str:
    return jwt.encode(_payload(**changes), key, algorithm="HS256", headers=headers)


def _raw(header: Any, payload: Any, signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _hs384() -> str:
    text = _raw({"alg": "HS384", "typ": "JWT"}, _payload()).rpartition(".")[0]
    signature = base64.urlsafe_b64encode(hmac.digest(KEY, text.encode(), "sha384")).rstrip(b"=")
    return f"{text}.{signature.decode()}"


NOW = int(clock.now().timestamp())
HOSTILE = {
    "empty": "",
    "words": "not a token",
    "dots": "..",
    "four parts": _signed() + ".x",
    "not ascii": "é.ü.ß",
    "surrogate": "\ud800.a.b",
    "a megabyte": "a" * 1_000_000,
    "alg none": _raw({"alg": "none", "typ": "JWT"}, _payload()),
    "alg None": _raw({"alg": "None", "typ": "JWT"}, _payload()),
    "alg nOnE": _raw({"alg": "nOnE", "typ": "JWT"}, _payload()),
    "no alg": _raw({"typ": "JWT"}, _payload()),
    "alg a list": _raw({"alg": ["HS256"], "typ": "JWT"}, _payload()),
    "header a list": _raw([1], _payload()),
    "payload a list": _raw({"alg": "HS256"}, [1]),
    "no signature": _raw({"alg": "HS256", "typ": "JWT"}, _payload()),
    "HS384 with our key": _hs384(),
    "another key": _signed(key=b"j" * 32),
    "blank key": _signed(key=b" " * 32),
    "kid path": _signed(headers={"kid": "../../dev/null"}, key=b"\x00" * 32),
    "inline jwk": _signed(headers={"jwk": {"kty": "oct", "k": "ampq"}}, key=b"j" * 32),
    "jku": _signed(headers={"jku": "https://evil.example/keys"}, key=b"j" * 32),
    "crit": _signed(headers={"crit": ["exp2"], "exp2": 1}),
    "b64 false": _signed(headers={"b64": False, "crit": ["b64"]}),
    "tampered": ".".join([_signed().split(".")[0], _signed(sub="1").split(".")[1], _signed().split(".")[2]]),
    "expired": _signed(iat=NOW - 700, exp=NOW - 31),
    "issued tomorrow": _signed(iat=NOW + 86_400, exp=NOW + 90_000),
    "not yet": _signed(nbf=NOW + 3600),
    "exp in words": _signed(exp="tomorrow"),
    "exp without end": _signed(exp=10**30),
    "wrong issuer": _signed(iss="somebody"),
    "wrong audience": _signed(aud="api"),
    "audiences": _signed(aud=["web", "api"]),
    "sub in words": _signed(sub="admin"),
    "sub empty": _signed(sub=""),
    "jti a number": _raw({"alg": "HS256"}, _payload(jti=5)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_is_refused(name: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        TOKENS.read(HOSTILE[name], Audience.WEB)
    assert refused.value.message == "Sign in first."
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("claim", ["exp", "iat", "jti", "sub", "aud", "iss"])
def test_a_token_that_lacks_a_claim_is_refused(claim: str) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.read(jwt.encode(_payload(**{claim: None}), KEY, algorithm="HS256"), Audience.WEB)


def test_a_token_of_ours_says_what_was_put_in() -> None:
    claims = Claims(7, "abc", clock.now().replace(microsecond=0) + timedelta(hours=1))
    assert TOKENS.read(TOKENS.issue(claims, Audience.API), Audience.API) == claims


def test_a_clock_that_runs_half_a_minute_late_is_forgiven() -> None:
    now = int(clock.now().timestamp())
    assert TOKENS.read(_signed(iat=now - 700, exp=now - 10), Audience.WEB).user_id == 7


def test_a_short_key_stops_the_start() -> None:
    with pytest.raises(StartError):
        Tokens(b"k" * 31)
