"""Signing in: one answer for every failure, and an end to guessing."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlmodel import delete, select, update

from app.core import clock
from app.core.errors import RateLimited, Unauthenticated
from app.db.session import Database
from app.usecases import accounts
from app.usecases.passwords import Passwords
from app.usecases.sign_in import Attempt, AttemptLimits, SignIn, limit_keys
from app.usecases.tokens import Audience, Tokens
from models import AuthSession, Membership, User

GOOD = Attempt("ada@example.com", "correct horse battery", "192.0.2.1")
TOKENS = Tokens(b"k" * 32)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(b"pepper", cost=4)
    yield made
    made.close()


@pytest.fixture
async def sign_in(database: Database, passwords: Passwords) -> SignIn:
    form = {"name": "Ada", "email": GOOD.email, "password": GOOD.password, "team": "Ops", "role": "viewer"}
    async with database.transaction() as session:
        await accounts.create_user(session, passwords, accounts.new_user(form))
    return SignIn(database, passwords, TOKENS)


@pytest.mark.parametrize("email", [GOOD.email, " ADA@example.com "])
async def test_the_right_password_opens_a_session(database: Database, sign_in: SignIn, email: str) -> None:
    signed_in = await sign_in(replace(GOOD, email=email), Audience.WEB)
    claims = TOKENS.read(signed_in.token, Audience.WEB)
    async with database.transaction() as session:
        opened = await session.get_one(AuthSession, claims.session_id)
    assert opened.user_id == signed_in.user_id == claims.user_id


@pytest.mark.parametrize("why", ["wrong password", "unknown", "disabled", "in no team", "no fitting hash"])
async def test_every_failure_gets_the_same_words(database: Database, sign_in: SignIn, why: str) -> None:
    attempt = GOOD
    if why == "wrong password":
        attempt = replace(GOOD, password="wrong horse battery")
    if why == "unknown":
        attempt = replace(GOOD, email="bob@example.com")
    async with database.transaction() as session:
        if why == "disabled":
            await session.exec(update(User).values(disabled_at=clock.now()))
        if why == "in no team":
            await session.exec(delete(Membership))
        if why == "no fitting hash":
            await session.exec(update(User).values(password_hash="!"))
    with pytest.raises(Unauthenticated) as refused:
        await sign_in(attempt, Audience.WEB)
    assert refused.value.message == "The address or the password is wrong."


@pytest.mark.parametrize("email", ["", "\x00", "\ud800@x", "a" * 10_000])
async def test_an_odd_address_is_wrong_rather_than_an_error(sign_in: SignIn, email: str) -> None:
    with pytest.raises(Unauthenticated):
        await sign_in(replace(GOOD, email=email), Audience.WEB)


async def test_guessing_ends_even_with_the_right_password_but_only_for_the_guesser(sign_in: SignIn) -> None:
    for n in range(10):
        with pytest.raises(Unauthenticated):
            await sign_in(replace(GOOD, password=f"wrong horse battery {n}"), Audience.WEB)
    with pytest.raises(RateLimited) as refused:
        await sign_in(replace(GOOD, email=" ADA@EXAMPLE.COM"), Audience.API)
    assert 0 < refused.value.retry_after <= 361
    await sign_in(replace(GOOD, address="192.0.2.2"), Audience.WEB)


async def test_signing_in_rightly_uses_nothing_up(sign_in: SignIn) -> None:
    for _ in range(12):
        await sign_in(GOOD, Audience.WEB)


async def test_a_hash_of_an_older_cost_is_renewed(database: Database, sign_in: SignIn) -> None:
    stronger = Passwords(b"pepper", cost=5)
    await SignIn(database, stronger, TOKENS)(GOOD, Audience.WEB)
    async with database.transaction() as session:
        hashed = (await session.exec(select(User.password_hash))).one()
    assert hashed.startswith("$2b$05$")
    assert await stronger.verify(GOOD.password, hashed)
    stronger.close()


def test_used_up_attempts_come_back_with_time() -> None:
    limits, keys = AttemptLimits(), limit_keys("ada@example.com", "192.0.2.1")
    for _ in range(10):
        limits.take(keys, 0.0)
    with pytest.raises(RateLimited):
        limits.take(keys, 359.0)
    limits.take(keys, 361.0)


@pytest.mark.parametrize("mine", ["2001:db8:1:2::1", "::ffff:192.0.2.1"])
def test_a_guesser_with_many_addresses_of_one_network_is_one(mine: str) -> None:
    other = {"2001:db8:1:2::1": "2001:db8:1:2:ffff::9", "::ffff:192.0.2.1": "192.0.2.1"}[mine]
    assert limit_keys("a@example.com", mine) == limit_keys("a@example.com", other)
    assert limit_keys("a@example.com", mine) != limit_keys("a@example.com", "2001:db8:1:3::1")


def test_memory_of_attempts_has_an_end() -> None:
    limits = AttemptLimits()
    for n in range(10_000):
        limits.take(limit_keys(f"{n}@example.com", f"198.51.{n // 250}.{n % 250}"), float(n))
    assert len(limits.__dict__["_buckets"]) == 20_000
