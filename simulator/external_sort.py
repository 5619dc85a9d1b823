"""Rows that are too many to hold: put down in a file as they come, taken up again group by group.

With groups in the order wanted, putting down and taking up sorts any number of rows in the memory of one
group.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType

import numpy as np

from simulator.chance import Integers


class ExternalSort:
    """A file of whole-number rows, each belonging to a group; gone when closed.

    Parameters
    ----------
    columns : int
        Numbers in a row.
    folder : Path, optional
        Where the file is; by default where temporary files are.

    Notes
    -----
    Only where the pieces lie is held in memory, some 100 bytes per piece. It belongs to one process.
    """

    def __init__(self, columns: int, folder: Path | None = None) -> None:
        self._columns = columns
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed by leaving the context
        self._rows = 0
        self._pieces: dict[int, list[tuple[int, int]]] = {}

    def __enter__(self) -> ExternalSort:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, group: Integers, rows: Integers) -> None:
        """Put rows down, each in its group, behind those that are there."""
        if not len(rows):
            return
        order = np.argsort(group, kind="stable")
        names, begins = np.unique(group[order], return_index=True)
        ends = np.append(begins[1:], len(rows))
        self._file.seek(self._rows * self._columns * 8)
        self._file.write(np.ascontiguousarray(rows[order], dtype=np.int64).tobytes())
        for name, begin, end in zip(names.tolist(), begins.tolist(), ends.tolist(), strict=True):
            self._pieces.setdefault(name, []).append((self._rows + begin, end - begin))
        self._rows += len(rows)

    def take(self, group: int) -> Integers:
        """Return the rows of a group in the order in which they were put down."""
        parts = [np.zeros((0, self._columns), dtype=np.int64)]
        for begin, count in self._pieces.get(group, ()):
            self._file.seek(begin * self._columns * 8)
            held = self._file.read(count * self._columns * 8)
            parts.append(np.frombuffer(held, dtype=np.int64).reshape(count, self._columns))
        return np.concatenate(parts)
