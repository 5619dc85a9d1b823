"""ROI by campaign, side by side under several models."""

from datetime import date

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from tracking import reporting
from tracking.errors import Invalid
from tracking.web.pages import EVERYONE, Pages

SHOWN_MODELS = ("first-touch", "last-touch", "linear")


def add(pages: Pages) -> None:
    """Add the pages of the one who decides."""

    @pages.page("/", EVERYONE)
    def home() -> Response:
        return redirect(url_for("web.roi"))

    @pages.page("/roi", EVERYONE)
    def roi() -> str | tuple[str, int]:
        problem, first, last = None, None, None
        try:
            first, last = day_from_query("from"), day_from_query("to")
        except Invalid as error:
            problem = str(error)
        with pages.reading() as session:
            today = pages.today()
            try:
                report = reporting.roi_report(
                    session, pages.settings, SHOWN_MODELS, today=today, first=first, last=last
                )
            except Invalid as error:
                problem = str(error)
                report = reporting.roi_report(session, pages.settings, SHOWN_MODELS, today=today)
        page = render_template("roi.html", report=report, lines=_lines(report), problem=problem)
        return (page, 422) if problem else page


def day_from_query(name: str) -> date | None:
    """Return a day of the address, such as ?from=2026-03-01; None where it names none."""
    text = request.args.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(name, "is not a day; write it as 2026-03-01") from None


def _lines(report: reporting.RoiReport) -> list[dict[str, object]]:
    lines: dict[str, dict[str, object]] = {}
    for row in report.table.to_pylist():
        line = lines.setdefault(row["campaign"], {"campaign": row["campaign"], "row": row, "models": {}})
        models = line["models"]
        assert isinstance(models, dict)
        models[row["model"]] = row
    named = [name for name in lines if not name.startswith("(")]
    # The line of the total comes last, the other lines in brackets before it.
    rest = sorted((name for name in lines if name.startswith("(")), key=lambda name: name == "(total)")
    return [lines[name] for name in [*sorted(named), *rest]]
