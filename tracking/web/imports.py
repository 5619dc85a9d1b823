"""Imports by file: given once, told what is what, tried, mended row by row, then brought in by a job."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import get_locale, gettext, ngettext
from sqlalchemy import func, select
from werkzeug.wrappers import Response as AnyResponse

from tracking import clock
from tracking.access import jobs
from tracking.errors import Conflict, Invalid, NotFound, Sentence, say, unpacked
from tracking.imports import kinds, templates, undo
from tracking.imports.encoding import decoder
from tracking.imports.mapping import distinct
from tracking.imports.nature import refuse_no_table
from tracking.imports.reading import Table
from tracking.imports.uploads import Upload, UploadStore
from tracking.language.words import (
    call_state_words,
    column_words,
    import_kind_words,
    job_state_words,
    record_words,
    stage_words,
    stay_words,
    template_words,
    touch_kind_words,
)
from tracking.records import rates
from tracking.storage import money
from tracking.storage.models import ImportRun, Job
from tracking.storage.vocabulary import CallStatus
from tracking.web import forms, pages
from tracking.web.pages import MARKETERS, Work

Page = str | tuple[str, int] | AnyResponse
_RUNS = 50
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MENDED = 20
"""Refused rows shown at once to be mended."""
_LARGEST_MEND = 5_000_000
_ENCODINGS = [
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("cp1252", "Windows-1252"),
    ("cp1251", "Windows-1251"),
    ("gb18030", "GB 18030"),
]
_OPTIONS = (
    "sheet",
    "header",
    "separator",
    "encoding",
    "timezone",
    "currency",
    "decimal",
    "dates",
    "period",
    "keep_outgoing",
    "map_dialled",
    "days",
    "site",
)


@pages.page("/imports", MARKETERS, methods=("GET", "POST"), largest=lambda: pages.settings().max_upload_bytes)
def import_list() -> Page:
    problem = None
    if request.method == "POST":
        try:
            upload = _receive()
        except Invalid as error:
            problem = error
        else:
            return redirect(url_for("web.import_file", token=upload.token), 303)
    with pages.reading() as session:
        runs = session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(_RUNS)).all()
        last = session.execute(
            select(ImportRun.kind, func.max(ImportRun.finished_at))
            .where(ImportRun.undone_at.is_(None))
            .group_by(ImportRun.kind)
        )
        page = render_template(
            "imports/list.html",
            runs=[(run, undo.can_be_undone(run, clock.now())) for run in runs],
            ages=[
                (import_kind_words()[kind], at, _age(at)) for kind, at in last if kind in import_kind_words()
            ],
            waiting=[(upload, datetime.fromisoformat(upload.at)) for upload in _store().waiting()],
            kinds=import_kind_words(),
            largest=pages.settings().max_upload_bytes // 1_000_000,
            templates=[(kind, template_words()[kind]) for kind in templates.KINDS],
            problem=problem,
        )
    return (page, 422) if problem else page


@pages.page("/imports/runs/<int:run_id>/undo", MARKETERS, methods=("GET", "POST"))
def undo_import(run_id: int) -> Page:
    """Show what undoing an import would do; then do it."""
    if request.method == "POST":

        def work(job: Work) -> str:
            plan = undo.undo(job.session, run_id, at=job.at)
            job.note("import undo", f"{plan.run.kind}: import {run_id}")
            return plan.run.file_name

        flash(gettext("Import of %(name)s undone.", name=pages.change(work)))
        return redirect(url_for("web.import_list"), 303)
    with pages.reading() as session:
        plan = undo.plan(session, run_id, at=clock.now())
        words = record_words()
        return render_template(
            "imports/undo.html",
            run=plan.run,
            rows=[
                (word, plan.going.get(key, 0), plan.restored.get(key, 0), plan.staying.get(key, 0))
                for key, word in words
                if key in plan.going or key in plan.restored or key in plan.staying
            ],
            named=[(dict(words)[stay.table], stay.name, stay_words()[stay.why]) for stay in plan.named],
            more=sum(plan.staying.values()) - len(plan.named),
            any=bool(plan.going or plan.restored),
        )


@pages.page("/imports/template/<kind>.xlsx", MARKETERS)
def import_template(kind: str) -> Response:
    if kind not in templates.KINDS:
        raise NotFound("template not found")
    language = str(get_locale())
    answer = Response(templates.workbook(kind, language), mimetype=_XLSX)
    answer.headers.set("Content-Disposition", "attachment", filename=f"ringtrail-{kind}.xlsx")
    return answer


@pages.page("/imports/<token>", MARKETERS, methods=("GET", "POST"))
def import_file(token: str) -> Page:
    upload = _waiting(token)
    problem = None
    if request.method == "POST":
        try:
            tried = _tell(upload)
            return redirect(url_for("web.import_check" if tried else "web.import_file", token=token), 303)
        except (Invalid, Conflict) as error:
            problem = error
    elif (kind := request.args.get("kind")) in kinds.KINDS and kind != upload.kind:
        upload.kind, upload.columns, upload.stages, upload.mended = str(kind), None, {}, {}
    with _store().open(token) as file:
        table = kinds.table_of(upload, file)
        region = pages.settings().region
        columns = kinds.columns_of(upload, table, upload.kind, region) if upload.kind != "supplier" else []
        asked, notes, hint = _questions(upload, table)
        rows = [row.cells for row in table.head(4)] if upload.kind == "cdr" else []
        page = render_template(
            "imports/file.html",
            upload=upload,
            columns=columns,
            rows=rows,
            read_as=(table.encoding, table.separator),
            fields=_fields(upload.kind),
            kinds=list(import_kind_words().items()),
            words_to_map=kinds.words_to_map(upload, table, upload.kind, region),
            meanings=_meanings(upload.kind),
            sheets=[(each, each) for each in table.sheets],
            sheet=table.sheet,
            header_line=table.header_line,
            preamble=table.preamble[:12],
            asked=asked,
            notes=notes,
            hint=hint,
            encodings=_ENCODINGS,
            problem=problem,
        )
    return (page, 422) if problem else page


@pages.page("/imports/<token>/check", MARKETERS)
def import_check(token: str) -> Page:
    upload = _store().get(token)
    with pages.reading() as session:
        if upload.import_job is not None:
            return redirect(url_for("web.job_page", job_id=upload.import_job), 303)
        if upload.check_job is None:
            return redirect(url_for("web.import_file", token=token), 303)
        return _check_page(upload, jobs.get(session, upload.check_job))


@pages.page("/imports/<token>/again", MARKETERS, methods=("POST",))
def try_file_again(token: str) -> AnyResponse:
    upload = _waiting(token)
    _try(upload)
    return redirect(url_for("web.import_check", token=token), 303)


@pages.page("/imports/<token>/mend", MARKETERS, methods=("POST",), largest=lambda: _LARGEST_MEND)
def mend_rows(token: str) -> Page:
    upload = _waiting(token)
    found = _store().found(token)
    if found is None:
        return redirect(url_for("web.import_check", token=token), 303)
    left = _mend(upload, found)
    if left:
        flash(
            ngettext("%(num)d row is still rejected.", "%(num)d rows are still rejected.", left),
            "error",
        )
    else:
        flash(gettext("Your fixed rows are ready to import."))
    return redirect(url_for("web.import_check", token=token), 303)


@pages.page("/imports/<token>/refused.csv", MARKETERS)
def refused_rows(token: str) -> Response:
    upload = _store().get(token)
    with _store().open(token, "refused") as file:
        content = file.read()
    pages.change(lambda job: job.note("import export", f"{_named(upload)}, rejected rows"))
    stem = "".join(c for c in upload.name.rpartition(".")[0] if c.isalnum() or c in "-_ ") or "rows"
    answer = Response(content, mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{stem}-refused.csv")
    return answer


@pages.page("/imports/<token>/start", MARKETERS, methods=("POST",))
def start_import(token: str) -> AnyResponse:
    upload = _waiting(token)
    found = _store().found(token)
    if found is None:
        raise Conflict(gettext("Preview this file first."))
    upload.options.pop("strict", None)
    if forms.flag("strict"):
        if found["refused"]:
            raise Conflict(gettext('Some rows are rejected. Fix them first, or clear "All rows or none".'))
        upload.options["strict"] = "yes"

    def work(job: Work) -> int:
        row = _enqueue(job, upload, dry_run=False)
        job.note("import start", _named(upload))
        return row

    upload.import_job = pages.change(work)
    _store().save(upload)
    return redirect(url_for("web.job_page", job_id=upload.import_job), 303)


@pages.page("/imports/<token>/drop", MARKETERS, methods=("POST",))
def drop_import(token: str) -> AnyResponse:
    upload = _store().get(token)
    pages.change(lambda job: job.note("import drop", _named(upload)))
    _store().drop(token)
    flash(gettext("File discarded."))
    return redirect(url_for("web.import_list"), 303)


def _store() -> UploadStore:
    return UploadStore(pages.settings().data_dir)


def _fields(kind: str) -> list[tuple[str, str]]:
    """Return the fields that a column of such a file can be, with their names, by name."""
    if kind not in kinds.HEADED:
        return []
    words = column_words()
    return sorted(((name, words[name]) for name in kinds.HEADED[kind].aliases), key=lambda pair: pair[1])


def _meanings(kind: str) -> list[tuple[str, str]]:
    """Return what a word of a closed list can mean, with what it is called."""
    match kind:
        case "deals":
            return stage_words()
        case "touches":
            return touch_kind_words()
        case "calls":
            ends = {CallStatus.completed, CallStatus.missed, CallStatus.voicemail}
            return [(state, word) for state, word in call_state_words() if state in ends]
    return []


def _questions(upload: Upload, table: Table) -> tuple[set[str], list[Sentence], Invalid | None]:
    """Return what must be told of a file, what was found out about it, and why it cannot be read yet."""
    if upload.kind not in kinds.HEADED:
        return set(), [], None
    try:
        form = kinds.form_of(upload, table, pages.settings())
    except Invalid as error:
        return set(), [], error
    decided = getattr(form, "decided", None)
    told = {name for name in ("decimal", "dates", "period") if upload.options.get(name)}
    return (decided.asked if decided else set()) | told, list(form.notes), None


def option_from_form() -> dict[str, str]:
    """Return what the form says about how the file is written, or raise Invalid."""
    told = {name: forms.text(name) or "" for name in _OPTIONS}
    kinds.dialled_map(told["map_dialled"].splitlines())
    if told["encoding"]:
        decoder(told["encoding"])
    if told["timezone"]:
        try:
            ZoneInfo(told["timezone"])
        except (KeyError, ValueError, OSError):
            raise Invalid(
                "timezone",
                "%(told)r is not a time zone; enter one such as Europe/Stockholm",
                told=told["timezone"],
            ) from None
    if told["currency"]:
        told["currency"] = money.currency(told["currency"].upper())
    for name, allowed in (
        ("separator", kinds.SEPARATORS),
        ("decimal", (",", ".")),
        ("dates", ("dmy", "mdy", "serial")),
        ("period", ("day", "week", "month", "quarter", "year")),
    ):
        if told[name] and told[name] not in allowed:
            raise Invalid(name, "%(told)r is not an option; choose one from the list", told=told[name])
    if told["header"] and not (told["header"].isdigit() and 0 < int(told["header"]) < 1_000_000):
        raise Invalid("header", "not a line number; enter 1, 2, 3 …")
    return {name: value for name, value in told.items() if value}


def _named(upload: Upload) -> str:
    # By its token: files are named after whom they tell of, and the trail is kept for longer than they are.
    return f"{upload.kind} file {upload.token[:8]}"


def _age(at: datetime) -> int:
    return (clock.now() - at).days


def _receive() -> Upload:
    given = request.files.get("file")
    if given is None or not given.filename:
        raise Invalid("file", gettext("choose one"))
    refuse_no_table(cast(Any, given.stream), given.filename)
    given.stream.seek(0)
    who: dict[str, str] = {}

    def work(job: Work) -> None:
        job.note("import upload", f"{Path(str(given.filename)).suffix[:10]} file")
        who["by"] = job.user.email

    pages.change(work)
    upload = _store().put(cast(Any, given.stream), given.filename, by=who["by"], at=clock.now())
    try:
        with _store().open(upload.token) as file:
            upload.kind = kinds.guess(upload, file)
            if upload.kind != "supplier":
                head_row = distinct(kinds.table_of(upload, file).head(1)[0].cells)
                with pages.reading() as session:
                    kinds.recall(session, upload, head_row)
    except Invalid:
        _store().drop(upload.token)
        raise
    _store().save(upload)
    return upload


def _waiting(token: str) -> Upload:
    upload = _store().get(token)
    if upload.import_job is not None:
        raise Conflict(
            gettext(
                "This file has already been imported, or is being imported. Upload it again to start over."
            )
        )
    return upload


def _tell(upload: Upload) -> bool:
    """Take over what the form says of a file, and try it unless a column chosen holds unknown values."""
    kind = forms.text("kind") or ""
    if kind not in kinds.KINDS:
        raise Invalid("kind", "%(told)r is not an option; choose one from the list", told=kind)
    before = _cut(upload)
    upload.kind, upload.options = kind, option_from_form()
    if _cut(upload) != before:
        upload.mended = {}  # the cells are no longer those of these rows
    upload.columns, upload.stages = None, {}
    header: list[str] | None = None
    with _store().open(upload.token) as file:
        if kind in kinds.HEADED:
            table = kinds.table_of(upload, file)
            header = distinct(table.head(1)[0].cells)
            columns: dict[str, str] = {}
            for place, name in enumerate(header):
                field = request.form.get(f"column-{place}", "")
                if field and field in columns:
                    raise Invalid(
                        f"column-{place}", gettext("%(field)s is used for two columns", field=field)
                    )
                if field:
                    columns[field] = name.strip()
            upload.columns = columns
            asked = {name[5:]: word.strip() for name, word in request.form.items() if name[:5] == "word-"}
            for number, word in asked.items():
                if meaning := request.form.get(f"meaning-{number}"):
                    upload.stages[word] = meaning
            kinds.form_of(upload, table, pages.settings())
            found = kinds.words_to_map(upload, table, kind, pages.settings().region)
            if unknown := [word for word in found if word not in asked.values()]:
                _store().save(upload)
                flash(
                    ngettext(
                        "%(num)d value is unknown: %(words)s. Choose what it means, then preview.",
                        "%(num)d values are unknown: %(words)s. Choose what they mean, then preview.",
                        len(unknown),
                        words=", ".join(unknown),
                    ),
                    "error",
                )
                return False
        elif kind == "cdr":
            kinds.form_of(upload, kinds.table_of(upload, file), pages.settings())
    _try(upload, header)
    return True


def _cut(upload: Upload) -> tuple[str, ...]:
    """Return what decides into which rows and cells a file falls."""
    return (
        upload.kind,
        *(upload.options.get(name, "") for name in ("sheet", "header", "separator", "encoding")),
    )


def _try(upload: Upload, header: list[str] | None = None) -> None:
    def work(job: Work) -> int:
        if header is not None:
            kinds.remember(job.session, upload, header)
        job.note("import try", _named(upload))
        return _enqueue(job, upload, dry_run=True)

    _store().drop(upload.token, "found", "refused")
    _store().save(upload)
    upload.check_job = pages.change(work)
    _store().save(upload)


def _enqueue(job: Work, upload: Upload, *, dry_run: bool) -> int:
    label = say("Preview %(name)s", name=upload.name) if dry_run else say("Import %(name)s", name=upload.name)
    arguments = {"token": upload.token, "dry_run": dry_run}
    return jobs.enqueue(job.session, "import", label, arguments, by=job.user.email, at=job.at).id


def _check_page(upload: Upload, job: Job) -> AnyResponse:
    found = None if jobs.is_open(job) else _store().found(upload.token)
    refusals = found["refusals"] if found else []
    page = render_template(
        "imports/check.html",
        upload=upload,
        job=job,
        live=jobs.is_open(job),
        states=dict(job_state_words()),
        found=found,
        shown=refusals[:_MENDED],
        header=found["header"] if found else None,
        notes=[unpacked(told) for told in found.get("notes", [])] if found else [],
        unrated=_unrated(found.get("unrated", {})) if found else {},
        kinds=import_kind_words(),
        words=column_words(),
    )
    return pages.follow(page, job)


def _unrated(told: Mapping[str, str]) -> Mapping[str, date]:
    """Return the currencies of a file that have no rate from their day on, as of now."""
    days = {code: date.fromisoformat(day) for code, day in told.items()}
    with pages.reading() as session:
        return rates.not_reached(session, pages.settings().currency, days)


def _mend(upload: Upload, found: dict[str, Any]) -> int:
    """Take over the cells of the form, try those rows again, and return how many are still refused."""
    rows: dict[int, list[str]] = {}
    for refusal in found["refusals"]:
        line = int(refusal["line"])
        width = max(len(found["header"] or []), len(refusal["cells"]))
        cells = [request.form.get(f"cell-{line}-{place}") for place in range(width)]
        if any(cell is not None for cell in cells):
            rows[line] = [" ".join((cell or "").split()) for cell in cells]
    if not rows:
        return int(found["refused"])
    result = kinds.try_again(pages.engine(), pages.settings(), upload, rows)
    still = {told["line"]: told for told in kinds.as_found(result, found["header"])["refusals"]}
    for line in rows.keys() - still.keys():
        upload.mended[str(line)] = rows[line]
    found["refusals"] = [
        still.get(int(told["line"]), told)
        for told in found["refusals"]
        if int(told["line"]) not in rows or int(told["line"]) in still
    ]
    found["refused"] -= len(rows) - len(still)
    found["mended"] = found.get("mended", 0) + len(rows) - len(still)
    for name in ("created", "updated", "skipped"):
        found[name] += getattr(result, name)
    pages.change(lambda job: job.note("import mend", f"{len(rows) - len(still)} rows of {_named(upload)}"))
    kinds.rewrite_refused(_store(), upload, found["header"], {line: still.get(line) for line in rows})
    _store().save(upload)
    _store().keep(upload.token, "found", found)
    return len(still)
