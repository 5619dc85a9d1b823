"""A file whose room the disk has given beforehand: it takes what must not be lost once the disk is full."""

import errno
import fcntl
import os
import shutil
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_HEAD = struct.Struct(">8sQQQ")
"""What the file is, which filling this is, where its first record begins and where its last one ends."""
_KIND = b"ringtrl1"
_SIZE = struct.Struct(">I")
_CHUNK = 1_000_000
MOST = 32_000_000
"""Bytes that are set aside: some 20,000 events. A judgement: hours of the busiest installation."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies in the reserve, and since when: a place is used again once all is empty."""

    filling: int
    start: int
    end: int


class Reserve:
    """Records one behind the other in a file that never grows, for any number of threads and processes.

    Its blocks are on the disk already, so that neither a record nor its place in the folder asks a full disk
    for more (ext4, XFS; not on file systems that never write in place, such as Btrfs and ZFS).
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        """Have the disk set the room aside, at most a quarter of what is free, unless that is done.

        What was set aside when there was less room grows while nothing lies in it; what is no reserve is kept
        under another name.

        Raises
        ------
        OSError
            If the disk does not give it.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = min(MOST, shutil.disk_usage(self._path.parent).free // 4)
        try:
            with self._opened() as file:
                _, first, end = _head(file)
                if first == end and os.fstat(file).st_size < size:
                    with suppress(OSError):  # the smaller one stays
                        self._set_aside(size)
                return
        except FileNotFoundError:
            pass
        except OSError:
            self._path.rename(self._path.with_name(f"{self._path.name}.{time.time_ns()}.unreadable"))
        self._set_aside(size)

    def _set_aside(self, size: int) -> None:
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                _write_zeros(file.fileno(), 0, size)
                # A number that no reserve before had, so that no place in one of those is taken for one here.
                os.pwrite(file.fileno(), _HEAD.pack(_KIND, time.time_ns(), _HEAD.size, _HEAD.size), 0)
                os.fsync(file.fileno())
            draft.rename(self._path)
        finally:
            draft.unlink(missing_ok=True)

    def put(self, record: bytes) -> None:
        """Keep a record; it is on the disk when this returns.

        Raises
        ------
        OSError
            If there is no reserve, or it is full too.
        """
        with self._opened() as file:
            filling, first, end = _head(file)
            whole = _SIZE.pack(len(record)) + record
            if end + len(whole) > os.fstat(file).st_size:
                raise OSError(errno.ENOSPC, "the reserve is full too")
            os.pwrite(file, whole, end)
            os.fdatasync(file)
            # Only now, so that a crash never shows half a record.
            _tell(file, filling, first, end + len(whole))

    def some(self, limit: int) -> list[tuple[Place, bytes]]:
        """Return up to ``limit`` records in the order in which they came."""
        found: list[tuple[Place, bytes]] = []
        try:
            with self._opened() as file:
                filling, at, end = _head(file)
                while at < end and len(found) < limit:
                    size = int.from_bytes(os.pread(file, _SIZE.size, at))
                    # What was damaged goes on to the end, where it is found to be no event and set apart.
                    place = Place(filling, at, min(at + _SIZE.size + size, end))
                    found.append(
                        (place, os.pread(file, max(0, place.end - at - _SIZE.size), at + _SIZE.size))
                    )
                    at = place.end
        except OSError:
            return []
        return found

    def discard(self, places: list[Place]) -> None:
        """Give the room of the first records free, which are safe elsewhere."""
        try:
            with self._opened() as file:
                filling, first, end = _head(file)
                for place in sorted(places, key=lambda place: place.start):
                    if (place.filling, place.start) == (filling, first):
                        first = place.end
                if first >= end > _HEAD.size:
                    filling, first, end, used = filling + 1, _HEAD.size, _HEAD.size, end - _HEAD.size
                    _tell(file, filling, first, end)
                    # Overwritten, since what is erased elsewhere must not go on lying here.
                    _write_zeros(file, _HEAD.size, used)
                else:
                    _tell(file, filling, first, end)
        except OSError:
            # Taken once more, which changes nothing.
            return

    def count(self) -> int:
        """Return how many records wait."""
        return len(self.some(MOST))

    def is_empty(self) -> bool:
        """Tell whether nothing waits."""
        return not self.some(1)

    def is_there(self) -> bool:
        """Tell whether the room is set aside."""
        return self._path.exists()

    @contextmanager
    def _opened(self) -> Iterator[int]:
        while True:
            # Without waiting: whatever else has this name must hold up nobody.
            file = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                # Released when the file is closed; each opening has a lock of its own, also within a process.
                fcntl.flock(file, fcntl.LOCK_EX)
                if not os.path.samestat(os.fstat(file), os.stat(self._path)):
                    continue  # a larger one has taken its place meanwhile
                yield file
                return
            finally:
                os.close(file)


def _tell(file: int, filling: int, first: int, end: int) -> None:
    os.pwrite(file, _HEAD.pack(_KIND, filling, first, end), 0)
    os.fdatasync(file)


def _head(file: int) -> tuple[int, int, int]:
    head = os.pread(file, _HEAD.size, 0)
    if len(head) != _HEAD.size or not head.startswith(_KIND):
        raise OSError(errno.EINVAL, "this is no reserve")
    _, filling, first, end = _HEAD.unpack(head)
    if not _HEAD.size <= first <= end <= os.fstat(file).st_size:
        raise OSError(errno.EINVAL, "this reserve was cut off")
    return filling, first, end


def _write_zeros(file: int, start: int, size: int) -> None:
    for at in range(start, start + size, _CHUNK):
        os.pwrite(file, bytes(min(_CHUNK, start + size - at)), at)
