"""Importing files on the command line."""

import hashlib
import sys
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Printed

from tracking import clock
from tracking.cli.installation import Installation, Whole, counted, json_option, pass_installation
from tracking.errors import Invalid, NotFound, say
from tracking.imports import kinds, mapping, run, templates
from tracking.imports import supplier as catalog
from tracking.imports.costs import Costs
from tracking.imports.deals import Deals
from tracking.imports.outcomes import Result
from tracking.imports.reading import Table
from tracking.imports.run import Format
from tracking.imports.touches import Touches
from tracking.imports.uploads import Upload, UploadStore
from tracking.imports.values import Dialect
from tracking.imports.visits import Visits
from tracking.records import rates
from tracking.storage import db, money

_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
_SHOWN = 20


def _zone(context: click.Context, parameter: click.Parameter, name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise click.BadParameter(f"{name!r} is not a time zone; use one such as Europe/Stockholm") from None


def _file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True)),
            click.option("--dry-run", is_flag=True, help="Show what would change; import nothing."),
            click.option("--strict", is_flag=True, help="Import nothing if any row is rejected."),
            click.option(
                "--refused",
                type=click.Path(dir_okay=False, path_type=Path),
                help="Save rejected rows to this file, to fix and import again.",
            ),
            click.option("--encoding", default="", help="File encoding (default: detected)."),
            click.option(
                "--sheet", default="", help="Sheet of a workbook (default: the first one with rows)."
            ),
            click.option(
                "--header-line",
                type=Whole(1),
                default=None,
                help="Line number of the header (default: detected).",
            ),
            click.option(
                "--separator",
                type=click.Choice(list(_SEPARATORS)),
                help="Column separator (default: detected).",
            ),
            click.option(
                "--timezone",
                callback=_zone,
                help="Time zone for times without one (default: RINGTRAIL_TIMEZONE; touches: rejected).",
            ),
            json_option,
            pass_installation,
        )
    ):
        command = option(command)
    return command


_dates = click.option(
    "--dates",
    type=click.Choice(["dmy", "mdy", "serial"]),
    help="Date order: day first (dmy), month first (mdy), or spreadsheet day numbers (serial).",
)


def _table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option("--mapping", "mapping_file", help="YAML file that maps columns to fields."),
            click.option(
                "--map",
                "columns",
                multiple=True,
                metavar="FIELD=COLUMN",
                help="Column of a field (repeatable).",
            ),
            click.option(
                "--currency", help="Currency for amounts without one (default: RINGTRAIL_CURRENCY)."
            ),
            click.option(
                "--decimal",
                type=click.Choice([",", "."]),
                help="Decimal mark (default: detected per column).",
            ),
            _dates,
        )
    ):
        command = option(command)
    return command


def _call_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option("--keep-outgoing", is_flag=True, help="Also import outgoing and internal calls."),
            click.option(
                "--map-dialled",
                multiple=True,
                metavar="DIGITS=NUMBER",
                help="Tracking number of an extension, queue or dialled digits; remembered.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command("cdr")
@_call_options
@_dates
@_file_options
def cdr(installation: Installation, /, **options: Any) -> None:
    """Import call records of a phone system; docs/imports.md lists the systems."""
    _calls(installation, mapping.Told(), **options)


@click.command("calls")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="WORDS=STATUS",
    help='Call status of a word in the file, such as "Erreicht=completed" (repeatable).',
)
@_call_options
@_table_options
@_file_options
def calls(
    installation: Installation,
    /,
    mapping_file: str | None,
    columns: tuple[str, ...],
    statuses: tuple[str, ...],
    **options: Any,
) -> None:
    """Import a call log from a phone system, from CallRail or of your own, with answers."""
    _calls(installation, mapping.load(mapping_file, columns, statuses, "--status"), **options)


def _calls(
    installation: Installation,
    told: mapping.Told,
    *,
    keep_outgoing: bool,
    map_dialled: tuple[str, ...],
    **options: Any,
) -> None:
    settings = installation.settings

    def form(table: Table, dialect: Dialect) -> Format[Any]:
        return kinds.calls_form(
            table,
            dialect,
            settings.region,
            told,
            desk=settings.default_destination,
            keep_outgoing=keep_outgoing,
            dialled=kinds.dialled_map(map_dialled),
        )

    _run(installation, form, **options)


@click.command("deals")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="WORDS=STAGE",
    help='Deal stage of a word in the file, such as "Angebot=opportunity" (repeatable).',
)
@_table_options
@_file_options
def deals(
    installation: Installation,
    /,
    mapping_file: str | None,
    columns: tuple[str, ...],
    stages: tuple[str, ...],
    **options: Any,
) -> None:
    """Import deals from HubSpot, Salesforce or a spreadsheet."""
    told = mapping.load(mapping_file, columns, stages)
    _run(
        installation,
        lambda table, dialect: Deals(table, dialect, installation.settings.region, told),
        **options,
    )


@click.command("costs")
@click.option(
    "--period",
    type=click.Choice(["day", "week", "month", "quarter", "year"]),
    help="Period that a cost with a single date covers (default: detected from the column).",
)
@_table_options
@_file_options
def costs(
    installation: Installation, /, mapping_file: str | None, columns: tuple[str, ...], **options: Any
) -> None:
    """Import costs: money, or hours at an hourly rate.

    The column last_day (also: to, until, end) is the last day of the cost; period_end is the day after it.
    """
    told = mapping.load(mapping_file, columns)
    _run(installation, lambda table, dialect: Costs(table, dialect, told), **options)


@click.command("touches")
@_table_options
@_file_options
def touches(
    installation: Installation, /, mapping_file: str | None, columns: tuple[str, ...], **options: Any
) -> None:
    """Import touches from another system: visits, forms, messages, trade shows."""
    told = mapping.load(mapping_file, columns)
    options["local_times"] = False
    _run(
        installation,
        lambda table, dialect: Touches(table, dialect, installation.settings.region, told),
        **options,
    )


@click.command("visits")
@click.option(
    "--days",
    default="",
    metavar="DAYS",
    help="Days that a file without dates covers, such as 2026-03-01..2026-03-31 or 2026-03.",
)
@click.option("--site", default="", help="Name of the site, where you have several; their visits add up.")
@_table_options
@_file_options
def visits(
    installation: Installation,
    /,
    mapping_file: str | None,
    columns: tuple[str, ...],
    days: str,
    site: str,
    **options: Any,
) -> None:
    """Import numbers of web visits from GA4, Matomo, Plausible or a table of your own.

    They are counts by day, campaign and channel; a day that you import again replaces the former count.
    """
    told = mapping.load(mapping_file, columns)
    folder = Path(options["file"]).resolve().parent.name

    def read(table: Table, dialect: Dialect) -> Visits:
        try:
            return Visits(table, dialect, told, days=days, site=site, folder=folder)
        except Invalid as problem:
            if problem.field != "days" or days or options["file"] == "-":
                raise
            if not sys.stdin.isatty():
                if not options["dry_run"]:
                    told_so_far = {"site": site} if site else {}
                    _keep_for_the_page(installation, Path(options["file"]), "visits", told_so_far, problem)
                raise
        covered = click.prompt("Which days does the file cover (2026-03 or 2026-03-01..2026-03-31)", err=True)
        return Visits(table, dialect, told, days=covered, site=site)

    _run(installation, read, **options)


def _keep_for_the_page(
    installation: Installation, path: Path, kind: str, told: dict[str, str], question: Invalid
) -> None:
    """Keep a file for the page, which asks what it does not say; end with 3."""
    store = UploadStore(installation.settings.data_dir)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").digest()
        file.seek(0)
        same = (each for each in store.waiting() if (each.name, each.kind) == (path.name, kind))
        if not any(_digest(store, each) == content for each in same):
            upload = store.put(file, path.name, by="terminal", at=clock.now())
            upload.kind, upload.options = kind, told
            store.save(upload)
    installation.tell(
        f"{path.name} is not imported yet: {question.reason}. Or answer on the page Imports, where the file "
        "waits for a day",
        waiting=path.name,
        question=str(question.reason),
    )
    raise SystemExit(3)


def _digest(store: UploadStore, upload: Upload) -> bytes | None:
    try:
        with store.open(upload.token) as kept:
            return hashlib.file_digest(kept, "sha256").digest()
    except NotFound:
        return None  # taken out meanwhile


@click.command("supplier")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@json_option
@pass_installation
def supplier(installation: Installation, file: str) -> None:
    """Import campaigns, assets, tracking numbers and their assignments from a YAML FILE."""
    settings = installation.settings
    document = catalog.read(Path(file))
    with db.transaction(installation.engine) as session:
        counts = catalog.save(session, document, at=clock.now(), region=settings.region, zone=settings.zone)
    installation.tell(", ".join(f"{count} {what}" for what, count in counts.items()) + " added", **counts)


@click.command("template")
@click.argument("kind", type=click.Choice(templates.KINDS))
@click.option(
    "--lang",
    "language",
    type=click.Choice(templates.LANGUAGES),
    default="en",
    show_default=True,
    help="Language of the workbook.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write."
)
def template(kind: str, language: str, output: Path) -> None:
    """Write a workbook to fill in, with examples and rules in a second sheet."""
    try:
        output.write_bytes(templates.workbook(kind, language))
    except OSError as error:
        raise Invalid(
            "output", "cannot write %(path)s: %(reason)s", path=output, reason=error.strerror
        ) from None
    click.echo(f"Wrote {output}; fill it in and run `ringtrail import {_COMMANDS.get(kind, kind)}`")


_COMMANDS = {"answers": "calls"}


def _run(
    installation: Installation,
    form: Callable[[Table, Dialect], Format[Any]],
    *,
    file: str,
    dry_run: bool,
    strict: bool,
    refused: Path | None,
    encoding: str,
    sheet: str,
    header_line: int | None,
    separator: str | None,
    timezone: tzinfo | None,
    currency: str | None = None,
    decimal: str | None = None,
    dates: str | None = None,
    period: str | None = None,
    local_times: bool = True,
) -> None:
    settings = installation.settings
    dialect = Dialect(
        zone=timezone or (settings.zone if local_times else None),
        currency=money.currency(currency or settings.currency),
        day_first=None if dates not in ("dmy", "mdy") else dates == "dmy",
        decimal=decimal,
        serials=dates == "serial",
        period=period or "",
        currency_told=currency is not None,
    )
    if refused is not None and file != "-" and refused.resolve() == Path(file).resolve():
        raise Invalid("refused", "this is the imported file itself; use another one")
    table = Table.open(
        file,
        encoding=encoding,
        separator=_SEPARATORS.get(separator or "", ""),
        sheet=sheet,
        header=header_line or 0,
    )
    try:
        bar = Progress(
            "{task.description}",
            BarColumn(),
            TextColumn("{task.fields[rows]:,} rows"),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        rows = _read_as(form, table, dialect)
        with bar:
            task = bar.add_task(table.name, total=table.size, rows=0)
            result = run.run(
                installation.engine,
                table,
                rows,
                at=clock.now(),
                dry_run=dry_run,
                strict=strict,
                refused=refused,
                progress=lambda done, rows: bar.update(task, completed=done, rows=rows),
            )
    finally:
        table.close()
    with db.reading(installation.engine) as session:
        days = getattr(rows, "first_days", {})
        unrated = rates.not_reached(session, installation.settings.currency, days)
    for code, day in unrated.items():
        result.notes.append(
            say(
                "no exchange rate from %(code)s on %(day)s, so figures wait; add one with "
                "`ringtrail rate %(code)s %(day)s RATE`",
                code=code,
                day=day,
            )
        )
    if installation.as_json:
        installation.tell_json(result.as_json())
    else:
        _show(result, refused)
    if result.refused:
        raise SystemExit(1)


def _read_as(form: Callable[[Table, Dialect], Format[Any]], table: Table, dialect: Dialect) -> Format[Any]:
    try:
        return form(table, dialect)
    except Invalid as problem:
        # The command's own name is the kind.
        raise kinds.of_another_kind(problem, table, click.get_current_context().info_name or "") from None


def _show(result: Result, refused: Path | None) -> None:
    console = Console(highlight=False)
    would = "would be " if not result.taken else ""
    console.print(
        f"{result.file}: {result.format}, {result.encoding}, {counted(result.rows, 'row')}: "
        f"{would}{result.created} created, {result.updated} updated, {result.skipped} skipped, "
        f"{result.refused} rejected",
        soft_wrap=True,
        markup=False,
    )
    for reason, count in result.skip_reasons.most_common():
        console.print(f"  skipped: {count} {reason}", markup=False)
    for note in (*result.notes, *result.passed_over):
        console.print(f"  {note}", soft_wrap=True, markup=False)
    if result.campaigns_created:
        names = ", ".join(result.campaigns_created)
        console.print(f"  new campaigns: {names}", soft_wrap=True, markup=False)
    if result.refusals:
        printed = Printed("Line", "Column", "Value", "Reason and fix")
        for refusal in result.refusals[:_SHOWN]:
            for fault in refusal.faults:
                value = fault.value if len(fault.value) <= 40 else fault.value[:39] + "…"
                printed.add_row(str(refusal.line), fault.column, value, fault.reason)
        console.print(printed, markup=False)
        if result.refused > _SHOWN:
            console.print(
                f"  and {result.refused - _SHOWN} more; --refused FILE saves them all", markup=False
            )
    if result.taken and result.run_id is not None and (result.created or result.updated):
        console.print(f"  to undo: ringtrail import undo {result.run_id}", markup=False)
    if refused is not None and result.refused:
        console.print(f"rejected rows saved in {refused}", soft_wrap=True, markup=False)
    if not result.taken and not result.dry_run:
        console.print("nothing imported: --strict imports all rows or none", markup=False)
