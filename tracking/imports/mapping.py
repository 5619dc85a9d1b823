"""Which column of a foreign file means what: guessed from its headers, or told by the user."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tracking.errors import Invalid, Sentence, say
from tracking.imports import values, words, yaml_file
from tracking.imports.call_words import COURSES, STATUSES
from tracking.imports.values import Dialect, fold
from tracking.storage import money, phone
from tracking.storage.vocabulary import CallStatus

Aliases = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Told:
    """What the user says about a file: columns by field, stages by the words of the file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    """Whether ``columns`` says all: a field that it leaves out has no column, whatever the headers."""


def load(
    path: str | None, columns: Sequence[str] = (), stages: Sequence[str] = (), flag: str = "--stage"
) -> Told:
    """Read a mapping from a YAML file and from flags of the form name=value, which count more."""
    told: dict[str, dict[str, str]] = {"columns": {}, "stages": {}}
    if path is not None:
        for name, entries in _document(path).items():
            if name not in told:
                raise Invalid(
                    "mapping",
                    "%(path)s: unknown key %(name)r; use columns and stages",
                    path=path,
                    name=name,
                )
            if not isinstance(entries, dict):
                raise Invalid(
                    "mapping",
                    "%(path)s: %(name)s must be a mapping with one `name: value` per line",
                    path=path,
                    name=name,
                )
            told[name] |= {str(key): str(value) for key, value in entries.items()}
    for option, name, entries in (("--map", "columns", columns), (flag, "stages", stages)):
        for entry in entries:
            key, sign, value = entry.partition("=")
            if not (key.strip() and sign and value.strip()):
                raise Invalid(
                    "mapping", "%(flag)s %(entry)r is not in the form name=value", flag=option, entry=entry
                )
            told[name][key.strip()] = value.strip()
    return Told(told["columns"], told["stages"])


_SUMS = frozenset({"amount", "expected_amount", "margin", "value"})
_MOST = 0.8
"""The share of cells that must look like something for their column to be guessed as that."""


class Columns:
    """Where the fields of a record stand in a row; a field without a column reads as empty.

    What was told counts; then the names, in five languages; then, for a field that cannot be missing, what
    the cells look like (:meth:`guess`).
    """

    def __init__(
        self,
        header: Sequence[str],
        aliases: Aliases,
        told: Mapping[str, str] | None = None,
        *,
        whole: bool = False,
    ) -> None:
        self.header = distinct(header)
        self._aliases = aliases
        self._twice = {fold(name) for name in header if [fold(n) for n in header].count(fold(name)) > 1}
        folded = [fold(name) for name in self.header]
        self._at: dict[str, int] = {}
        self._kept: set[int] = set()
        self.reasons: dict[str, Sentence] = {}
        """Why a column is read as it is, by field, where its name does not say so."""
        for name, column in (told or {}).items():
            if name not in aliases:
                raise Invalid(
                    "mapping",
                    "unknown field %(name)r; fields: %(known)s",
                    name=name,
                    known=", ".join(aliases),
                )
            if fold(column) not in folded:
                raise Invalid(
                    "mapping",
                    "no column %(column)r; columns: %(known)s",
                    column=column,
                    known=", ".join(self.header),
                )
            self._at[name] = folded.index(fold(column))
        if not whole:
            self._by_name([fold(name) for name in header])

    def _by_name(self, folded: Sequence[str]) -> None:
        plain = [fold(_unit(name)[0]) for name in self.header]
        for names in (folded, plain, _without_their_table(plain)):
            for wanted, others in self._aliases.items():
                if wanted not in self._at:
                    self._find(wanted, [fold(word) for word in (wanted, *others)], names)

    def _find(self, wanted: str, called: Sequence[str], names: Sequence[str]) -> None:
        taken = set(self._at.values())
        for word in called:
            places = [at for at, name in enumerate(names) if name and name == word and at not in taken]
            if places and names[places[0]] in self._twice:
                raise Invalid(
                    "file",
                    'two columns %(column)s; remove one, or choose one with --map %(field)s="%(first)s"',
                    column=_TWIN.sub("", self.header[places[0]]),
                    field=wanted,
                    first=self.header[places[0]],
                )
            # Net and gross, or two currencies: of amounts none is chosen unseen.
            if places and not (len(places) > 1 and wanted in _SUMS):
                self._at[wanted] = places[0]
                return

    def guess(self, fields: Sequence[str], rows: Sequence[Sequence[str]], region: str) -> None:
        """Find columns for ``fields`` by their cells, where exactly one unused column looks like it."""
        for wanted in fields:
            if wanted in self._at or wanted not in _LOOKS:
                continue
            found = []
            for place in set(range(len(self.header))) - set(self._at.values()):
                hits, count = _looking(place, wanted, rows, region)
                if count and hits >= _MOST * count:
                    found.append((place, hits, count))
            if len(found) == 1:
                place, hits, count = found[0]
                self._at[wanted] = place
                self.reasons[wanted] = say(
                    "%(column)s: %(hits)s of the first %(count)s cells are %(what)s",
                    column=self.header[place],
                    hits=hits,
                    count=count,
                    what=_LOOKS[wanted][1],
                )

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def cell(self, cells: Sequence[str], name: str) -> str:
        """Return a row's cell for a field, a time of day that has a column of its own behind its day."""
        at = self._at.get(name)
        if at is None or words.is_empty(cells[at]):
            return ""
        found = cells[at].strip()
        beside = self._at.get(f"{name.removesuffix('_at')}_time") if name.endswith("_at") else None
        if beside is not None and cells[beside].strip():
            # A day typed as a day may bring its midnight along.
            day = _MIDNIGHT.sub("", found)
            if ":" not in day:
                return f"{day} {cells[beside].strip()}"
        return found

    def looks(
        self, name: str, like: str, rows: Sequence[Sequence[str]], region: str, *, least: float = _MOST
    ) -> bool:
        """Tell whether the cells of a field's column, or ``least`` of them, look like another field's."""
        hits, count = _looking(self._at[name], like, rows, region) if name in self._at else (0, 0)
        return count > 0 and hits >= least * count

    def move(self, name: str, to: str) -> None:
        """Read another field from a field's column."""
        self._at[to] = self._at.pop(name)

    def leave(self, name: str) -> None:
        """Read a field from no column."""
        self._at.pop(name, None)

    def keep(self, names: Collection[str]) -> list[int]:
        """Return where columns of these folded names stand that no field is read from; they count as used."""
        used = set(self._at.values())
        found = [at for at, name in enumerate(self.header) if at not in used and fold(name) in names]
        self._kept.update(found)
        return found

    def fields(self) -> list[str]:
        """Return the fields that have a column."""
        return list(self._at)

    def unused(self) -> list[str]:
        """Return the columns that no field is read from."""
        used = self._kept.union(self._at.values())
        return [name for at, name in enumerate(self.header) if name and at not in used]

    def index(self, name: str) -> int | None:
        """Return where a field stands, or None."""
        return self._at.get(name)

    def column(self, name: str) -> str:
        """Return the header under which a field stands, or the field's own name."""
        return self.header[self._at[name]] if name in self._at else name

    def plain(self, name: str) -> str:
        """Return the header under which a field stands, without the currency or remark in it."""
        return _unit(self.column(name))[0]

    def currency(self, name: str) -> str | None:
        """Return the currency that a column's name holds, as in ``Amount spent (EUR)``."""
        return _unit(self.column(name))[1] if name in self._at else None

    def sign(self, name: str) -> str:
        """Return the sign of several currencies in a column's name; "" where there is none."""
        return _sign(self.column(name)) if name in self._at else ""

    def tens(self, name: str) -> int:
        """Return how many zeros a column's amounts leave out, as those of ``Umsatz (TEUR)`` do."""
        return _unit(self.column(name))[2] if name in self._at else 0

    def require(self, *alternatives: str) -> None:
        """Refuse a file that has no column for any of ``alternatives``."""
        if not any(name in self._at for name in alternatives):
            raise Invalid(
                "file",
                "no column for %(wanted)s. Columns in the file: %(known)s. Set it with --map "
                '%(first)s="COLUMN"',
                wanted=" or ".join(alternatives),
                known=", ".join(self.header),
                first=alternatives[0],
            )


# What a duration is counted in, behind its name.
_LASTING = re.compile(
    r"[ ,]{1,2}(?:(?:in|i|в) )?(?:s|sec|sek|seconds|sekunden|sekunder|сек|секунд|min|minutes|minuten|minuter"
    r"|мин|минут|минутах|秒|分钟)\.?$",
    re.IGNORECASE,
)
_MIDNIGHT = re.compile(r"[T ]0?0:00(?::00(?:\.0+)?)?$")
_TWIN = re.compile(r" \(\d{1,3}\)$")
_IN = re.compile(r"^(?:in|i|в)\s+", re.IGNORECASE)
_TAX = re.compile(
    r"[ ,;]{1,3}\(?(?:(?:с|без|вкл\.?|включая|не включая) НДС|(?:incl|excl|inc|ex|inkl|exkl|zzgl|utan|med)\.?"
    r" (?:VAT|tax|MwSt|USt|moms)\.?|netto|brutto|net|gross|不?含税)\)?$",
    re.IGNORECASE,
)


def _without_their_table(folded: Sequence[str]) -> list[str]:
    """Return names without the word that most begin with: Pipedrive's "Deal - Titel" is a title."""
    first = Counter(name.partition(" ")[0] for name in folded if " " in name)
    word, count = first.most_common(1)[0] if first else ("", 0)
    if count < 4 or 2 * count <= len(folded):
        return []
    return [name.removeprefix(f"{word} ") if name.startswith(f"{word} ") else "" for name in folded]


def distinct(header: Sequence[str]) -> list[str]:
    """Return the names of columns, those that occur more than once with a number behind."""
    tidy = [" ".join(name.strip("\ufeff").split()).rstrip("*").strip() for name in header]
    seen: dict[str, int] = {}
    found = []
    for name in tidy:
        seen[fold(name)] = seen.get(fold(name), 0) + 1
        twin = bool(name) and sum(fold(other) == fold(name) for other in tidy) > 1
        found.append(f"{name} ({seen[fold(name)]})" if twin else name)
    return found


@lru_cache(maxsize=1000)
def _unit(name: str) -> tuple[str, str | None, int]:
    """Split a column's name into itself, the currency that it states and how many zeros amounts leave out.

    Either may stand in brackets or behind, and a remark on taxes behind that.
    """
    name = _TAX.sub("", _TWIN.sub("", name))
    plain = words.bare(name)
    if plain != name:
        inside = _TAX.sub("", name[len(plain) :].strip().strip("()[]{}（）").strip())
        if found := _counted_in(inside):
            return _TAX.sub("", plain), *found
        # "(in UTC)", "(Primary)" and "(net)" say nothing of which column it is.
        return plain, None, 0
    parts = re.split(r"[ ,/]{1,3}", name)
    for count in range(min(3, len(parts) - 1), 0, -1):
        head = name[: name.rfind(parts[-count])].rstrip(" ,/")
        if head and (found := _counted_in(" ".join(parts[-count:]))):
            return words.bare(_TAX.sub("", head)), *found
    return _LASTING.sub("", name), None, 0


def _counted_in(text: str) -> tuple[str | None, int] | None:
    """Return the currency that the end of a column's name states, and how many zeros amounts leave out."""
    text = _IN.sub("", text)
    if scaled := values.in_tens(text):
        return values.currency_of(scaled[1]), scaled[0]
    if text.isalpha() and text.islower() and (len(text) > 4 or text.upper() in money.CODES):
        return None  # a word: all, try, real
    code = values.currency_of(text)
    return (code, 0) if code or values.codes_of(text) else None


def _sign(name: str) -> str:
    """Return the sign of several currencies that a column's name states, as in ``Belopp (kr)``."""
    name = _TAX.sub("", _TWIN.sub("", name))
    plain = words.bare(name)
    inside = name[len(plain) :].strip().strip("()[]{}（）") if plain != name else re.split(r"[ ,/]", name)[-1]
    inside = _IN.sub("", _TAX.sub("", inside.strip()))
    text = scaled[1] if (scaled := values.in_tens(inside)) else inside
    return text if values.codes_of(text) and not values.currency_of(text) else ""


def _looking(place: int, wanted: str, rows: Sequence[Sequence[str]], region: str) -> tuple[int, int]:
    """Return how many cells of a column look like a field, and of how many that are not empty."""
    test = _LOOKS[wanted][0]
    cells = [row[place] for row in rows if place < len(row) and not words.is_empty(row[place])]
    if test is _is_phone:
        # A number that was withheld speaks neither for nor against.
        cells = [cell for cell in cells if phone.parse(cell, region).state != phone.NumberState.withheld]
    return sum(test(cell, region) for cell in cells), len(cells)


def _is_phone(cell: str, region: str) -> bool:
    try:
        found = values.telephones(cell, "phone", region)
    except Invalid:
        return False
    return bool(found) and sum(character.isdigit() for character in cell) >= 7 and "." not in cell


def _is_day(cell: str, region: str) -> bool:
    try:
        values.moment(cell, "day", Dialect(UTC, "EUR", day_first=True))
    except Invalid as error:
        return "other way round" in str(error)
    return not cell.strip().isdigit()


def _is_money(cell: str, region: str) -> bool:
    found = values.figure(cell)
    if (
        found is None
        or len(found.digits) > 20
        or any(c not in "0123456789., '\u00a0\u202f’" for c in found.digits)
    ):
        return False
    return bool(found.labels and all(values.codes_of(x) or values.in_tens(x) for x in found.labels)) or (
        not found.labels and any(mark in found.digits for mark in ".,") and not _is_day(cell, region)
    )


def _is_mail(cell: str, region: str) -> bool:
    return bool(_MAIL.fullmatch(cell.strip()))


def _is_course(cell: str, region: str) -> bool:
    return fold(cell) in COURSES or STATUSES.get(fold(cell)) in (CallStatus.missed, CallStatus.voicemail)


def _is_answered(cell: str, region: str) -> bool:
    return fold(cell) in words.listed("yes") | words.listed("no") or fold(cell) in STATUSES


def _is_stage(cell: str, region: str) -> bool:
    return fold(cell.partition("(")[0]) in words.values("stages")


def _is_kind(cell: str, region: str) -> bool:
    return fold(cell) in words.values("kinds")


# By field: what its cells look like, and what that is called.
_LOOKS: Mapping[str, tuple[Callable[[str, str], bool], Sentence]] = {
    "phone": (_is_phone, say("phone numbers")),
    "caller": (_is_phone, say("phone numbers")),
    "dialled": (_is_phone, say("phone numbers")),
    "email": (_is_mail, say("email addresses")),
    "closed_at": (_is_day, say("dates")),
    "occurred_at": (_is_day, say("dates")),
    "started_at": (_is_day, say("dates")),
    "period": (_is_day, say("dates")),
    "amount": (_is_money, say("amounts")),
    "stage": (_is_stage, say("deal stages")),
    "direction": (_is_course, say("directions of calls")),
    "status": (_is_answered, say("outcomes of calls")),
    "kind": (_is_kind, say("kinds of touches")),
}
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


def _document(path: str) -> dict[str, Any]:
    try:
        found = yaml_file.load(Path(path).read_bytes())
    except OSError as error:
        raise Invalid(
            "mapping", "cannot open %(path)s: %(reason)s", path=path, reason=error.strerror
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid("mapping", "%(path)s is not YAML: %(error)s", path=path, error=error) from None
    if not isinstance(found, dict):
        raise Invalid("mapping", "%(path)s must be a mapping with columns and, for deals, stages", path=path)
    return found
