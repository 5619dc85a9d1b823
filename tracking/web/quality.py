"""How good the data are: what is missing or doubtful, what that does to the figures, and where to mend it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from attribution import UNATTRIBUTED
from tracking import clock
from tracking.errors import Invalid
from tracking.language import formatting, translate
from tracking.records import rates
from tracking.reporting import quality, quality_text, roi
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Preparing, Snapshot
from tracking.storage import money
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, Work, may


class _Remedy(NamedTuple):
    """Where a kind of finding is mended: page, what its link says, its query, and whether it takes days."""

    endpoint: str
    label: str
    query: Mapping[str, str] = {}
    days: bool = False


_LOST = {"goal": "won", "line": UNATTRIBUTED}
_REMEDIES: Mapping[str, _Remedy] = {
    "unasked": _Remedy("web.calls", _("Log calls"), {"asked": "missing"}, days=True),
    "unknown_numbers": _Remedy("web.number_list", _("Add the numbers"), days=True),
    "nobodys_numbers": _Remedy("web.calls", _("Show calls"), {"campaign": "--", "spam": "no"}, days=True),
    "main_line": _Remedy("web.calls", _("Log calls"), {"asked": "missing"}, days=True),
    "unsure_visitor": _Remedy("web.site_list", _("Check the pool")),
    "printed_pool": _Remedy("web.site_list", _("Check the website")),
    "silent_site": _Remedy("web.site_list", _("Check the website")),
    "still_ringing": _Remedy("web.number_list", _("Show numbers")),
    "nameless": _Remedy("web.company_list", _("Name or merge"), {"unnamed": "yes"}, days=True),
    "alike": _Remedy("web.company_list", _("Merge")),
    "unconnected": _Remedy("web.number_list", _("Assign numbers")),
    "no_cost": _Remedy("web.cost_list", _("Add costs")),
    "cost_gaps": _Remedy("web.cost_list", _("Add costs")),
    "stale": _Remedy("web.import_list", _("Import again")),
    "unattributed": _Remedy("web.roi_behind", _("Show deals"), _LOST, days=True),
    "no_rate": _Remedy("web.data_quality", _("Add a rate below")),
    "not_understood": _Remedy("web.calls", _("Show calls")),
    "failed_jobs": _Remedy("web.job_list", _("Show jobs")),
    "failed_schedules": _Remedy("web.schedule_list", _("Show schedules")),
}


def _show(problem: Invalid | None = None) -> tuple[str, int]:
    with pages.reading() as session:
        asked = pages.report_query(session)
        snapshot, found, reason = _look(session, asked)
        findings = quality.findings(
            session, pages.settings(), asked.period, at=clock.now(), snapshot=snapshot, found=found
        )
        lines = quality_text.in_words(findings)
        page = render_template(
            "decide/quality.html",
            asked=asked,
            bad=[(line, *_remedy(line.finding.kind, asked)) for line in lines if line.bad],
            good=[line for line in lines if not line.bad],
            snapshot=snapshot,
            evidence=found and found.evidence,
            reason=reason,
            today=pages.today(),
            lacking=rates.lacking(session, pages.settings().currency, pages.settings().zone),
            wanted=_wanted(),
            problem=problem or asked.problem,
        )
    return page, pages.status_of(problem or asked.problem)


@pages.page("/quality", EVERYONE)
def data_quality() -> tuple[str, int]:
    return _show()


@pages.page("/quality/rates", MARKETERS, methods=("POST",))
def save_rate() -> Response | tuple[str, int]:
    def work(job: Work) -> rates.Lack | None:
        day, told = forms.day("day"), (forms.text("rate") or "").replace(",", ".")
        if day is None:
            raise Invalid("day", gettext("enter the date the rate is valid from"))
        try:
            rate = float(told)
        except ValueError:
            raise Invalid(
                "rate", "%(told)r is not a number; enter digits, such as 0.0875", told=told
            ) from None
        code = money.currency(forms.text("currency") or "")
        rates.save(job.session, code, day, rate, target=pages.settings().currency)
        job.note("rate save", f"{code} {day}: {rate}")
        still = rates.lacking(job.session, pages.settings().currency, pages.settings().zone)
        return next((lack for lack in still if lack.currency == code), None)

    try:
        still = pages.change(work)
    except Invalid as error:
        return _show(error)
    if still is not None:
        told = gettext(
            "Saved, but %(code)s has amounts from before the rate begins; the first is of %(day)s.",
            code=still.currency,
            day=formatting.day(still.day),
        )
        flash(told, "error")
        address = url_for(
            "web.data_quality", _anchor="rates", currency=still.currency, day=still.day.isoformat()
        )
        return redirect(address, 303)
    flash(gettext("Saved."))
    back = pages.came_from()
    here = back and not back.startswith(url_for("web.save_rate"))
    return redirect(back if here else url_for("web.data_quality"), 303)


def _wanted() -> dict[str, str]:
    """Return the currency and the day that the address asks a rate for, as an import's preview does."""
    return {name: request.args.get(name, "")[:10] for name in ("currency", "day")}


def _look(session: Session, asked: ReportQuery) -> tuple[Snapshot | None, Comparison | None, str]:
    """Return the snapshot and a comparison of all campaigns; or neither, and why."""
    try:
        snapshot = pages.current_snapshot(session)
    except Preparing:
        return None, None, gettext("Loading the data for the first time.")
    except Invalid as error:
        return None, None, translate.translated(error)
    question = roi.Question((asked.deciding.model,), asked.period, asked.question.lookback_days)
    return snapshot, roi.compare(snapshot, pages.settings(), question, at=clock.now()), ""


def _remedy(kind: str, asked: ReportQuery) -> tuple[str, str]:
    """Return what the link to a remedy says, and its address; "" where it is not for this user."""
    remedy = _REMEDIES[kind]
    if kind == "no_rate":
        return remedy.label, "#rates" if may("web.save_rate") else ""
    query: dict[str, Any] = dict(remedy.query)
    if remedy.days:
        query |= {"from": asked.period.start, "to": asked.last_day}
    return remedy.label, url_for(remedy.endpoint, **query) if may(remedy.endpoint) else ""
