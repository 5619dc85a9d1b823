"""Calls with what people want to see of them: who called, on which material, and what he answered."""

import itertools
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext
from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from tracking.errors import NotFound
from tracking.language import channels, formatting
from tracking.language.words import answer_words
from tracking.records import contacts
from tracking.storage import phone
from tracking.storage.models import AdMaterial, Answer, Call, CallHolder, Contact, NumberAssignment
from tracking.storage.vocabulary import Certainty


def loaded(query: Select[Call]) -> Select[Call]:
    """Let calls be read with their caller, material and answers, in a fixed number of queries."""
    return query.options(*loading())


def loading() -> tuple[ORMOption, ...]:
    """Return what reads with calls their caller, material and answers."""
    material = joinedload(Call.assignment).joinedload(NumberAssignment.ad_material)
    return (
        joinedload(Call.contact).joinedload(Contact.account),
        material.joinedload(AdMaterial.campaign),
        joinedload(Call.tracking_number),
        joinedload(Call.holder).joinedload(CallHolder.campaign),
        selectinload(Call.answers).joinedload(Answer.campaign),
    )


def get(session: Session, call_id: int) -> Call:
    """Return a call with what is shown of it, or raise NotFound."""
    row = session.scalar(loaded(select(Call).where(Call.id == call_id)))
    if row is None:
        raise NotFound(gettext("Call %(n)d not found.", n=call_id))
    return row


def company_of(session: Session, call: Call) -> str:
    """Return the name of the company that called; a merged one is the one it turned out to be."""
    return contacts.account_of(session, call.contact).name or ""


def caller_of(session: Session, call: Call) -> str:
    """Return the company or person who calls, as far as known."""
    return phone.without_number(company_of(session, call) or call.contact.name or call.caller_name) or ""


def latest_answer(call: Call) -> Answer | None:
    """Return the answer of a loaded call that no other corrects."""
    corrected = {answer.corrects_id for answer in call.answers}
    return next((answer for answer in call.answers if answer.id not in corrected), None)


def answer_of(call: Call) -> str:
    """Return in words what came of asking where the caller heard of us; the latest correction counts."""
    answer = latest_answer(call)
    return answer_words(answer) if answer else "–"


def holder_words(found: CallHolder) -> str:
    """Return from which visit to the website a call comes, and how sure that is."""
    source = found.campaign.name if found.campaign else channels.word(found.channel) if found.channel else ""
    likely = {"share": formatting.share(found.likelihood), "source": source or gettext("unknown source")}
    match found.certainty:
        case Certainty.sure:
            return str(gettext("%(source)s, visit to the website (%(share)s)", **likely))
        case Certainty.likely:
            return str(gettext("likely %(source)s, visit to the website (%(share)s)", **likely))
        case Certainty.unknown:
            return str(gettext("visit to the website, source unknown (%(source)s: %(share)s only)", **likely))
    return str(gettext("website number that no visitor had been shown"))


def unassigned_words(call: Call) -> str:
    """Return what a call came to that is on no asset: our main line, or a number not assigned at the time."""
    if call.tracking_number and call.tracking_number.main_line:
        return str(gettext("%(number)s, main line", number=call.dialled))
    return str(gettext("%(number)s, not assigned at the time", number=call.dialled))


def by_month(session: Session, campaign_id: int, today: date, zone: ZoneInfo) -> dict[int, list[int]]:
    """Return how many calls each ad material of a campaign had in each of the last twelve months."""
    last = today.year * 12 + today.month
    firsts = [datetime(month // 12, month % 12 + 1, 1, tzinfo=zone) for month in range(last - 12, last + 1)]
    spans = itertools.pairwise(firsts)
    counts = [
        func.sum(case((and_(Call.started_at >= first, Call.started_at < end), 1), else_=0))
        for first, end in spans
    ]
    rows = session.execute(
        select(NumberAssignment.ad_material_id, *counts)
        .join(Call, Call.assignment_id == NumberAssignment.id)
        .join(NumberAssignment.ad_material)
        .where(AdMaterial.campaign_id == campaign_id, Call.spam.is_(False))
        .where(Call.started_at >= firsts[0])
        .group_by(NumberAssignment.ad_material_id)
    )
    return {row[0]: [int(count) for count in row[1:]] for row in rows}
