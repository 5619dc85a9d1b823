"""Calls with what people want to see of them: who called, on which material, and what he answered."""

from flask_babel import gettext
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from tracking.errors import NotFound
from tracking.language.words import answer_words
from tracking.records import contacts
from tracking.storage import phone
from tracking.storage.models import AdMaterial, Answer, Call, Contact, NumberAssignment


def loaded(query: Select[Call]) -> Select[Call]:
    """Let calls be read with their caller, material and answers, in a fixed number of queries."""
    return query.options(*loading())


def loading() -> tuple[ORMOption, ...]:
    """Return what reads with calls their caller, material and answers."""
    material = joinedload(Call.assignment).joinedload(NumberAssignment.ad_material)
    return (
        joinedload(Call.contact).joinedload(Contact.account),
        material.joinedload(AdMaterial.campaign),
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
