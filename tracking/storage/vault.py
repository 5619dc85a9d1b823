"""Callers' numbers at rest: sealed with AES-GCM, found again by a keyed hash, keys outside the database."""

import hmac
import io
import logging
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from tracking.errors import Invalid
from tracking.storage.keys import PREFIX, Key, Keys, new_master_key

__all__ = ["PREFIX", "Keys", "new_master_key"]

# Bytes: what AES-GCM takes without hashing it first (NIST SP 800-38D, 5.2.1.1).
_NONCE = 12
_TAG = 16
SEAL = PREFIX + _NONCE + _TAG
"""Bytes that sealing adds: which key it was, a nonce and a tag."""
OLD_SEAL = _NONCE + _TAG
"""Bytes that it added before each kind of value had a key of its own."""
# Callers come again and again; some ten megabytes.
_REMEMBERED, _SHORT = 32_768, 100
_log = logging.getLogger(__name__)


class _Ring:
    """The keys of this process; where they lie in a file, as the file has them now."""

    def __init__(self, keys: Keys, file: Path | None) -> None:
        self.known, self._file = keys, file
        self._seen: tuple[int, int, int] | None = None  # read once more: it may have changed since

    def now(self) -> Keys:
        # A change of key must be known to all processes before the first value is found by it alone.
        if self._file is not None and (stamp := self._stamp()) != self._seen:
            self._seen = stamp
            self._read_again()
        return self.known

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            about = os.stat(self._file) if self._file is not None else None
        except OSError:
            return None  # gone, or not to be read: what is known stays
        return about and (about.st_ino, about.st_mtime_ns, about.st_size)

    def _read_again(self) -> None:
        assert self._file is not None
        try:
            keys = Keys.from_text(self._file.read_text())
            if keys.first.lookup != self.known.first.lookup:
                raise Invalid("key", "these are the keys of another installation")
        except (Invalid, OSError) as error:
            _log.error("%s has changed and cannot be used (%s); the keys of before stay", self._file, error)
        else:
            self.known = keys


_ring: _Ring | None = None
_steady: ContextVar[Keys | None] = ContextVar("steady", default=None)


def install(keys: Keys, file: Path | None = None) -> None:
    """Make ``keys`` the ones that this process seals and looks up with; a ``file`` of theirs is watched."""
    # A column type sees neither session nor settings, so the keys are the process's.
    global _ring
    _ring = _Ring(keys, file)


def installed() -> Keys:
    """Return the keys of this process."""
    return _steady.get() or _held().now()


@contextmanager
def steady() -> Iterator[None]:
    """Seal and look up with the keys as they are now, without asking the file for each value.

    Only within a transaction that the database knows of: a change of key waits for those that began before
    it, and seals anew what they wrote.
    """
    asked = _steady.set(_held().now())
    try:
        yield
    finally:
        _steady.reset(asked)


def _held() -> _Ring:
    if _ring is None:
        raise RuntimeError("no keys installed; tracking.db.connect() installs them")
    return _ring


def seal(text: str, purpose: str) -> bytes:
    """Encrypt ``text``; ``purpose`` is bound to it, so that it opens nowhere else."""
    return seal_bytes(text.encode(), purpose)


def seal_again(text: str, purpose: str) -> bytes:
    """Encrypt as :func:`seal` does, the same text mostly to the same bytes.

    For columns that hold one number in many rows, each with its keyed hash beside it, which says as much.
    """
    return _sealed_again(installed().current, text, purpose)


def seal_bytes(clear: bytes, purpose: str) -> bytes:
    """Encrypt bytes as :func:`seal` does text; the result is ``SEAL`` bytes longer."""
    return _sealed(installed().current, clear, purpose)


@lru_cache(maxsize=_REMEMBERED)
def _sealed_again(key: Key, text: str, purpose: str) -> bytes:
    return _sealed(key, text.encode(), purpose)


def _sealed(key: Key, clear: bytes, purpose: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return key.mark + nonce + key.cipher(purpose).encrypt(nonce, clear, purpose.encode())


def unseal(sealed: bytes, purpose: str) -> str:
    """Decrypt what :func:`seal` made for the same purpose."""
    return unseal_bytes(sealed, purpose).decode()


def unseal_bytes(sealed: bytes, purpose: str) -> bytes:
    """Decrypt what :func:`seal_bytes` made for the same purpose, with whichever key that was."""
    known = _held().known
    clear = _opened(known, sealed, purpose)
    if clear is None and (now := _held().now()) is not known:
        clear = _opened(now, sealed, purpose)
    if clear is None:
        raise Invalid("key", "this key did not seal these data; restore the key file that belongs to them")
    return clear


def _opened(keys: Keys, sealed: bytes, purpose: str) -> bytes | None:
    mark, bound = sealed[:PREFIX], purpose.encode()
    for key in keys.masters:
        if key.mark == mark:
            with suppress(InvalidTag, ValueError):  # by chance an older value begins like one of this key's
                nonce, rest = sealed[PREFIX : PREFIX + _NONCE], sealed[PREFIX + _NONCE :]
                return key.cipher(purpose).decrypt(nonce, rest, bound)
    for key in keys.masters:
        with suppress(InvalidTag, ValueError):
            return AESGCM(key.sealing).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
    return None


def overhead(sealed: bytes) -> int:
    """Return how many bytes sealing added to a value, by its beginning."""
    return SEAL if any(sealed.startswith(key.mark) for key in installed().masters) else OLD_SEAL


def lookup_hash(kind: str, value: str) -> str:
    """Return the keyed hash by which a sealed value is found again (HMAC-SHA256, hexadecimal)."""
    return _hash(installed().current.lookup, kind, value)


def lookup_hashes(kind: str, value: str) -> list[str]:
    """Return the hashes by which a value may be kept: while the key changes, by either."""
    return [_hash(key.lookup, kind, value) for key in installed().masters]


def mark(kind: str, value: str) -> str:
    """Return a keyed hash that never changes, of what is kept nowhere and could not be hashed anew."""
    # The oldest key is the same for ever, whatever the file says by now.
    return _hash(_held().known.first.lookup, kind, value)


def chain_hashes(kind: str, value: str) -> list[str]:
    """Return the hashes of a link by each key there ever was, the oldest first."""
    return [_hash(key.lookup, kind, value) for key in reversed(installed().all)]


def _hash(key: bytes, kind: str, value: str) -> str:
    # Numbers and addresses come again; the bodies of reports do not, and are large.
    make = _hashed if len(value) > _SHORT else _hashed_again
    return make(key, f"v1|{kind}|{value}")


def _hashed(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


_hashed_again = lru_cache(maxsize=_REMEMBERED)(_hashed)


def draft(folder: Path) -> BinaryIO:
    """Open a :class:`Draft`, to be written and then read."""
    return io.BufferedRandom(Draft(folder))


class Draft(io.RawIOBase):
    """A file without a name whose content is on the disk in cipher only, under a key that nobody keeps."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with this one
        # Also where an error in a circle of references is all that still holds this one.
        weakref.finalize(self, self._file.close)
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
