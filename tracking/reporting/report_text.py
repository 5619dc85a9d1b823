"""The report for stakeholders in words: its first page decides, its annex is to look up."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from babel.numbers import format_decimal
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from reports.parts import Document, Unit
from tracking.language import formatting
from tracking.records import logos
from tracking.reporting import advice, annex, period_figures, quality, roi, story, targets
from tracking.reporting.questions import ReportQuery
from tracking.reporting.returns import returns, words
from tracking.reporting.snapshots import Snapshot
from tracking.storage import money
from tracking.storage.config import Settings


def report(
    session: Session, settings: Settings, snapshot: Snapshot, asked: ReportQuery, *, at: datetime
) -> Document:
    """Return the report that answers a question, in the language that is being spoken."""
    found = roi.compare(snapshot, settings, asked.question, at=at)
    all_campaigns = found
    if asked.filtered:
        every = replace(asked.question, campaigns=None)
        all_campaigns = roi.compare(snapshot, settings, every, at=at)
    findings = quality.findings(
        session, settings, asked.period, at=at, snapshot=snapshot, found=all_campaigns
    )
    judged = advice.judged(found, asked)
    rows = returns(found, judged, settings.currency)
    aims = targets.reached(settings, snapshot, asked, session, at=at)
    if asked.filtered:
        chosen = asked.question.campaigns or frozenset()
        aims = [row for row in aims if row["campaign"] in chosen]
    return Document(
        title=gettext("Which marketing pays off?"),
        headline=advice.summary(found, judged)[0],
        subtitle=period_figures.days(asked),
        language=str(get_locale()).replace("_", "-"),
        currency=settings.currency,
        decimals=money.exponent(settings.currency),
        made_at=snapshot.taken_at,
        chapters=[
            story.opening(settings, asked, found, judged, rows),
            story.done(session, settings, snapshot, asked, found, aims),
            story.effect(settings, asked, found, rows),
            story.trust(findings),
        ],
        annex=annex.chapters(session, settings, snapshot, asked, found, judged, aims, findings),
        annex_title=gettext("Annex"),
        write=writer(settings),
        supplier=settings.company,
        logo=logos.current(session),
    )


def writer(settings: Settings) -> Any:
    """Return how figures are written in the language that is being spoken."""

    def write(unit: Unit, value: Any) -> str:
        if value is None:
            return formatting.NONE
        match unit:
            case "money":
                return formatting.amount(value, settings.currency)
            case "share":
                return formatting.share(value)
            case "back":
                return formatting.per_unit(value, settings.currency)
            case "span":
                return words(value, settings.currency)
            case "chance":
                return formatting.chance(value)
            case "change":
                return f"{'▲' if value >= 0 else '▼'} {formatting.share(abs(value))}"
            case "day":
                return formatting.day(value)
            case "moment":
                return formatting.moment(value, settings)
            case "ratio" | "months":
                return format_decimal(value, "#,##0.0#", get_locale())
        return formatting.count(value)

    return write
