"""The master key, the keys made from it, and the sealing of secrets at rest.

A sealed text carries its context (such as "channel:team=3") inside, because Fernet has no associated data: whoever
can write to the database still can't move a sealed secret to another row.
"""

import base64
import json
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from app.core.errors import SealError, StartError

MIN_KEY_BYTES = 32
_KEY_FILE = "secret.key"


class Sealer:
    """Seals with the key made from `master`; opens what that key or an older one in `previous` has sealed."""

    def __init__(self, master: bytes, *previous: bytes) -> None:
        self._fernet = MultiFernet(
            [Fernet(base64.urlsafe_b64encode(_derive(key, "sealing"))) for key in (master, *previous)]
        )

    def seal(self, value: str, context: str) -> str:
        return self._fernet.encrypt(json.dumps([context, value]).encode()).decode()

    def open(self, sealed: str, context: str) -> str:
        """The value that was sealed for this context; raises SealError for another key, another context or damage."""
        try:
            plaintext = self._fernet.decrypt(sealed.encode(errors="replace"))
        except InvalidToken:
            raise SealError() from None
        sealed_for, value = json.loads(plaintext)
        if sealed_for != context:
            raise SealError("A stored secret was sealed for another place. Enter it again.")
        return str(value)


def signing_key(master: bytes) -> bytes:
    """32 bytes that sign the tokens of sessions."""
    return _derive(master, "token signing")


def pepper(master: bytes) -> bytes:
    """32 bytes that passwords are keyed with before they are hashed."""
    return _derive(master, "password pepper")


def load_or_create_key(data_dir: Path, configured: SecretStr | None = None) -> bytes:
    """The master key: the configured one, else that of <data_dir>/secret.key, which is made when missing.

    Raises StartError when the key is short, its file can be read by other users, or the folder can't be written.
    """
    if configured is not None:
        return _long_enough(configured.get_secret_value(), "PULSEBOARD_SECRET_KEY")
    path = data_dir / _KEY_FILE
    try:
        if not path.exists():
            _create(path)
        return _long_enough(_read_private(path), str(path))
    except OSError as error:
        raise StartError(
            f"Can't use the key file {path} ({error.strerror}). "
            "Make the folder writable for this user, or set PULSEBOARD_SECRET_KEY."
        ) from None


def _create(path: Path) -> None:
    # Linked into place only when complete: whoever starts at the same time, or after a crash, sees a whole key or none.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{_KEY_FILE}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(MIN_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _read_private(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & 0o077:
            raise StartError(f"Other users can read {path} (mode {mode & 0o777:03o}). Run: chmod 600 {path}")
        return file.read()


def _long_enough(text: str, where: str) -> bytes:
    key = text.strip().encode()
    if len(key) < MIN_KEY_BYTES:
        raise StartError(
            f"The key in {where} has {len(key)} bytes; {MIN_KEY_BYTES} or more are needed. Restore it from a backup, "
            "or put a new one there (openssl rand -hex 32): secrets sealed with the old one must then be entered again."
        )
    return key


def _derive(master: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=f"pulseboard {purpose} v1".encode()).derive(master)
