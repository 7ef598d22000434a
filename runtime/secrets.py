"""Secrets at rest: sealed with a master key that is not in the database.

AES-256-GCM. What a secret belongs to is authenticated with it, so that a row's secret opens for that row
only. The id of the master key is kept beside it, so that keys can be replaced one secret after the other.
"""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

_KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"perdure.1:"
_WHERE = "PERDURE_MASTER_KEYS or the file PERDURE_MASTER_KEY_FILE"


class SecretsError(Exception):
    """A secret cannot be kept or read. The text names keys by their ids, never anything secret."""


class NoMasterKey(SecretsError):
    """No master key is configured, so no secret can be stored."""

    def __init__(self) -> None:
        super().__init__(f"no master key is configured: set {_WHERE}")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored."""

    data: bytes
    master_key_id: str


def new_master_key() -> str:
    """A random master key, in the form in which keys are configured."""
    return secrets.token_urlsafe(_KEY_BYTES)


class MasterKeys:
    """The keys of this process: the first one seals, all of them open.

    A file is read again when it has changed, so that a key may be added while processes run.
    """

    def __init__(self, configured: SecretStr | None = None, file: Path | None = None) -> None:
        """Read the keys.

        Args:
            configured: keys, newest first, separated by commas. They come before those of the file.
            file: one key a line, newest first.

        Raises:
            SecretsError: one of them is no key, or the file cannot be read.
        """
        written = configured.get_secret_value().split(",") if configured else []
        self._configured = [key.strip() for key in written if key.strip()]
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, AESGCM] = {}
        self._read()

    @property
    def current_id(self) -> str | None:
        """Id of the key that seals; None without any."""
        self._read()
        return next(iter(self._keys), None)

    def seal(self, secret: SecretStr, belongs_to: str) -> Sealed:
        """Encrypt a secret.

        Args:
            belongs_to: names its row; the same is needed to open it.

        Raises:
            NoMasterKey: there is nothing to seal it with.
        """
        key_id = self.current_id
        if key_id is None:
            raise NoMasterKey
        nonce = os.urandom(_NONCE_BYTES)
        text = secret.get_secret_value().encode()
        return Sealed(nonce + self._keys[key_id].encrypt(nonce, text, _identity(belongs_to)), key_id)

    def open(self, sealed: Sealed, belongs_to: str) -> SecretStr:
        """Decrypt a secret.

        Raises:
            SecretsError: its master key is not here, or it was damaged or moved.
        """
        if sealed.master_key_id not in self._keys:
            self._read()
        key = self._keys.get(sealed.master_key_id)
        if key is None:
            raise SecretsError(
                f"the secret of {belongs_to} was sealed with the master key {sealed.master_key_id}, "
                f"which is not among those of this process: see {_WHERE}"
            )
        nonce, text = sealed.data[:_NONCE_BYTES], sealed.data[_NONCE_BYTES:]
        try:
            return SecretStr(key.decrypt(nonce, text, _identity(belongs_to)).decode())
        except (InvalidTag, ValueError):
            raise SecretsError(
                f"the secret of {belongs_to} is damaged, or was that of something else"
            ) from None

    def _read(self) -> None:
        seen = self._stamp()
        if self._keys and seen == self._seen:
            return
        written = [*self._configured, *self._file_keys()]
        self._keys = {_key_id(raw): AESGCM(raw) for raw in map(_raw, written)}
        self._seen = seen

    def _stamp(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError as error:
            raise SecretsError(f"{self._file} cannot be read: {error.strerror}") from error
        return found.st_mtime_ns, found.st_ino

    def _file_keys(self) -> Sequence[str]:
        if self._file is None:
            return ()
        return [line.strip() for line in self._file.read_text().splitlines() if line.strip()]


def add_master_key(file: Path) -> str:
    """Put a new key in front of those in a file, which only its owner can read then.

    Returns:
        The id of the new key.
    """
    key = new_master_key()
    before = file.read_text() if file.exists() else ""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as written:
        written.write(f"{key}\n{before}")
    draft.replace(file)
    return _key_id(_raw(key))


def _identity(belongs_to: str) -> bytes:
    return _FORMAT + belongs_to.encode()


def _key_id(raw: bytes) -> str:
    """Says which key it is without telling anything of it."""
    return hashlib.sha256(b"perdure master key" + raw).hexdigest()[:12]


def _raw(written: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise SecretsError(
            f"a master key is {_KEY_BYTES} bytes in URL-safe base64 (`perdure keys new` makes one); "
            f"one of those in {_WHERE} is not"
        )
    return raw
