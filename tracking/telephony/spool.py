"""A folder that holds sealed texts safely while the database cannot take them."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from pathlib import Path

from tracking.storage import vault
from tracking.telephony.reserve import Place, Reserve

_PURPOSE = "spool"
_KEPT = ".sealed"
_UNREADABLE = ".unreadable"
_LARGEST = 10_000_000
"""Bytes that no event comes near."""

Kept = Path | Place
"""Where a text is: a file of its own, or a place in the reserve."""


class Spool:
    """One file a text: written, synced and renamed, so that a file with its name is whole and on the disk.

    A file is removed only after its text is safe elsewhere. A crash in between leaves it to be taken
    once more, and so do two processes that empty the folder at once: taking must be idempotent. What the
    disk has no room for goes into a reserve that was set aside while it had.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reserve = Reserve(folder.with_name(f"{folder.name}.reserve"))
        self._stuck: set[Path] = set()
        """Files that can neither be read nor set apart; this process leaves them alone."""

    def prepare(self) -> None:
        """Set the reserve aside; raise OSError where the disk does not give it."""
        self._reserve.prepare()

    def has_reserve(self) -> bool:
        """Tell whether the reserve is set aside."""
        return self._reserve.is_there()

    def put(self, name: str, text: str) -> None:
        """Keep ``text``; it is on the disk when this returns. ``name`` orders it among the others.

        Raises
        ------
        OSError
            If neither the disk takes it nor the reserve.
        """
        sealed = vault.seal(text, _PURPOSE)
        try:
            self._put_file(name, sealed, _KEPT)
        except OSError:
            self._reserve.put(sealed)

    def _put_file(self, name: str, sealed: bytes, ending: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The digest keeps two texts of one name apart; the suffix keeps a half-written file unseen.
        path = self._folder / f"{name}-{hashlib.sha256(sealed).hexdigest()[:16]}"
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            path.rename(path.with_name(path.name + ending))
        except OSError:
            # A full disk leaves empty files, and each takes a place in the folder.
            path.unlink(missing_ok=True)
            raise
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def some(self, limit: int) -> list[tuple[Kept, str]]:
        """Return up to ``limit`` texts with where they are; files come first, by name.

        What cannot be read, or what this installation's key does not open, is set apart under another
        ending, and kept.
        """
        found: list[tuple[Kept, str]] = []
        for path in nsmallest(limit, self._files(_KEPT)):
            try:
                found.append((path, vault.unseal(_read(path), _PURPOSE)))
            except FileNotFoundError:
                continue  # another process took it
            except (ValueError, OSError):
                self.set_apart(path)
        if not found:
            for place, sealed in self._reserve.some(limit):
                try:
                    found.append((place, vault.unseal(sealed, _PURPOSE)))
                except ValueError:
                    self.set_apart(place)
        return found

    def every(self) -> Iterator[tuple[Path, str]]:
        """Return all files that our keys open, with their texts."""
        for ending in (_KEPT, _UNREADABLE):
            for path in list(self._files(ending)):
                try:
                    yield path, vault.unseal(_read(path), _PURPOSE)
                except (ValueError, OSError):
                    continue

    def set_apart(self, kept: Kept) -> None:
        """Keep what cannot be understood out of the way of the others."""
        if isinstance(kept, Place):
            sealed = next(record for place, record in self._reserve.some(_LARGEST) if place == kept)
            self._put_file(f"reserve-{kept.start}", sealed, _UNREADABLE)
            self._reserve.discard([kept])
            return
        try:
            kept.rename(kept.with_suffix(_UNREADABLE))
        except OSError:
            self._stuck.add(kept)

    def discard(self, done: Iterable[Kept]) -> None:
        """Remove texts that are safe elsewhere."""
        places = []
        for kept in done:
            if isinstance(kept, Place):
                places.append(kept)
                continue
            try:
                kept.unlink(missing_ok=True)
            except OSError:
                # Taken once more by whoever starts next, which changes nothing.
                self._stuck.add(kept)
        if places:
            self._reserve.discard(places)

    def is_empty(self) -> bool:
        """Tell whether nothing waits."""
        return next(self._files(_KEPT), None) is None and self._reserve.is_empty()

    def count(self) -> tuple[int, int]:
        """Return how many texts wait, and how many no key of ours opens."""
        unreadable = sum(1 for _ in self._files(_UNREADABLE)) + len(self._stuck)
        return sum(1 for _ in self._files(_KEPT)) + self._reserve.count(), unreadable

    def _files(self, ending: str) -> Iterator[Path]:
        try:
            with os.scandir(self._folder) as entries:
                found = (Path(entry.path) for entry in entries if entry.name.endswith(ending))
                yield from (path for path in found if path not in self._stuck)
        except OSError:
            # Not there yet, or not to be read: a spool that cannot be read has nothing to give.
            return


def _read(path: Path) -> bytes:
    """Return what a file holds; raise ValueError where it is none of ours by its kind or size."""
    # Opened without waiting: a pipe with the name of an event would keep us for ever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            raise ValueError("this is no event")
        return file.read()
