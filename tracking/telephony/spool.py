"""A folder that holds sealed texts safely while the database cannot take them."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tracking.storage import vault

_PURPOSE = "spool"
_KEPT = ".sealed"
_UNREADABLE = ".unreadable"


class Spool:
    """One file a text: written, synced and renamed, so that a file with its name is whole and on the disk.

    A file is removed only after its text is safe elsewhere. A crash in between leaves it to be taken
    once more, and so do two processes that empty the folder at once: taking must be idempotent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, text: str) -> None:
        """Keep ``text``; it is on the disk when this returns. ``name`` orders it among the others.

        Raises
        ------
        OSError
            If the disk does not take it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        sealed = vault.seal(text, _PURPOSE)
        # The digest keeps two texts of one name apart; the suffix keeps a half-written file unseen.
        path = self._folder / f"{name}-{hashlib.sha256(sealed).hexdigest()[:16]}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        path.rename(path.with_name(path.name + _KEPT))
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def some(self, limit: int) -> list[tuple[Path, str]]:
        """Return up to ``limit`` texts with their files, the first by name first.

        What this installation's key does not open is set apart under another ending, and kept.
        """
        found = []
        for path in islice(sorted(self._files(_KEPT)), limit):
            try:
                found.append((path, vault.unseal(path.read_bytes(), _PURPOSE)))
            except FileNotFoundError:
                continue  # another process took it
            except ValueError:
                self.set_apart(path)
        return found

    def set_apart(self, path: Path) -> None:
        """Keep a file that cannot be understood, out of the way of the others."""
        path.rename(path.with_suffix(_UNREADABLE))

    def discard(self, paths: Iterable[Path]) -> None:
        """Remove files whose texts are safe elsewhere."""
        for path in paths:
            path.unlink(missing_ok=True)

    def is_empty(self) -> bool:
        """Tell whether nothing waits."""
        return next(self._files(_KEPT), None) is None

    def count(self) -> tuple[int, int]:
        """Return how many texts wait, and how many no key of ours opens."""
        return sum(1 for _ in self._files(_KEPT)), sum(1 for _ in self._files(_UNREADABLE))

    def _files(self, ending: str) -> Iterator[Path]:
        try:
            with os.scandir(self._folder) as entries:
                yield from (Path(entry.path) for entry in entries if entry.name.endswith(ending))
        except OSError:
            # Not there yet, or not to be read: a spool that cannot be read has nothing to give.
            return
