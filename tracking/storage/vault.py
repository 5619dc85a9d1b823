"""Callers' numbers at rest: sealed with AES-GCM, found again by a keyed hash, keys outside the database."""

import base64
import hmac
import io
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tracking.errors import Invalid

# Bytes: what AES-GCM takes without hashing it first (NIST SP 800-38D, 5.2.1.1).
_NONCE = 12
SEAL = _NONCE + 16
"""Bytes that sealing adds: a nonce and a tag."""
# Callers come again and again; some ten megabytes.
_REMEMBERED = 32_768


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys derived from one master key, each for one purpose."""

    sealing: bytes
    lookup: bytes
    session: bytes
    fingerprint: str

    @classmethod
    def derive(cls, master: bytes) -> Self:
        """Derive all keys from 32 random bytes (HKDF-SHA256, RFC 5869)."""
        if len(master) != 32:
            raise Invalid(
                "key", f"the master key has {len(master)} bytes, not 32; make one with `ringtrail key`"
            )

        def subkey(purpose: bytes) -> bytes:
            return HKDF(SHA256(), 32, salt=None, info=b"ringtrail|" + purpose).derive(master)

        return cls(
            subkey(b"sealing"), subkey(b"lookup"), subkey(b"session"), subkey(b"fingerprint").hex()[:16]
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the master key from base64."""
        try:
            master = base64.b64decode(text.strip(), validate=True)
        except ValueError:
            raise Invalid("key", "the master key is not base64; make one with `ringtrail key`") from None
        return cls.derive(master)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read the master key from a file, written on first use and readable by its owner only."""
        if not path.exists():
            _write_once(path, new_master_key() + "\n")
        return cls.from_text(path.read_text())


def new_master_key() -> str:
    """Make a master key: 32 random bytes in base64."""
    return base64.b64encode(os.urandom(32)).decode()


def _write_once(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.urandom(6).hex()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        # The link appears whole or not at all, and for the first of two processes starting at once only:
        # neither a crash nor the other one ever shows half a key.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


_keys: Keys | None = None


def install(keys: Keys) -> None:
    """Make ``keys`` the ones that this process seals and looks up with."""
    # A column type sees neither session nor settings, so the keys are the process's.
    global _keys
    _keys = keys


def _installed() -> Keys:
    if _keys is None:
        raise RuntimeError("no keys installed; tracking.db.connect() installs them")
    return _keys


def seal(text: str, purpose: str) -> bytes:
    """Encrypt ``text``; ``purpose`` is bound to it, so that it opens nowhere else."""
    return seal_bytes(text.encode(), purpose)


def seal_again(text: str, purpose: str) -> bytes:
    """Encrypt as :func:`seal` does, the same text mostly to the same bytes.

    For columns that hold one number in many rows, each with its keyed hash beside it, which says as much.
    """
    return _sealed(_installed().sealing, text, purpose)


@lru_cache(maxsize=_REMEMBERED)
def _sealed(key: bytes, text: str, purpose: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + _cipher(key).encrypt(nonce, text.encode(), purpose.encode())


@lru_cache(maxsize=4)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def seal_bytes(clear: bytes, purpose: str) -> bytes:
    """Encrypt bytes as :func:`seal` does text; the result is ``SEAL`` bytes longer."""
    nonce = os.urandom(_NONCE)
    return nonce + _cipher(_installed().sealing).encrypt(nonce, clear, purpose.encode())


def unseal(sealed: bytes, purpose: str) -> str:
    """Decrypt what :func:`seal` made for the same purpose."""
    return unseal_bytes(sealed, purpose).decode()


def unseal_bytes(sealed: bytes, purpose: str) -> bytes:
    """Decrypt what :func:`seal_bytes` made for the same purpose."""
    try:
        return _cipher(_installed().sealing).decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode())
    except (InvalidTag, ValueError):
        raise Invalid(
            "key", "this key did not seal these data; restore the key file that belongs to them"
        ) from None


def lookup_hash(kind: str, value: str) -> str:
    """Return the keyed hash by which a sealed value is found again (HMAC-SHA256, hexadecimal)."""
    return _hash(_installed().lookup, f"v1|{kind}|{value}")


@lru_cache(maxsize=_REMEMBERED)
def _hash(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


class Draft(io.RawIOBase):
    """A file without a name whose content is on the disk in cipher only, under a key that nobody keeps."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with this one
        self._key = AES(os.urandom(32))
        self._start = int.from_bytes(os.urandom(16))

    def _crypt(self, clear: bytes, at: int) -> bytes:
        # Counter mode, so that any place can be read by itself. A place is written once, as drafts are.
        counter = (self._start + at // 16) % (1 << 128)
        stream = Cipher(self._key, CTR(counter.to_bytes(16))).encryptor()
        stream.update(bytes(at % 16))
        return stream.update(clear)

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def readinto(self, into: Any, /) -> int:
        """Read into a buffer."""
        at = self._file.tell()
        clear = self._crypt(self._file.read(len(into)), at)
        into[: len(clear)] = clear
        return len(clear)

    def write(self, clear: Any, /) -> int:
        """Write bytes."""
        given = bytes(clear)
        sealed = memoryview(self._crypt(given, self._file.tell()))
        while sealed:
            sealed = sealed[self._file.write(sealed) :]
        return len(given)

    def close(self) -> None:
        """Close the file, which is gone then."""
        self._file.close()
        super().close()
