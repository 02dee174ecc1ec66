"""Passwords: nothing is cut off, nobody's existence is told, hashing never runs without bound."""

import asyncio
import base64
import unicodedata
from collections.abc import Iterator

import bcrypt
import pytest

from app.core.errors import Invalid, RateLimited
from app.usecases.passwords import MAX_LENGTH, MIN_LENGTH, Passwords, check_length

FAST = 4


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(b"pepper", FAST)
    yield made
    made.close()


@pytest.mark.parametrize("length", [71, 72, 73, 500, MAX_LENGTH - 1])
async def test_what_comes_after_72_bytes_counts(passwords: Passwords, length: int) -> None:
    hashed = await passwords.hash("a" * length + "b")
    assert await passwords.verify("a" * length + "b", hashed)
    assert not await passwords.verify("a" * length + "c", hashed)
    assert not await passwords.verify("a" * length, hashed)


async def test_forty_emoji_are_a_password(passwords: Passwords) -> None:
    hashed = await passwords.hash("🔥" * 40)
    assert await passwords.verify("🔥" * 40, hashed)
    assert not await passwords.verify("🔥" * 39 + "🧯", hashed)


async def test_composed_and_decomposed_letters_are_the_same_password(passwords: Passwords) -> None:
    text = "Grüße aus Šiauliai"
    hashed = await passwords.hash(unicodedata.normalize("NFD", text))
    assert await passwords.verify(unicodedata.normalize("NFC", text), hashed)


@pytest.mark.parametrize("password", ["", "\x00" * 20, "\ud800" * 20, "x" * 100_000])
async def test_an_odd_password_is_wrong_rather_than_an_error(passwords: Passwords, password: str) -> None:
    hashed = await passwords.hash("correct horse battery")
    assert not await passwords.verify(password, hashed)
    assert not await passwords.verify(password, None)


async def test_a_stolen_hash_is_worthless_without_the_pepper(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse battery")
    other = Passwords(b"another pepper", FAST)
    assert not await other.verify("correct horse battery", hashed)
    other.close()


@pytest.mark.parametrize("stored", ["!", "", "$1$abc$def"])
async def test_nothing_fits_a_hash_that_is_none_of_ours(passwords: Passwords, stored: str) -> None:
    assert not await passwords.verify("correct horse battery", stored)


async def test_an_unknown_user_costs_a_whole_hash(passwords: Passwords) -> None:
    """Nobody's hash is compared at the full cost, and even a password that fits it opens nothing."""
    real = Passwords(b"pepper").__dict__["_nobody"]
    assert real.startswith(b"$2b$12$")
    assert bcrypt.checkpw(base64.b64encode(b"anything"), real) is False
    assert not await passwords.verify("anything", None)


async def test_new_hashes_have_the_present_cost_and_older_ones_are_weak(passwords: Passwords) -> None:
    hashed = await passwords.hash("correct horse battery")
    stronger = Passwords(b"pepper", FAST + 1)
    assert hashed.startswith(f"$2b${FAST:02}$")
    assert stronger.is_weak(hashed)
    assert not passwords.is_weak(hashed)
    stronger.close()


async def test_more_work_than_can_wait_is_refused() -> None:
    slow = Passwords(b"pepper", 10)
    answers = await asyncio.gather(*(slow.verify("x" * 20, None) for _ in range(40)), return_exceptions=True)
    assert [type(answer) for answer in answers].count(RateLimited) == 40 - 34
    assert await slow.verify("x" * 20, None) is False
    slow.close()


@pytest.mark.parametrize("length", [0, 1, MIN_LENGTH - 1, MAX_LENGTH + 1])
def test_a_refused_length_is_named_with_the_mend(length: int) -> None:
    with pytest.raises(Invalid) as refused:
        check_length("x" * length)
    assert f"{length:,}" in refused.value.fields["password"]


@pytest.mark.parametrize("length", [MIN_LENGTH, 64, MAX_LENGTH])
def test_any_characters_will_do_when_there_are_enough(length: int) -> None:
    check_length(" " * length)
