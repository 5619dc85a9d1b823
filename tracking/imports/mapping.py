"""Which column of a foreign file means what: guessed from its headers, or told by the user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tracking.errors import Invalid
from tracking.imports.values import fold

Aliases = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Told:
    """What the user says about a file: columns by field, stages by the words of the file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    """Whether ``columns`` says all: a field that it leaves out has no column, whatever the headers."""


def load(path: str | None, columns: Sequence[str] = (), stages: Sequence[str] = ()) -> Told:
    """Read a mapping from a YAML file and from flags of the form name=value, which count more."""
    told: dict[str, dict[str, str]] = {"columns": {}, "stages": {}}
    if path is not None:
        for name, entries in _document(path).items():
            if name not in told:
                raise Invalid(
                    "mapping",
                    "%(path)s: %(name)r is unknown; a mapping has columns and stages",
                    path=path,
                    name=name,
                )
            if not isinstance(entries, dict):
                raise Invalid(
                    "mapping",
                    "%(path)s: %(name)s must be a table, one `name: value` a line",
                    path=path,
                    name=name,
                )
            told[name] |= {str(key): str(value) for key, value in entries.items()}
    for flag, name, entries in (("--map", "columns", columns), ("--stage", "stages", stages)):
        for entry in entries:
            key, sign, value = entry.partition("=")
            if not (key.strip() and sign and value.strip()):
                raise Invalid(
                    "mapping", "%(flag)s %(entry)r is not of the form name=value", flag=flag, entry=entry
                )
            told[name][key.strip()] = value.strip()
    return Told(told["columns"], told["stages"])


class Columns:
    """Where the fields of a record stand in a row; a field without a column reads as empty."""

    def __init__(
        self,
        header: Sequence[str],
        aliases: Aliases,
        told: Mapping[str, str] | None = None,
        *,
        whole: bool = False,
    ) -> None:
        self.header = [name.strip() for name in header]
        folded = [fold(name) for name in header]
        self._at: dict[str, int] = {}
        for name, column in (told or {}).items():
            if name not in aliases:
                raise Invalid(
                    "mapping",
                    "there is no field %(name)r; the fields are %(known)s",
                    name=name,
                    known=", ".join(aliases),
                )
            if fold(column) not in folded:
                raise Invalid(
                    "mapping",
                    "there is no column %(column)r; the file has %(known)s",
                    column=column,
                    known=", ".join(header),
                )
            self._at[name] = folded.index(fold(column))
        for name, others in () if whole else aliases.items():
            words = [fold(word) for word in (name, *others)]
            if name not in self._at and (guess := next((w for w in words if w in folded), None)):
                self._at[name] = folded.index(guess)

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def cell(self, cells: Sequence[str], name: str) -> str:
        """Return a row's cell for a field."""
        at = self._at.get(name)
        return "" if at is None else cells[at].strip()

    def index(self, name: str) -> int | None:
        """Return where a field stands, or None."""
        return self._at.get(name)

    def column(self, name: str) -> str:
        """Return the header under which a field stands, or the field's own name."""
        return self.header[self._at[name]] if name in self._at else name

    def require(self, *alternatives: str) -> None:
        """Refuse a file that has no column for any of ``alternatives``."""
        if not any(name in self._at for name in alternatives):
            raise Invalid(
                "file",
                "no column for %(wanted)s; the file has %(known)s; say which it is with --map "
                '%(first)s="COLUMN"',
                wanted=" or ".join(alternatives),
                known=", ".join(self.header),
                first=alternatives[0],
            )


def _document(path: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(
            "mapping", "cannot open %(path)s: %(reason)s", path=path, reason=error.strerror
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid("mapping", "%(path)s is not YAML: %(error)s", path=path, error=error) from None
    if not isinstance(found, dict):
        raise Invalid("mapping", "%(path)s must be a table with columns and, for deals, stages", path=path)
    return found
