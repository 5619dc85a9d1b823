"""The report as a file: of which kinds, for which question, and under which name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType

from flask_babel import gettext
from sqlalchemy.orm import Session

from reports import documents, extras, workbooks
from reports.parts import Chart, Document
from tracking.errors import Invalid
from tracking.reporting import questions, report_text
from tracking.reporting.questions import Args, ReportQuery
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that the report comes as."""

    mimetype: str
    suffix: str
    make: Callable[[Document, Settings], bytes]


def _drawable(made: Document) -> Document:
    """Return what can be drawn here: without the library of pictures each chart names its table instead."""
    if extras.has("vl_convert"):
        return made
    titles = {table.name: table.title for table in made.tables}

    def instead(chart: Chart) -> str:
        return str(
            gettext(
                "%(chart)s: not drawn here, because chart images need %(command)s. The figures are in "
                'the table "%(table)s".',
                chart=chart.title,
                command=extras.COMMAND,
                table=titles.get(chart.table, chart.table),
            )
        )

    return made.told(instead)


def impossible() -> frozenset[str]:
    """Return the formats that cannot be made here, because the extra ``documents`` is not installed."""
    return frozenset() if extras.has("typst") and extras.has("vl_convert") else frozenset({"pdf"})


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "pdf": Format("application/pdf", "pdf", lambda made, _: documents.pdf(made)),
        "xlsx": Format(
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsx",
            lambda made, settings: workbooks.xlsx(_drawable(made), settings.zone),
        ),
        "html": Format(
            "text/html; charset=utf-8", "html", lambda made, _: documents.html(_drawable(made)).encode()
        ),
        "csv": Format("application/zip", "zip", lambda made, settings: workbooks.csvs(made, settings.zone)),
    }
)


def read(session: Session, settings: Settings, today: date, args: Args) -> ReportQuery:
    """Read the question of a report; where the model that decides is among several, it leads."""
    return questions.deciding_first(questions.read(session, settings, today, args, compared=True))


def file_name(asked: ReportQuery, name: str) -> str:
    """Return what the file of a report is called."""
    return f"ringtrail-{asked.period.start}-{asked.last_day}.{FORMATS[name].suffix}"


def make(
    session: Session, settings: Settings, snapshot: Snapshot, asked: ReportQuery, *, at: datetime
) -> tuple[Document, Invalid | None]:
    """Make a report; where no model of it can be computed, that of the one that always can, and why."""
    try:
        return report_text.report(session, settings, snapshot, asked, at=at), asked.problem
    except Invalid as error:
        plain = replace(asked, question=replace(asked.question, models=("linear",)))
        return report_text.report(session, settings, snapshot, plain, at=at), error
