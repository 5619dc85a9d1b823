"""The calls, newest first, with what the caller said when asked."""

from flask import render_template
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload

from tracking import contacts
from tracking.models import Call, Contact, NumberAssignment
from tracking.vocabulary import Outcome
from tracking.web.pages import EVERYONE, Pages

_LATEST = 50


def add(pages: Pages) -> None:
    """Add the pages of calls."""

    @pages.page("/calls", EVERYONE)
    def calls() -> str:
        newest = (
            select(Call)
            .order_by(Call.started_at.desc(), Call.id.desc())
            .limit(_LATEST)
            .options(
                joinedload(Call.contact).joinedload(Contact.account),
                joinedload(Call.assignment).joinedload(NumberAssignment.ad_material),
                selectinload(Call.answers),
            )
        )
        with pages.reading() as session:
            rows = session.scalars(newest).all()
            count = session.scalar(select(func.count(Call.id)))
            # A merged company is shown as the one it turned out to be.
            firms = {row.id: contacts.account_of(session, row.contact).name for row in rows}
            return render_template("calls.html", calls=rows, count=count, firms=firms, said=said)


def said(call: Call) -> str:
    """Return in words what came of asking where the caller heard of us; the latest correction counts."""
    corrected = {answer.corrects_id for answer in call.answers}
    for answer in call.answers:
        if answer.id in corrected:
            continue
        if answer.outcome is Outcome.answered:
            return answer.verbatim or (answer.campaign.name if answer.campaign else answer.channel or "")
        words: dict[Outcome, str] = {
            Outcome.not_asked: gettext("not asked"),
            Outcome.declined: gettext("would not say"),
        }
        return words.get(answer.outcome) or str(gettext("unknown"))
    return "–"
