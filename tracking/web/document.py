"""The report for stakeholders: chosen by its address, looked at as a page, taken away as a file."""

from flask import Response, abort, render_template, request

from reports import extras
from reports.documents import body as html_body
from reports.parts import Chart
from tracking import clock
from tracking.errors import documents_missing
from tracking.language import formatting
from tracking.reporting import documents, roi
from tracking.web import pages
from tracking.web.pages import EVERYONE


@pages.page("/report", EVERYONE)
def report() -> tuple[str, int]:
    language = _language()
    with pages.reading() as session:
        asked = documents.read(session, pages.settings(), pages.today(), request.args)
        snapshot = pages.current_snapshot(session)
        with formatting.spoken(language):
            made, problem = documents.make(session, pages.settings(), snapshot, asked, at=clock.now())
            body = html_body(made, _live)
        page = render_template(
            "decide/report.html",
            asked=asked,
            made=made,
            body=body,
            spoken=language,
            problem=problem,
            all_models=roi.REPORTED,
            forms=list(documents.FORMATS),
            impossible=documents.impossible(),
            missing=documents_missing(extras.COMMAND),
        )
    return page, pages.status_of(problem)


@pages.page("/report/<form>", EVERYONE)
def report_file(form: str) -> Response | tuple[str, int]:
    if form not in documents.FORMATS:
        abort(404)
    language = _language()
    with pages.reading() as session, formatting.spoken(language):
        asked = documents.read(session, pages.settings(), pages.today(), request.args)
        if asked.problem:
            raise asked.problem
        snapshot = pages.current_snapshot(session)
        made, problem = documents.make(session, pages.settings(), snapshot, asked, at=clock.now())
        if problem:
            raise problem
        content = documents.FORMATS[form].make(made, pages.settings())
    pages.change(lambda job: job.note("report export", documents.file_name(asked, form)))
    answer = Response(content, mimetype=documents.FORMATS[form].mimetype)
    answer.headers.set("Content-Disposition", "attachment", filename=documents.file_name(asked, form))
    return answer


def _language() -> str:
    chosen = request.args.get("language", "")
    return chosen if chosen in formatting.LANGUAGES else formatting.language()


def _live(chart: Chart, name: str) -> str:
    """Return a chart as pages draw it, by a script of ours: no page waits for a picture to be made."""
    return render_template(
        "decide/_chart.html", id=name, spec=chart.spec, label=chart.title, table=f"table-{chart.table}"
    )
