"""Which calls an address asks for: period, campaign, state, caller; written so that a million stay fast."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from flask import request
from flask_babel import gettext
from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from tracking import clock
from tracking.errors import Invalid
from tracking.records import answers, contacts
from tracking.reporting.questions import Args, day
from tracking.storage import phone, vault
from tracking.storage.column_types import from_micros, to_micros
from tracking.storage.config import Settings
from tracking.storage.models import (
    Account,
    AdMaterial,
    Answer,
    Call,
    CallHolder,
    Campaign,
    Contact,
    NumberAssignment,
)
from tracking.storage.names import name_key
from tracking.storage.vocabulary import CallState, Certainty, LeadStatus, Outcome, PointKind
from tracking.telephony import numbers, ringing
from tracking.web.pages import sees_numbers

PAGE = 50
_FEW = 5000
"""Up to so many calls are found first and sorted then; of more, the newest are walked."""
_TAILS = 10_000
"""So many of the newest calls are looked through for the last digits of a number."""
_ASKED = (Outcome.answered, Outcome.declined)
_TOLD = (CallHolder.certainty.in_((Certainty.sure, Certainty.likely)),)
"""Whether it is at least likely which campaign's visit a call comes from."""


@dataclass(frozen=True, slots=True)
class CallSearch:
    """The calls that an address asks for."""

    query: Select[Call]
    tails: bool = False
    """Whether last digits were looked for, which is done among the newest calls only."""


def search(session: Session, settings: Settings, args: Args) -> CallSearch:
    """Return the calls that the address asks for.

    Raises
    ------
    Invalid
        Naming the part of the address that cannot be.
    """
    zone = settings.zone
    wanted = select(Call)
    first, last = day("from", args), day("to", args)
    if first:
        wanted = wanted.where(Call.started_at >= datetime.combine(first, time(), zone).astimezone(UTC))
    if last:
        ends = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
        wanted = wanted.where(Call.started_at < ends)
    if campaign := args.get("campaign"):
        if campaign == "-":
            known = exists().where(CallHolder.call_id == Call.id, CallHolder.campaign_id.is_not(None), *_TOLD)
            wanted = wanted.where(Call.assignment_id.is_(None), ~known)
        elif campaign == "--":
            wanted = wanted.where(Call.assignment_id.is_(None), Call.tracking_number_id.is_not(None))
            wanted = wanted.where(Call.tracking_number_id.not_in(numbers.main_lines()))
            wanted = wanted.where(~exists().where(CallHolder.call_id == Call.id))
        else:
            held = (
                select(NumberAssignment.id)
                .join(AdMaterial, AdMaterial.id == NumberAssignment.ad_material_id)
                .join(Campaign, Campaign.id == AdMaterial.campaign_id)
                .where(Campaign.name == campaign)
            )
            theirs = _few(session, Call.assignment_id, session.scalars(held).all())
            visits = (
                select(CallHolder.call_id)
                .join(Campaign, Campaign.id == CallHolder.campaign_id)
                .where(Campaign.name == campaign, *_TOLD)
            )
            # Only where there are any, so that no other index than before is asked for.
            if session.scalar(visits.limit(1)) is not None:
                theirs = or_(theirs, Call.id.in_(visits))
            wanted = wanted.where(theirs)
    if status := args.get("status"):
        state = CallState(_one_of(CallState, status, "status"))
        wanted = wanted.where(ringing.in_state(state, clock.now()))
    if lead := args.get("lead"):
        judged = lead != "-"
        wanted = wanted.where(
            Call.lead_status == _one_of(LeadStatus, lead, "lead") if judged else Call.lead_status.is_(None)
        )
    if asked := args.get("asked"):
        wanted = wanted.where(_asked(session, asked))
    if rep := args.get("by"):
        wanted = wanted.where(_standing(session, Answer.asked_by == rep))
    if spam := args.get("spam"):
        wanted = wanted.where(Call.spam.is_(spam == "yes"))
    if text := args.get("q", "").strip():
        return _caller(session, wanted, text, settings.region)
    return CallSearch(wanted)


def _asked(session: Session, choice: str) -> ColumnElement[bool]:
    logged = exists().where(Answer.call_id == Call.id)
    match choice:
        case "yes":
            return _standing(session, Answer.outcome.in_(_ASKED))
        case "no":
            return _standing(session, Answer.outcome.not_in(_ASKED))
        case "missing":
            asked = exists().where(Answer.call_id == Call.id, Answer.outcome.in_(_ASKED))
            return and_(answers.qualifies(), Call.spam.is_(False), ~asked)
        case "logged":
            return logged
        case "unlogged":
            return ~logged
    raise Invalid(
        "asked", "%(choice)r is not an option; use one of: yes, no, missing, logged, unlogged", choice=choice
    )


def _standing(session: Session, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether the answer of a call that no other corrects is such: as the calls' ids where few are."""
    correction = aliased(Answer)
    corrected = exists().where(correction.corrects_id == Answer.id)
    some = select(Answer.call_id).where(condition, Answer.call_id.is_not(None)).limit(_FEW + 1)
    ids = session.scalars(some).all()
    such = exists().where(Answer.call_id == Call.id, ~corrected, condition)
    return and_(Call.id.in_(ids), such) if len(ids) <= _FEW else such


def _caller(session: Session, wanted: Select[Call], text: str, region: str) -> CallSearch:
    e164 = phone.parse(text, region).e164
    if e164:
        rung = _few(session, Call.dialled, [e164])
        if not sees_numbers():
            return CallSearch(wanted.where(rung))  # a hit would tell whose number it is
        caller = _few(session, Call.caller_hash, vault.lookup_hashes(PointKind.phone, e164))
        return CallSearch(wanted.where(or_(caller, rung)))
    digits = text.replace(" ", "").removeprefix("…").removeprefix("...")
    if digits.isdecimal() and 2 <= len(digits) <= 15:
        # Numbers are sealed: a whole one is found by its hash, its last digits only by opening it.
        newest = wanted.order_by(Call.started_at.desc()).limit(_TAILS)
        rows = session.execute(newest.with_only_columns(Call.id, Call.caller, Call.dialled))
        # Who sees three digits of a number finds by three.
        known = slice(None) if sees_numbers() else slice(-phone.SHOWN, None)
        ids = [
            row.id
            for row in rows
            if (row.caller or "")[known].endswith(digits) or row.dialled.endswith(digits)
        ]
        return CallSearch(wanted.where(Call.id.in_(ids[:_FEW])), tails=True)
    if not contacts.may_name(text, by_number=sees_numbers()):
        return CallSearch(wanted.where(false()))
    company = select(Account.id).where(Account.name_key.contains(name_key(text), autoescape=True))
    of_company = contacts.people_of(contacts.families(company))
    called = contacts.called(session, text, most=_FEW)
    named = contacts.families(select(Contact.id).where(Contact.id.in_(called)), Contact)
    people = {*session.scalars(of_company.limit(_FEW)), *session.scalars(named.limit(_FEW))}
    return CallSearch(wanted.where(_few(session, Call.contact_id, people)))


def _few(
    session: Session, column: InstrumentedAttribute[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """Return whether a column of calls holds one of some values: as the calls' ids where they are few.

    A database may walk all calls by time to find those few, or collect and sort a great many to show the
    newest of them. So the few are named, and the many are asked for in a way that no index serves but time's.
    """
    ids = session.scalars(select(Call.id).where(column.in_(values)).limit(_FEW + 1)).all()
    return Call.id.in_(ids) if len(ids) <= _FEW else func.coalesce(column, None).in_(values)


def _one_of(kind: type[CallState] | type[LeadStatus], text: str, field: str) -> str:
    if text not in list(kind):
        raise Invalid(
            field, "%(text)r is not an option; use one of: %(known)s", text=text, known=", ".join(kind)
        )
    return text


def page_of(wanted: Select[Call]) -> tuple[Select[Call], bool]:
    """Return the query for one page of calls, newest first, and whether the page was reached backwards.

    The address names the call beside the page (``before`` or ``after``, moment and id), so that a page far
    back is as fast as the first and does not shift when a call comes in.
    """
    for name, back in (("before", False), ("after", True)):
        if mark := request.args.get(name):
            try:
                micros, _, call_id = mark.partition("-")
                at, number = from_micros(int(micros)), int(call_id)
            except (ValueError, OverflowError):
                raise Invalid(
                    name, gettext("this position no longer exists; go back to the first page")
                ) from None
            same = and_(Call.started_at == at, Call.id > number if back else Call.id < number)
            beyond = or_(Call.started_at > at if back else Call.started_at < at, same)
            # Said twice, the first part lets the database begin at the place in its index.
            near = Call.started_at >= at if back else Call.started_at <= at
            order = (Call.started_at, Call.id) if back else (Call.started_at.desc(), Call.id.desc())
            return wanted.where(near, beyond).order_by(*order).limit(PAGE + 1), back
    return wanted.order_by(Call.started_at.desc(), Call.id.desc()).limit(PAGE + 1), False


def mark(call: Call) -> str:
    """Return the place of a call in the list."""
    return f"{to_micros(call.started_at)}-{call.id}"
