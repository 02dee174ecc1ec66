"""The master key and the sealing of secrets, on real files."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from app.core.crypto import Sealer, load_or_create_key, signing_key
from app.core.errors import SealError, StartError

MASTER = b"m" * 32
CONTEXT = "channel:team=3"


@pytest.mark.parametrize("value", ["", "https://hooks.example/T/B/x", "ключ", "nul \x00 and half \ud800"])
def test_a_sealed_value_comes_back(value: str) -> None:
    sealer = Sealer(MASTER)
    assert sealer.open(sealer.seal(value, CONTEXT), CONTEXT) == value


def test_a_sealed_text_shows_neither_value_nor_context() -> None:
    sealed = Sealer(MASTER).seal("canary-value", CONTEXT)
    assert "canary" not in sealed
    assert b"canary" not in base64.urlsafe_b64decode(sealed)
    assert b"team=3" not in base64.urlsafe_b64decode(sealed)


def test_the_same_value_is_sealed_differently_each_time() -> None:
    sealer = Sealer(MASTER)
    assert sealer.seal("x", CONTEXT) != sealer.seal("x", CONTEXT)


def test_a_sealed_text_moved_to_another_context_is_refused() -> None:
    sealer = Sealer(MASTER)
    with pytest.raises(SealError, match="another place"):
        sealer.open(sealer.seal("x", "channel:team=3"), "channel:team=4")


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SealError):
        Sealer(b"n" * 32).open(Sealer(MASTER).seal("x", CONTEXT), CONTEXT)


def test_a_previous_key_still_opens_but_no_longer_seals() -> None:
    old, rotated = Sealer(b"n" * 32), Sealer(MASTER, b"n" * 32)
    assert rotated.open(old.seal("x", CONTEXT), CONTEXT) == "x"
    with pytest.raises(SealError):
        old.open(rotated.seal("x", CONTEXT), CONTEXT)


@pytest.mark.parametrize("damaged", ["", "x", "not base64 é", "\ud800", "gAAAAA" + "A" * 200])
def test_a_damaged_text_is_a_seal_error(damaged: str) -> None:
    with pytest.raises(SealError):
        Sealer(MASTER).open(damaged, CONTEXT)


def test_a_changed_byte_is_noticed() -> None:
    sealed = Sealer(MASTER).seal("value", CONTEXT)
    flipped = sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:]
    with pytest.raises(SealError):
        Sealer(MASTER).open(flipped, CONTEXT)


def test_the_signing_key_is_another_than_the_sealing_key() -> None:
    key = signing_key(MASTER)
    assert len(key) == 32
    assert key == signing_key(MASTER)
    assert key != MASTER
    with pytest.raises(InvalidToken):
        Fernet(base64.urlsafe_b64encode(key)).decrypt(Sealer(MASTER).seal("x", CONTEXT))


def test_the_key_file_is_made_once_private_and_leaves_no_draft(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    key = load_or_create_key(folder)
    assert len(key) >= 32
    assert load_or_create_key(folder) == key
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["secret.key"]


def test_a_generous_umask_does_not_open_the_key_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_create_key(tmp_path / "data")
    finally:
        os.umask(before)
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_starters_at_the_same_time_agree_on_one_key(tmp_path: Path) -> None:
    for turn in range(20):
        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(load_or_create_key, [tmp_path / str(turn)] * 8))
        assert len(keys) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_can_read_is_refused_with_its_mend(tmp_path: Path, mode: int) -> None:
    load_or_create_key(tmp_path)
    (tmp_path / "secret.key").chmod(mode)
    with pytest.raises(StartError, match="chmod 600"):
        load_or_create_key(tmp_path)


@pytest.mark.parametrize("content", ["", "short", "x" * 31 + "\n"])
def test_a_short_key_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(StartError, match="32 or more"):
        load_or_create_key(tmp_path)
    assert path.read_text() == content


def test_a_folder_that_cannot_hold_the_key_is_a_start_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StartError, match="PULSEBOARD_SECRET_KEY"):
        load_or_create_key(tmp_path / "file")


def test_a_configured_key_wins_and_makes_no_file(tmp_path: Path) -> None:
    assert load_or_create_key(tmp_path, SecretStr("k" * 40)) == b"k" * 40
    assert list(tmp_path.iterdir()) == []


def test_the_key_moved_from_its_file_to_the_setting_opens_the_same_secrets(tmp_path: Path) -> None:
    sealed = Sealer(load_or_create_key(tmp_path)).seal("x", CONTEXT)
    moved = SecretStr((tmp_path / "secret.key").read_text())
    assert Sealer(load_or_create_key(tmp_path, moved)).open(sealed, CONTEXT) == "x"


def test_a_short_configured_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="PULSEBOARD_SECRET_KEY") as caught:
        load_or_create_key(tmp_path, SecretStr("too-short-canary"))
    assert "canary" not in str(caught.value)
