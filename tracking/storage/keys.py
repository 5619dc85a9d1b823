"""The keys of an installation: the one that seals, older ones that still open, and what never changes.

All derive from master keys of 32 random bytes, which live outside the database and its backups. A ring is
written as words, the newest first: ``NEW OLD kept:…``. The first seals; each master key opens and finds; of
one that was retired only what cannot be made anew is kept, which opens nothing that it sealed.
"""

import base64
import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tracking.errors import Invalid
from tracking.storage.files import private

_MASTER = 32
_KEPT = "kept:"
_DRAFT = 6
"""Random bytes in the name of a file that is being written."""
_VERSION = b"\x02"
PREFIX = len(_VERSION) + 4
"""Bytes before the nonce of a sealed value: the form, and which key sealed it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One master key, as the keys derived from it (HKDF-SHA256, RFC 5869), each for one purpose."""

    lookup: bytes
    session: bytes
    fingerprint: str = ""
    """What tells it from others; empty where it was retired."""
    mark: bytes = b""
    """What stands before each value that it seals."""
    seals: bytes = b""
    """From which the key of each kind of sealed value derives."""
    sealing: bytes = b""
    """The one key of all values that were sealed before each kind had its own."""
    backups: bytes = b""
    """From which the key of each backup derives."""

    @classmethod
    def derive(cls, master: bytes) -> Self:
        """Derive all keys from 32 random bytes."""
        if len(master) != _MASTER:
            raise Invalid(
                "key", f"the master key has {len(master)} bytes, not 32; make one with `ringtrail key`"
            )

        def subkey(purpose: bytes) -> bytes:
            return HKDF(SHA256(), 32, salt=None, info=b"ringtrail|" + purpose).derive(master)

        fingerprint = subkey(b"fingerprint")
        return cls(
            lookup=subkey(b"lookup"),
            session=subkey(b"session"),
            fingerprint=fingerprint.hex()[:16],
            mark=_VERSION + fingerprint[: PREFIX - len(_VERSION)],
            seals=subkey(b"seals"),
            sealing=subkey(b"sealing"),
            backups=subkey(b"backups"),
        )

    def cipher(self, purpose: str) -> AESGCM:
        """Return what seals values of a purpose, whose first word names a kind with a key of its own."""
        return _cipher(self.seals, purpose.partition(" ")[0])

    def kept(self) -> str:
        """Return the word that stands for this key once it is retired."""
        return _KEPT + base64.b64encode(self.lookup + self.session).decode()


@lru_cache(maxsize=256)
def _cipher(root: bytes, kind: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=b"ringtrail|seals|" + kind.encode()).derive(root))


@dataclass(frozen=True, slots=True)
class Keys:
    """The ring of an installation, the newest first."""

    all: tuple[Key, ...]
    masters: tuple[Key, ...]
    """Those that open and find."""

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read master keys from base64, one or several words."""
        words = text.split() or [""]
        keys = tuple(_read(word) for word in words)
        retired = [not key.fingerprint for key in keys]
        if retired[0] or retired != sorted(retired):
            raise Invalid(
                "key", "the keys are in the wrong order; put the newest first and retired keys last"
            )
        if len({key.lookup for key in keys}) < len(keys):
            raise Invalid("key", "the same key appears twice; list each key once")
        return cls(keys, tuple(key for key in keys if key.fingerprint))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read master keys from a file, written on first use and readable by its owner only."""
        if not path.exists():
            write(path, new_master_key() + "\n", replace=False)
        return cls.from_text(path.read_text())

    @property
    def current(self) -> Key:
        """Return the key that seals."""
        return self.all[0]

    @property
    def first(self) -> Key:
        """Return the oldest: what hashes stand for that can never be made anew is made with it for ever."""
        return self.all[-1]

    @property
    def fingerprint(self) -> str:
        """Return what tells the key that seals from others."""
        return self.current.fingerprint

    def of(self, fingerprint: str) -> Key | None:
        """Return the master key with a fingerprint."""
        return next((key for key in self.masters if key.fingerprint == fingerprint), None)


def _read(word: str) -> Key:
    retired = word.startswith(_KEPT)
    try:
        value = base64.b64decode(word.removeprefix(_KEPT), validate=True)
    except ValueError:
        raise Invalid("key", "the master key is not base64; make one with `ringtrail key`") from None
    if not retired:
        return Key.derive(value)
    if len(value) != 2 * _MASTER:
        raise Invalid("key", "a retired key is incomplete; restore the key file from your copy")
    return Key(value[:_MASTER], value[_MASTER:])


def new_master_key() -> str:
    """Make a master key: 32 random bytes in base64."""
    return base64.b64encode(os.urandom(_MASTER)).decode()


def read(path: Path) -> bytes:
    """Return what a file holds; a pipe of that name is an error and keeps nobody waiting."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "this is no plain file", str(path))
        return file.read()


def drop_drafts(path: Path) -> None:
    """Delete what writing a file has left where it was cut off."""
    for draft in path.parent.glob(f"{path.name}.{'[0-9a-f]' * 2 * _DRAFT}"):
        draft.unlink(missing_ok=True)


def write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file that only its owner reads, whole or not at all; leave one that is there unless told."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.urandom(_DRAFT).hex()}")
    try:
        with open(draft, "x", opener=private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            # The link appears whole or not at all, and for the first of two processes starting at once only:
            # neither a crash nor the other one ever shows half a key.
            with suppress(FileExistsError):
                os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
