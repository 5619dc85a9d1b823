"""How good the data are: what is missing or doubtful, what that does to the figures, and where to mend it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from attribution import UNATTRIBUTED
from tracking import clock
from tracking.errors import Invalid
from tracking.language import formatting, translate
from tracking.records import rates
from tracking.reporting import quality, roi
from tracking.reporting.quality import MOST, Finding
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Preparing, Snapshot
from tracking.storage import money
from tracking.storage.config import Settings
from tracking.web import forms, questions
from tracking.web.imports import kind_words
from tracking.web.pages import EVERYONE, MARKETERS, Pages, Work, may
from tracking.web.questions import Asked

_MODEL = ("linear",)
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Told:
    """A finding in words: what it is, how much of it, what it does to the figures, and where to mend it."""

    kind: str
    what: str
    amount: str
    effect: str
    endpoint: str
    address: dict[str, Any]
    label: str
    bad: bool


def add(pages: Pages) -> None:
    """Add the page on the quality of the data, and exchange rates by form, without which nothing adds up."""

    def show(problem: Invalid | None = None) -> tuple[str, int]:
        with pages.reading() as session:
            asked = questions.read(session, pages.settings, pages.today(), models=_MODEL)
            taken, found, reason = look(session, pages.settings, asked)
            told = tell(
                quality.findings(
                    session, pages.settings, asked.period, at=clock.now(), taken=taken, found=found
                ),
                asked,
            )
            page = render_template(
                "decide/quality.html",
                asked=asked,
                told=[(line, may(line.endpoint)) for line in told if line.bad],
                good=[line for line in told if not line.bad],
                taken=taken,
                reason=reason,
                today=pages.today(),
                problem=problem or asked.problem,
            )
        return page, 422 if problem or asked.problem else 200

    @pages.page("/quality", EVERYONE)
    def data_quality() -> tuple[str, int]:
        return show()

    @pages.page("/quality/rates", MARKETERS, methods=("POST",))
    def save_rate() -> Response | tuple[str, int]:
        def work(job: Work) -> None:
            day, told = forms.day("day"), (forms.text("rate") or "").replace(",", ".")
            if day is None:
                raise Invalid("day", gettext("is missing; give the first day on which the rate holds"))
            try:
                rate = float(told)
            except ValueError:
                raise Invalid(
                    "rate", "%(told)r is no figure; write digits, such as 0.0875", told=told
                ) from None
            code = money.currency(forms.text("currency") or "")
            rates.save(job.session, code, day, rate, target=pages.settings.currency)
            job.note("rate save", f"{code} {day}: {rate}")

        try:
            pages.change(work)
        except Invalid as error:
            return show(error)
        flash(gettext("Saved."))
        return redirect(url_for("web.data_quality"), 303)


def look(
    session: Session, settings: Settings, asked: Asked
) -> tuple[Snapshot | None, Comparison | None, str]:
    """Return the snapshot and a comparison of all campaigns; or neither, and why."""
    try:
        taken = roi.snapshot(session, settings, at=clock.now())
    except Preparing:
        return None, None, gettext("The records are being read for the first time; look again in a minute.")
    except Invalid as error:
        return None, None, translate.told(error)
    question = roi.Question(_MODEL, asked.period, asked.question.lookback_days)
    return taken, roi.compare(taken, settings, question, at=clock.now()), ""


def tell(findings: Sequence[Finding], asked: Asked) -> list[Told]:
    """Put findings into the user's words, what is wrong first."""
    days = {"from": asked.period.start.isoformat(), "to": asked.last_day.isoformat()}
    told = [_WORDS[finding.kind](finding, days) for finding in findings]
    return sorted(told, key=lambda line: not line.bad)


def _told(finding: Finding, what: str, effect: str, endpoint: str, label: str, **address: Any) -> Told:
    return Told(
        finding.kind,
        what,
        _amount(finding),
        effect,
        endpoint,
        address,
        label,
        finding.count != 0,
    )


def _amount(finding: Finding) -> str:
    if finding.count is None:
        return str(gettext("not known yet"))
    if finding.more:
        return str(gettext("more than %(count)s", count=formatting.count(MOST)))
    number = formatting.count(finding.count)
    if finding.of:
        number = gettext("%(count)s of %(all)s", count=number, all=formatting.count(finding.of))
    names = finding.names
    if finding.kind == "stale":
        known = kind_words()
        names = tuple(known.get(name, name) for name in names)
    if names:
        shown = ", ".join(translate.told(name) for name in names[:_NAMED]) + (
            " …" if len(names) > _NAMED else ""
        )
        return str(gettext("%(count)s: %(names)s", count=number, names=shown))
    return number


_Tell = Callable[[Finding, dict[str, str]], Told]


def _unasked(finding: Finding, days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Qualifying calls in which nobody asked where the caller heard of us"),
        gettext(
            "What buyers say themselves is missing: self-reported and hybrid attribution rest on fewer "
            "answers, and nothing tells whether the tracked source is right."
        ),
        "web.calls",
        gettext("Log them"),
        asked="missing",
        **days,
    )


def _unknown_numbers(finding: Finding, days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Calls to numbers that are not in the inventory"),
        gettext("They count as of unknown source: no campaign is credited with them or with what followed."),
        "web.number_list",
        gettext("Add the numbers"),
        **days,
    )


def _nobodys_numbers(finding: Finding, days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Calls to numbers of ours that were on no material when they rang"),
        gettext("They count as of unknown source. A number at rest may still stand on old material."),
        "web.calls",
        gettext("See the calls"),
        campaign="--",
        spam="no",
        **days,
    )


def _still_ringing(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Material that has expired and still rings"),
        gettext("Its campaign is still credited, rightly; but its number cannot be given to anything else."),
        "web.number_list",
        gettext("See the numbers"),
    )


def _nameless(finding: Finding, days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Companies of the period that are known only by a caller's number"),
        gettext(
            "A deal entered under the company's name does not find these calls: its revenue may be "
            "unattributed, and leads are counted twice."
        ),
        "web.company_list",
        gettext("Name or merge them"),
        unnamed="yes",
        **days,
    )


def _alike(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Names and domains that several companies share which are not merged"),
        gettext(
            "If they are one company, its journey is cut in pieces: credit goes astray, customers count "
            "twice."
        ),
        "web.company_list",
        gettext("Merge them"),
    )


def _no_cost(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Campaigns with calls, leads or deals and no cost in the period"),
        gettext("They have no ROI, and the total looks better than it is."),
        "web.cost_list",
        gettext("Enter costs"),
    )


def _cost_gaps(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Campaigns with costs for a part of their days only"),
        gettext(
            "More than a month of the days on which they ran lies outside all their costs: their ROI looks "
            "better than it is, unless nothing was spent."
        ),
        "web.cost_list",
        gettext("Enter costs"),
    )


def _stale(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Imports that have not been repeated for five weeks"),
        gettext(
            "Calls, deals or costs since then may be missing: the latest months look poorer than they are."
        ),
        "web.import_list",
        gettext("Import again"),
    )


def _unattributed(finding: Finding, days: dict[str, str]) -> Told:
    effect = gettext("Their revenue is credited to no campaign: every ROI is lower than it might be.")
    if finding.share:
        effect = gettext(
            "%(share)s of the revenue is credited to no campaign: every ROI is lower than it might be.",
            share=formatting.share(finding.share),
        )
    return _told(
        finding,
        gettext("Deals won of whose buyers no touch is recorded in the window"),
        effect,
        "web.roi_behind",
        gettext("See the deals"),
        goal="won",
        line=UNATTRIBUTED,
        model="linear",
        **days,
    )


def _no_rate(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Won deals and costs in a currency without an exchange rate on their day"),
        gettext(
            "No report can be made before there is a rate: amounts are never added up across currencies."
        ),
        "web.data_quality",
        gettext("Enter a rate below"),
    )


def _not_understood(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Reports of the telephone system that could not be understood"),
        gettext(
            "Calls may be missing or incomplete. The reports are kept; `ringtrail inbox` shows and retries "
            "them."
        ),
        "web.calls",
        gettext("See the calls"),
    )


def _failed_jobs(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Jobs that failed in the last 30 days"),
        gettext("What an import would have brought is not in the figures."),
        "web.job_list",
        gettext("See the jobs"),
    )


def _failed_schedules(finding: Finding, _days: dict[str, str]) -> Told:
    return _told(
        finding,
        gettext("Scheduled reports that could not be sent"),
        gettext("Whoever relies on the mail sees no figures; the figures themselves are right."),
        "web.schedule_list",
        gettext("See the schedules"),
    )


_WORDS: dict[str, _Tell] = {
    "unasked": _unasked,
    "unknown_numbers": _unknown_numbers,
    "nobodys_numbers": _nobodys_numbers,
    "still_ringing": _still_ringing,
    "nameless": _nameless,
    "alike": _alike,
    "no_cost": _no_cost,
    "cost_gaps": _cost_gaps,
    "stale": _stale,
    "unattributed": _unattributed,
    "no_rate": _no_rate,
    "not_understood": _not_understood,
    "failed_jobs": _failed_jobs,
    "failed_schedules": _failed_schedules,
}


def as_sentence(line: Told) -> str:
    """Return a finding as one sentence, for a report."""
    return str(
        gettext("%(what)s: %(amount)s. %(effect)s", what=line.what, amount=line.amount, effect=line.effect)
    )
