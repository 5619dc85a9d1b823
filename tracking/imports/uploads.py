"""Files given to the pages, sealed on the disk from the first byte until the import is over or a day is."""

import io
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import python_calamine

from tracking.errors import Invalid, NotFound
from tracking.storage import vault

KEPT = timedelta(days=1)
_CHUNK = 1 << 20
_WORKBOOKS = (b"PK", b"\xd0\xcf\x11\xe0")
_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass
class Upload:
    """A file that waits for its import, and what was said about it so far."""

    token: str
    name: str
    by: str
    at: str
    size: int
    kind: str = ""
    columns: dict[str, str] | None = None
    """Columns by field, all of them; None: as the headers say."""
    stages: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    mended: dict[str, list[str]] = field(default_factory=dict)
    """Cells by the line they stand for."""
    check_job: int | None = None
    import_job: int | None = None


class UploadStore:
    """The folder of the uploads of one installation."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "uploads"

    def put(self, stream: BinaryIO, name: str, *, by: str, at: datetime) -> Upload:
        """Keep a file; what is older than a day is taken out on the way."""
        self.tidy(at)
        token = secrets.token_hex(16)
        size = self.seal(token, "content", stream)
        upload = Upload(token, name[:200], by, at.isoformat(), size)
        self.save(upload)
        return upload

    def get(self, token: str) -> Upload:
        """Return what is known of an upload, or raise NotFound."""
        about = self._note(token, "about")
        if about is None:
            raise NotFound("this file has been deleted; upload it again")
        return Upload(**about)

    def waiting(self) -> list[Upload]:
        """Return the uploads that nobody has begun to import yet, the latest first."""
        found = []
        for path in self._folder.glob("*.about"):
            try:
                found.append(self.get(path.stem))
            except (FileNotFoundError, NotFound, Invalid):
                continue  # taken out meanwhile, or sealed with a key that is no longer ours
        return sorted((u for u in found if u.import_job is None), key=lambda u: u.at, reverse=True)

    def save(self, upload: Upload) -> None:
        """Keep what was said about an upload."""
        self.keep(upload.token, "about", asdict(upload))

    def keep(self, token: str, part: str, note: dict[str, Any]) -> None:
        """Keep a sealed note beside an upload, whole or not at all."""
        path = self._path(token, part)
        draft = path.with_suffix(f".{secrets.token_hex(4)}")
        draft.write_bytes(vault.seal(json.dumps(note), f"upload {token} {part}"))
        draft.replace(path)

    def found(self, token: str) -> dict[str, Any] | None:
        """Return what came of trying an upload's rows; None before."""
        return self._note(token, "found")

    def open(self, token: str, part: str = "content") -> io.BufferedReader:
        """Open the clear content of an upload; nothing clear is written to the disk."""
        path = self._path(token, part)
        if not path.exists():
            raise NotFound("this file has been deleted; upload it again")
        return io.BufferedReader(_Sealed(path, f"upload {token} {part}"), _CHUNK)

    def seal(self, token: str, part: str, stream: BinaryIO) -> int:
        """Keep a stream sealed, and return its size in bytes."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        size = place = 0
        with self._path(token, part).open("wb") as file:
            while chunk := stream.read(_CHUNK):
                file.write(vault.seal_bytes(chunk, f"upload {token} {part} {place}"))
                size, place = size + len(chunk), place + 1
        return size

    def draft(self) -> BinaryIO:
        """Open a nameless file beside the uploads, in cipher on the disk too."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return vault.draft(self._folder)

    def seal_anew(self, token: str, part: str, draft: BinaryIO) -> None:
        """Keep what was written into a draft in the place of a part; nothing, and there is none."""
        self.drop(token, part)
        if draft.seek(0, io.SEEK_END):
            draft.seek(0)
            self.seal(token, part, draft)

    def drop(self, token: str, *parts: str) -> None:
        """Take out parts of an upload, or all of it."""
        for path in [self._path(token, p) for p in parts] or list(self._folder.glob(f"{_known(token)}.*")):
            path.unlink(missing_ok=True)

    def tidy(self, at: datetime) -> None:
        """Take out what has been kept for a day."""
        for path in self._folder.glob("*"):
            try:
                if path.stat().st_mtime < (at - KEPT).timestamp():
                    path.unlink()
            except FileNotFoundError:
                continue

    def every(self) -> list[Path]:
        """Return all files of all uploads."""
        return sorted(path for path in self._folder.glob("*.*") if _TOKEN.fullmatch(path.name[:32]))

    def as_text(self, path: Path) -> str:
        """Return what a file of an upload says: of a workbook its cells, of what cannot be opened nothing."""
        token, _, part = path.name.partition(".")
        with suppress(ValueError, OSError, NotFound):
            return json.dumps(self._note(token, part), ensure_ascii=False)
        try:
            with self.open(token, part) as file:
                content = file.read()
        except (ValueError, OSError, NotFound):
            return ""
        if not content.startswith(_WORKBOOKS):
            return content.replace(b"\0", b"").decode(errors="replace")
        try:
            book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
            cells = (
                cell
                for name in book.sheet_names
                for row in book.get_sheet_by_name(name).to_python()
                for cell in row
            )
            return "\n".join(f"{cell:.0f}" if isinstance(cell, float) else str(cell) for cell in cells)
        except (python_calamine.CalamineError, OSError, ValueError):
            return ""

    def _note(self, token: str, part: str) -> dict[str, Any] | None:
        path = self._path(token, part)
        if not path.exists():
            return None
        note: dict[str, Any] = json.loads(vault.unseal(path.read_bytes(), f"upload {token} {part}"))
        return note

    def _path(self, token: str, part: str) -> Path:
        return self._folder / f"{_known(token)}.{part}"


def _known(token: str) -> str:
    # The token becomes part of a path.
    if not _TOKEN.fullmatch(token):
        raise NotFound("upload not found")
    return token


class _Sealed(io.RawIOBase):
    """A sealed file read as if it were clear; chunks are opened one at a time, wherever one seeks."""

    def __init__(self, path: Path, purpose: str) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._purpose = purpose
        added = vault.overhead(self._file.read(vault.PREFIX))
        self._step = _CHUNK + added
        whole, rest = divmod(os.fstat(self._file.fileno()).st_size, self._step)
        self._size = whole * _CHUNK + max(rest - added, 0)
        self._at = 0
        self._held = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def readinto(self, into: Any) -> int:
        place, skip = divmod(self._at, _CHUNK)
        if self._at >= self._size:
            return 0
        if self._held[0] != place:
            self._file.seek(place * self._step)
            sealed = self._file.read(self._step)
            self._held = (place, vault.unseal_bytes(sealed, f"{self._purpose} {place}"))
        part = self._held[1][skip : skip + len(into)]
        into[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()
