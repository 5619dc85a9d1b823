"""All kinds of files that can be imported: which one a file is, how its columns are read, and its import."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from tracking import clock
from tracking.errors import Conflict, Invalid, Sentence, say, unpacked
from tracking.imports import run, supplier, undo, words
from tracking.imports.call_log import CallLog, status_known
from tracking.imports.cdr import CallRecords, refuse_bill
from tracking.imports.costs import Costs
from tracking.imports.deals import Deals, forms_of
from tracking.imports.headed import Headed
from tracking.imports.mapping import Columns, Told, distinct
from tracking.imports.outcomes import Fault, Refusal, RefusedFile, Result, refused_line
from tracking.imports.reading import Broken, Row, Table
from tracking.imports.run import Format
from tracking.imports.touches import Touches
from tracking.imports.uploads import Upload, UploadStore
from tracking.imports.values import Dialect, fold
from tracking.imports.visits import Visits
from tracking.records import rates
from tracking.storage import db, money, vault
from tracking.storage.config import Settings
from tracking.storage.models import ImportMapping, ImportRun

HEADED: Mapping[str, type[Headed]] = {
    "deals": Deals,
    "costs": Costs,
    "calls": CallLog,
    "touches": Touches,
    "visits": Visits,
}
KINDS = (*HEADED, "cdr", "supplier")
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
_LARGEST_YAML = 10_000_000
_REFUSALS_KEPT = 1000
"""Refused rows that can be mended in place; the file of refused rows holds all of them."""


class _Mended(Table):
    """A table in which some rows are read as they were mended; one of which nothing is left is left out."""

    mended: Mapping[str, list[str]] = {}

    def rows(self, *, width: int | None = None) -> Iterator[Row | Broken]:
        """Read the file from its beginning."""
        for row in super().rows(width=width):
            cells = self.mended.get(str(row.line))
            if cells is None:
                yield row
            elif any(cells):
                yield Row(row.line, list(cells))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: its name, some of its values, and the field it is read as, if any."""

    name: str
    samples: list[str]
    field: str
    reason: Sentence | None = None
    """Why it is read so, where its name does not say so."""


def table_of(upload: Upload, file: BinaryIO) -> Table:
    """Return an upload's rows, the mended ones as they are now."""
    separator = SEPARATORS.get(upload.options.get("separator", ""), "")
    table = _Mended(
        file,
        upload.name,
        encoding=upload.options.get("encoding", ""),
        separator=separator,
        header=int(upload.options.get("header", 0)),
        sheet=upload.options.get("sheet", ""),
    )
    table.mended = upload.mended
    return table


def guess(upload: Upload, file: BinaryIO) -> str:
    """Tell the kind of a file by its name and first line, or raise Invalid where it fits none."""
    if upload.name.casefold().endswith((".yaml", ".yml")):
        return "supplier"
    table = table_of(upload, file)
    _head(upload, table, 2)
    return _kind_of(table)[0]


def _kind_of(table: Table) -> tuple[str, str]:
    """Return the kind that a table most likely is, and whose file it is; "" where nothing says so."""
    fits: dict[str, tuple[float, int]] = {}
    header = distinct(table.head(1)[0].cells)
    for kind, form in HEADED.items():
        columns = Columns(header, form.aliases)
        groups = form.told_by or form.needed or _TOLD_BY[kind]
        met = sum(any(name in columns for name in group) for group in groups)
        fits[kind] = met / len(groups), sum(name in columns for name in form.aliases)
    best = max(fits, key=lambda kind: fits[kind], default="deals")
    try:
        return "cdr", CallRecords(table, Dialect(None, "EUR"), "ZZ").name
    except Invalid:
        return best, _LIKE[best] if fits[best][0] == 1 else ""


_LIKE = {
    "deals": say("deals"),
    "costs": say("costs"),
    "calls": say("a call log"),
    "touches": say("touches"),
    "visits": say("counts of web visits"),
}


def of_another_kind(problem: Invalid, table: Table, kind: str) -> Invalid:
    """Return why a file cannot be read as one kind; where it looks like one of another kind, with that."""
    with suppress(Invalid, IndexError):
        like, name = _kind_of(table)
        calls = {"calls", "cdr"}
        told = problem.field != "file" or "like" in problem.reason.values
        if name and not told and like != kind and {like, kind} != calls:
            return Invalid(
                "file",
                "%(problem)s. It looks like %(like)s; use `ringtrail import %(kind)s`",
                problem=problem.reason,
                like=name,
                kind=like,
            )
    return problem


# Of a call log no field alone must be there: answers come with the id of a call.
_TOLD_BY = {
    "calls": (
        ("started_at", "call_id"),
        ("caller", "dialled"),
        ("duration_s", "talk_s", "status", "heard_from"),
    )
}


def words_to_map(upload: Upload, table: Table, kind: str, region: str) -> list[str]:
    """Return the words of a file that stand where one of a closed list is wanted, and are not known."""
    if kind not in _CLOSED:
        return []
    told = Told(upload.columns or {}, {}, whole=upload.columns is not None)
    try:
        columns = HEADED[kind].columns_of(table, told, region)
    except Invalid:
        return []
    fields, known = _CLOSED[kind]
    field = next((name for name in fields if name in columns), None)
    found: dict[str, None] = {}
    for row in islice(table.rows(width=len(columns.header)), 1, _LOOKED_THROUGH) if field else ():
        if isinstance(row, Row) and len(row.cells) == len(columns.header):
            word = columns.cell(row.cells, str(field))
            if field == "status" and status_known(word, columns.column("status")):
                continue
            if word and not known(word) and not words.begins_with_total(word):
                found[word] = None
    return list(dict.fromkeys([*upload.stages, *found]))[:_WORDS_ASKED]


def _stage_known(word: str, section: str = "stages") -> bool:
    """Tell whether a word of a closed list is known in one of the forms in which systems write it."""
    return any(fold(form) in words.values(section) for form in forms_of(word))


# By kind, the columns whose words are of a closed list, and which of them are known.
_CLOSED: Mapping[str, tuple[Sequence[str], Callable[[str], bool]]] = {
    "deals": (("stage", "outcome"), _stage_known),
    "touches": (("kind",), partial(_stage_known, section="kinds")),
    "calls": (("status",), status_known),
}
_LOOKED_THROUGH = 20_000
_WORDS_ASKED = 30


def _head(upload: Upload, table: Table, rows: int) -> list[Row]:
    if head := table.head(rows):
        return head
    raise Invalid("file", "no line in %(name)s could be read; save it as CSV in UTF-8", name=upload.name)


def columns_of(upload: Upload, table: Table, kind: str, region: str) -> list[Column]:
    """Return the columns of a file of this kind with samples, as they are or would be read."""
    head = _head(upload, table, 6)
    if kind not in HEADED:
        return []
    header = distinct(head[0].cells)
    told = Told(upload.columns or {}, whole=upload.columns is not None)
    try:
        columns = HEADED[kind].columns_of(table, told, region)
    except Invalid:
        # Told of another kind or another file, or two columns of one name.
        try:
            columns = HEADED[kind].columns_of(table, Told(), region)
        except Invalid:
            columns = Columns(header, HEADED[kind].aliases)
    places = {columns.index(name): name for name in HEADED[kind].aliases if name in columns}
    if upload.columns is None:
        # Of columns of one name none is chosen unseen.
        raw = [" ".join(cell.split()) for cell in head[0].cells]
        places = {at: name for at, name in places.items() if at is None or raw.count(raw[at]) == 1}
    return [
        Column(
            name.strip(),
            [row.cells[place].strip() for row in head[1:] if place < len(row.cells) and row.cells[place]][:3],
            places.get(place, ""),
            columns.reasons.get(places.get(place, "")),
        )
        for place, name in enumerate(header)
    ]


def form_of(upload: Upload, table: Table, settings: Settings) -> Format[Any]:
    """Return the format of a file as it was told, or raise Invalid."""
    try:
        return _form_of(upload, table, settings)
    except Invalid as problem:
        raise of_another_kind(problem, table, upload.kind) from None


def _form_of(upload: Upload, table: Table, settings: Settings) -> Format[Any]:
    told, region = upload.options, settings.region
    zone = ZoneInfo(told["timezone"]) if told.get("timezone") else settings.zone
    dates = told.get("dates")
    dialect = Dialect(
        zone=zone,
        currency=money.currency(told.get("currency") or settings.currency),
        day_first=None if dates not in ("dmy", "mdy") else dates == "dmy",
        decimal=told.get("decimal") or None,
        serials=dates == "serial",
        period=told.get("period", ""),
        currency_told=bool(told.get("currency")),
    )
    mapping = Told(upload.columns or {}, upload.stages, whole=upload.columns is not None)
    match upload.kind:
        case "cdr" | "calls":
            # What the page shows as columns to be mapped is read by them.
            return calls_form(
                table,
                dialect,
                region,
                mapping,
                desk=settings.default_destination,
                keep_outgoing=bool(told.get("keep_outgoing")),
                dialled=dialled_map(told.get("map_dialled", "").splitlines()),
                only=CallRecords if upload.kind == "cdr" else CallLog,
            )
        case "costs":
            return Costs(table, dialect, mapping)
        case "deals":
            return Deals(table, dialect, region, mapping)
        case "touches":
            return Touches(table, dialect, region, mapping)
        case "visits":
            return Visits(table, dialect, mapping, days=told.get("days", ""), site=told.get("site", ""))
    raise Invalid(
        "kind", "%(kind)r is not a file type; use one of: %(known)s", kind=upload.kind, known=", ".join(KINDS)
    )


def calls_form(
    table: Table,
    dialect: Dialect,
    region: str,
    told: Told,
    *,
    desk: str = "",
    keep_outgoing: bool = False,
    dialled: Mapping[str, str] | None = None,
    only: type[CallRecords | CallLog] | None = None,
) -> CallRecords | CallLog:
    """Return how a file of calls is read: as records of a system that is known, else by its header.

    ``only`` decides between the two; columns that are told are those of a header.
    """
    unknown = None
    if only is not CallLog and not told.columns:
        try:
            return CallRecords(
                table, dialect, region, desk=desk, keep_outgoing=keep_outgoing, dialled=dialled
            )
        except Invalid as error:
            if only is CallRecords or error.field != "file":
                raise
            unknown = error
    head = table.head(1)
    if head:
        refuse_bill(head[0].cells)
    try:
        return CallLog(table, dialect, region, told, desk=desk, keep_outgoing=keep_outgoing, dialled=dialled)
    except Invalid:
        header = head[0].cells if head else []
        if unknown is not None and any(c.isdigit() for cell in header for c in cell):
            # Its first line names no columns.
            raise unknown from None
        raise


def dialled_map(lines: Iterable[str]) -> dict[str, str]:
    """Read which tracking number an extension, a queue or digits stand for, written 800=+46701740690."""
    found = {}
    for line in filter(str.strip, lines):
        key, sign, number = line.partition("=")
        if not (key.strip() and sign and number.strip()):
            raise Invalid(
                "map_dialled",
                "%(line)r is not in the form 800=+46701740690; enter one per line",
                line=line.strip(),
            )
        found[key.strip()] = number.strip()
    return found


def remember(session: Session, upload: Upload, header: Sequence[str]) -> None:
    """Keep what was told of a file, its kind included, for the next one with the same headers."""
    session.execute(delete(ImportMapping).where(ImportMapping.header_hash == _hash(header)))
    said = {"columns": upload.columns, "stages": upload.stages, "options": upload.options}
    session.add(ImportMapping(kind=upload.kind, header_hash=_hash(header), mapping=said))


def recall(session: Session, upload: Upload, header: Sequence[str]) -> bool:
    """Say of a file what was told of the last one with the same headers; tell whether there was one."""
    row = session.scalar(
        select(ImportMapping)
        .where(ImportMapping.header_hash == _hash(header))
        .order_by(ImportMapping.id.desc())
        .limit(1)
    )
    if row is None:
        return False
    upload.kind = row.kind
    upload.columns, upload.stages = row.mapping["columns"], row.mapping["stages"]
    upload.options = row.mapping["options"]
    return True


def take(
    engine: Engine,
    settings: Settings,
    upload: Upload,
    *,
    dry_run: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Mapping[str, Any]:
    """Import an upload, or try it; what was found stays sealed beside it, the counts are returned.

    ``progress`` is told the rows read and about how many there are in all.
    """
    store = UploadStore(settings.data_dir)
    found = store.found(upload.token)
    if dry_run or found is None or not found.get("imported"):
        with store.open(upload.token) as file:
            if upload.kind == "supplier":
                found = _supplier(engine, settings, upload, file, dry_run)
            else:
                found = _rows(engine, settings, upload, file, dry_run, store, progress)
        store.keep(upload.token, "found", found | {"imported": not dry_run})
    # Else the worker died after the import and before it could say so.
    if not dry_run:
        store.drop(upload.token, "content")
    return {name: found[name] for name in ("created", "updated", "skipped", "refused")} | {
        "campaigns": len(found["campaigns_created"]),
        "token": upload.token,
        "kind": upload.kind,
    }


def try_again(engine: Engine, settings: Settings, upload: Upload, rows: Mapping[int, list[str]]) -> Result:
    """Try mended rows by themselves; refusals name the lines that they have in the file."""
    lines = sorted(rows)
    # The whole file decides how its columns are written, the rows as they are now among the others.
    mended = replace(upload, mended=upload.mended | {str(line): cells for line, cells in rows.items()})
    with UploadStore(settings.data_dir).open(upload.token) as file:
        form = form_of(mended, table_of(mended, file), settings)
    header = form.header
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows(([header] if header is not None else []) + [rows[line] for line in lines])
    table = Table(
        io.BytesIO(text.getvalue().encode()), upload.name, encoding="utf-8", separator=",", header=1
    )
    result = run.run(engine, table, form, at=clock.now(), dry_run=True, piecemeal=True)
    first = 2 if header is not None else 1
    result.refusals = [replace(refusal, line=lines[refusal.line - first]) for refusal in result.refusals]
    return result


def as_found(result: Result, header: Sequence[str] | None) -> dict[str, Any]:
    """Return what came of an import with its refused rows whole."""
    found = result.as_json() | {"header": list(header) if header is not None else None}
    for told, refusal in zip(found["refusals"], result.refusals, strict=True):
        told["cells"] = list(refusal.cells)
        told["sentence"] = refusal.reason.packed()
        told["also"] = [
            {"column": fault.column, "value": fault.value, "sentence": fault.reason.packed()}
            for fault in refusal.faults[1:]
        ]
    found["notes"] = [note.packed() for note in (*result.notes, *result.passed_over)]
    return found


def rewrite_refused(
    store: UploadStore,
    upload: Upload,
    header: Sequence[str] | None,
    tried: Mapping[int, Mapping[str, Any] | None],
) -> None:
    """Take mended rows (None) out of the file of refused rows; those refused again stand as they are now."""
    with (
        store.open(upload.token) as file,
        store.open(upload.token, "refused") as before,
        store.draft() as now,
    ):
        table = table_of(upload, file)
        kept = RefusedFile(now, table, header)
        text = io.TextIOWrapper(before, encoding=table.encoding, errors="backslashreplace", newline="")
        rows = csv.reader(text, delimiter=table.separator)
        if header is not None:
            next(rows, None)
        for row in rows:
            line = refused_line(row)
            if line is None or line not in tried:
                kept.again(row)
            elif told := tried[line]:
                faults = (
                    Fault(each["column"], each["value"], unpacked(each["sentence"]))
                    for each in (told, *told["also"])
                )
                kept.write(told["cells"], Refusal(line, tuple(faults)))
        kept.close()
        text.detach()
        store.seal_anew(upload.token, "refused", now)


def _rows(
    engine: Engine,
    settings: Settings,
    upload: Upload,
    file: BinaryIO,
    dry_run: bool,
    store: UploadStore,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    table = table_of(upload, file)
    form = form_of(upload, table, settings)
    with store.draft() as refused:
        result = run.run(
            engine,
            table,
            form,
            at=clock.now(),
            dry_run=dry_run,
            piecemeal=True,
            refused=refused,
            shown=_REFUSALS_KEPT,
            progress=lambda done, rows: progress(rows, round(rows * table.size / max(done, 1))),
        )
        store.seal_anew(upload.token, "refused", refused)
    if not dry_run and upload.options.get("strict") and result.refused and result.run_id is not None:
        # One transaction for the whole file would keep this job's own progress from being written.
        run_id = result.run_id
        db.commit(engine, lambda session: undo.undo(session, run_id, at=clock.now()))
        raise Conflict(
            "nothing from %(name)s was imported: all rows or none was chosen, and line %(line)s is rejected",
            name=upload.name,
            line=result.refusals[0].line,
        )
    if result.rows == 0:
        raise Invalid("file", "%(name)s has a header but no rows; choose a file with data", name=upload.name)
    days = getattr(form, "first_days", {})
    with db.reading(engine) as session:
        unrated = rates.not_reached(session, settings.currency, days)
    return as_found(result, form.header) | {"unrated": {code: f"{day}" for code, day in unrated.items()}}


def _supplier(
    engine: Engine, settings: Settings, upload: Upload, file: BinaryIO, dry_run: bool
) -> dict[str, Any]:
    if upload.size > _LARGEST_YAML:
        raise Invalid(
            "file",
            "%(name)s is larger than %(most)s bytes; split it by campaign",
            name=upload.name,
            most=_LARGEST_YAML,
        )
    document = supplier.parse(file.read(), upload.name)
    at = clock.now()
    with Session(engine) as session, session.begin() as whole:
        counts = supplier.save(session, document, at=at, region=settings.region, zone=settings.zone)
        created = sum(counts.values())
        if dry_run:
            whole.rollback()
        else:
            session.add(
                ImportRun(
                    kind="supplier",
                    file_name=upload.name,
                    finished_at=at,
                    created=created,
                    updated=0,
                    skipped=0,
                    refused=0,
                )
            )
    return {
        "created": created, "updated": 0, "skipped": 0, "refused": 0, "format": "supplier file",
        "encoding": "utf-8", "rows": created, "refusals": [], "skip_reasons": {}, "header": None,
        "campaigns_created": [], "added": dict(counts), "notes": [],
    }  # fmt: skip


def _hash(header: Sequence[str]) -> str:
    return vault.mark("import headers", "\x1f".join(map(fold, header)))
