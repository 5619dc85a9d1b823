"""A file in cipher that is read and written in one go: whole, or told to be cut off or changed.

After a line of JSON in clear, which says what it is and with which key it was made, come frames in AES-GCM
under a key of this file alone. A frame is bound to the line, to its place and to whether it is the last.
"""

import io
import json
import os
import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tracking.errors import Invalid
from tracking.storage import vault
from tracking.storage.keys import Key

_MAGIC = "Ringtrail backup 1"
_FRAME = 1 << 20
_LENGTH = struct.Struct(">I")
_LONGEST_LINE = 100_000


def _cipher(key: Key, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt=salt, info=b"ringtrail|backup file").derive(key.backups))


def _nonce(place: int, *, last: bool) -> bytes:
    return place.to_bytes(11, "big") + bytes([last])


class Writer(io.RawIOBase):
    """Takes bytes and writes frames; a file that is not closed in order has no last frame."""

    def __init__(self, file: BinaryIO, about: Mapping[str, Any]) -> None:
        super().__init__()
        key, salt = vault.installed().current, os.urandom(32)
        told = {"file": _MAGIC, "key": key.fingerprint, "salt": salt.hex(), **about}
        self._line = json.dumps(told).encode() + b"\n"
        self._file, self._cipher = file, _cipher(key, salt)
        self._place, self._rest = 0, bytearray()
        file.write(self._line)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, clear: Any, /) -> int:
        """Take bytes."""
        self._rest += clear
        while len(self._rest) > _FRAME:
            self._put(bytes(self._rest[:_FRAME]), last=False)
            del self._rest[:_FRAME]
        return len(clear)

    def finish(self) -> None:
        """Write the last frame."""
        self._put(bytes(self._rest), last=True)

    def _put(self, clear: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._place, last=last), clear, self._line)
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._place += 1


class Reader(io.RawIOBase):
    """Gives back the bytes; raises Invalid where the file is cut off, changed, or of another key."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._line = file.readline(_LONGEST_LINE)
        self.about = _about(self._line)
        key = vault.installed().of(str(self.about["key"]))
        if key is None:
            raise Invalid(
                "key",
                "this backup needs key %(key)s, which is missing; put its key file into the data "
                "folder (docs/keys.md)",
                key=str(self.about["key"]),
            )
        self._file, self._cipher = file, _cipher(key, bytes.fromhex(str(self.about["salt"])))
        self._place, self._rest, self._over = 0, b"", False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, into: Any, /) -> int:
        """Read into a buffer."""
        while not self._rest and not self._over:
            self._rest = self._next()
        part = self._rest[: len(into)]
        into[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)

    def _next(self) -> bytes:
        head = self._file.read(_LENGTH.size)
        size = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else -1
        sealed = self._file.read(size) if 0 <= size <= _FRAME + 16 else b""
        if len(sealed) != size:
            raise Invalid("backup", "the file is incomplete; use another backup")
        for last in (False, True):
            try:
                clear = self._cipher.decrypt(_nonce(self._place, last=last), sealed, self._line)
            except InvalidTag:
                continue
            self._place, self._over = self._place + 1, last
            if last and self._file.read(1):
                raise Invalid("backup", "the file continues after its end; use another backup")
            return clear
        raise Invalid("backup", "the file was changed; use another backup")


def about(file: BinaryIO) -> dict[str, Any]:
    """Return the line in clear."""
    return _about(file.readline(_LONGEST_LINE))


def _about(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
        named = [told[name] for name in ("key", "salt", "made_at", "program", "schema")]
        if told["file"] != _MAGIC or not all(isinstance(one, str) for one in named):
            raise ValueError
        bytes.fromhex(told["salt"])
        if datetime.fromisoformat(told["made_at"]).tzinfo is None:
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Invalid("backup", "not a Ringtrail backup; choose a file that ends in .backup") from None
    found: dict[str, Any] = told
    return found
