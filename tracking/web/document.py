"""The report for stakeholders: chosen by its address, looked at as a page, taken away as a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from flask import Response, abort, render_template, request
from flask_babel import force_locale
from sqlalchemy.orm import Session

from reports import documents, workbooks
from reports.parts import Chart, Document
from tracking import clock
from tracking.errors import Invalid
from tracking.language import formatting
from tracking.reporting import roi
from tracking.reporting.snapshots import Preparing
from tracking.storage.config import Settings
from tracking.web import questions, story
from tracking.web.pages import EVERYONE, Pages
from tracking.web.questions import Args, Asked

MODELS = ("linear", "first-touch", "last-touch")
"""The first one counts leads and customers; boxes that are ticked come in no order of the user's."""


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file that the report comes as."""

    mimetype: str
    suffix: str
    make: Callable[[Document, Settings], bytes]


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "pdf": Form("application/pdf", "pdf", lambda made, _: documents.pdf(made)),
        "xlsx": Form(
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xlsx",
            lambda made, settings: workbooks.xlsx(made, settings.zone),
        ),
        "html": Form("text/html; charset=utf-8", "html", lambda made, _: documents.html(made).encode()),
        "csv": Form("application/zip", "zip", lambda made, settings: workbooks.csvs(made, settings.zone)),
    }
)


def add(pages: Pages) -> None:
    """Add the report and its files."""

    @pages.page("/report", EVERYONE)
    def report() -> tuple[str, int]:
        spoken = request.args.get("language", "")
        spoken = spoken if spoken in formatting.LANGUAGES else formatting.language()
        with pages.reading() as session:
            asked = ask(session, pages.settings, pages.today())
            try:
                with force_locale(spoken):
                    made, problem = _made(session, pages.settings, asked)
                    body = documents.body(made, _live)
            except Preparing:
                return render_template("decide/preparing.html"), 200
            page = render_template(
                "decide/report.html",
                asked=asked,
                made=made,
                body=body,
                spoken=spoken,
                problem=problem,
                all_models=roi.REPORTED,
                forms=list(FORMS),
            )
        return page, 422 if problem else 200

    @pages.page("/report/<form>", EVERYONE)
    def report_file(form: str) -> Response | tuple[str, int]:
        if form not in FORMS:
            abort(404)
        spoken = request.args.get("language", "")
        spoken = spoken if spoken in formatting.LANGUAGES else formatting.language()
        with pages.reading() as session, force_locale(spoken):
            asked = ask(session, pages.settings, pages.today())
            if asked.problem:
                raise asked.problem
            try:
                made, problem = _made(session, pages.settings, asked)
            except Preparing:
                return render_template("decide/preparing.html"), 200
            if problem:
                raise problem
            content = FORMS[form].make(made, pages.settings)
        answer = Response(content, mimetype=FORMS[form].mimetype)
        answer.headers.set("Content-Disposition", "attachment", filename=file_name(asked, form))
        return answer


def ask(session: Session, settings: Settings, today: date, args: Args | None = None) -> Asked:
    """Read the question of a report; where the model linear is among several, it leads."""
    asked = questions.read(session, settings, today, models=MODELS, args=args)
    models = tuple(sorted(asked.question.models, key=lambda name: name != MODELS[0]))
    return replace(asked, question=replace(asked.question, models=models))


def file_name(asked: Asked, form: str) -> str:
    """Return what the file of a report is called."""
    return f"ringtrail-{asked.period.start}-{asked.last_day}.{FORMS[form].suffix}"


def _live(chart: Chart, name: str) -> str:
    """Return a chart as pages draw it, by a script of ours: no page waits for a picture to be made."""
    return render_template("decide/_chart.html", id=name, spec=chart.spec, label=chart.title)


def _made(session: Session, settings: Settings, asked: Asked) -> tuple[Document, Invalid | None]:
    """Make the report; where no model of it can be computed, the one that always can, and why."""
    at = clock.now()
    taken: Any = roi.snapshot(session, settings, at=at)
    try:
        return story.tell(session, settings, taken, asked, at=at), asked.problem
    except Invalid as error:
        plain = replace(asked, question=replace(asked.question, models=MODELS[:1]))
        return story.tell(session, settings, taken, plain, at=at), error
