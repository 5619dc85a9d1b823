"""Practice calls to numbers of websites: weighed, shown and logged like any, counted nowhere, removable.

They show the whole way from a visit to a deal to whoever sets a website up. They are kept as spam, so that no
figure counts them; the visits of the browser that was shown the number join the caller as with any call.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid
from tracking.records import contacts, sites
from tracking.storage import phone
from tracking.storage.models import (
    Account,
    Answer,
    Call,
    CallDesk,
    CallHolder,
    Contact,
    Deal,
    PoolNumber,
    Site,
    Touch,
    TrackingNumber,
    Visitor,
    WebForm,
)
from tracking.storage.vocabulary import CallStatus, PointKind
from tracking.telephony import calls
from tracking.telephony.calls import PRACTICE, CallEvent


def ring(session: Session, number: str, caller: str, *, at: datetime, region: str) -> Call:
    """Call a number of a website's pool from a number that no customer has, and have it taken at once.

    Raises
    ------
    Invalid
        If one of the numbers is none, the one called is in no pool, or the one calling is our own.
    Conflict
        If real calls or deals are known of the caller: his journey would take in the visits of a trial.
    """
    dialled = phone.require(number, region, "number")
    pooled = select(PoolNumber.id).join(TrackingNumber).where(TrackingNumber.number == dialled)
    if session.scalar(pooled.where(PoolNumber.removed_at.is_(None))) is None:
        raise Invalid(
            "number",
            "%(number)s is in no website's pool; enter the number that the page shows you",
            number=dialled,
        )
    calling = phone.require(caller, region, "caller")
    _refuse_own(session, calling)
    _refuse_customer(session, calling)
    event = CallEvent(
        provider=PRACTICE,
        provider_call_id=secrets.token_hex(16),
        dialled=(dialled,),
        caller=caller,
        started_at=at,
        answered_at=at,
        status=CallStatus.completed,
    )
    [made] = calls.record(session, [event], region=region)
    made.call.spam = True
    session.flush()
    return made.call


def _refuse_own(session: Session, caller: str) -> None:
    """Refuse numbers that calls come to: nobody calls from them, and a caller of ours is no visitor."""
    ours = select(TrackingNumber.main_line).where(TrackingNumber.number == caller)
    main_line = session.scalar(ours)
    if main_line is None and session.scalar(select(Site.id).where(Site.number == caller).limit(1)) is None:
        return
    if main_line is False:
        raise Invalid(
            "caller",
            "%(number)s is a tracking number; enter the number of a phone that you call from",
            number=caller,
        )
    raise Invalid(
        "caller",
        "%(number)s is your main number; enter the number of a phone that you call from",
        number=caller,
    )


def _refuse_customer(session: Session, caller: str) -> None:
    known = contacts.recognise(session, [(PointKind.phone, caller)]).get((PointKind.phone, caller))
    if known is None:
        return
    company = contacts.same_company(contacts.account_of(session, known).id)
    people = contacts.people_of(company)
    called = select(Call.id).where(Call.contact_id.in_(people), Call.provider != PRACTICE)
    sold = select(Deal.id).where(Deal.account_id.in_(company))
    if any(session.scalar(query.limit(1)) is not None for query in (called, sold)):
        raise Conflict("this number has real calls or deals; use a number that no customer has")


def of_company(session: Session, account: Account) -> Sequence[Call]:
    """Return the practice calls of a company, the first one first."""
    people = contacts.people_of(contacts.same_company(account.id))
    rows = select(Call).where(Call.contact_id.in_(people), Call.provider == PRACTICE)
    return session.scalars(rows.order_by(Call.started_at, Call.id)).all()


def remove(session: Session, call: Call) -> None:
    """Take out a practice call with its answers, and whoever is known by it alone.

    The visits that only it has joined are nobody's again. What has come of the caller otherwise, such as a
    form or a deal, stays.
    """
    if call.provider != PRACTICE:
        raise Invalid("call", "call %(number)s is not a practice call and cannot be removed", number=call.id)
    caller = (PointKind.phone, call.caller or "")
    # Who was found to have spoken may be another than who has the number.
    people = {call.contact, *contacts.recognise(session, [caller]).values()}
    # Of answers that correct one another the last goes first.
    for answer in sorted(call.answers, key=lambda one: -one.id):
        session.delete(answer)
        session.flush()
    who = session.scalars(
        select(Visitor)
        .join(CallHolder, CallHolder.visitor_id == Visitor.id)
        .where(CallHolder.call_id == call.id)
    ).one_or_none()
    for part in (CallHolder, CallDesk):
        session.execute(delete(part).where(part.call_id == call.id))
    session.delete(call.touch)
    session.flush()
    session.delete(call)
    session.flush()
    session.expire_all()
    if who is not None and not sites.is_known_otherwise(session, who):
        sites.nobody_again(session, who)
    for contact in sorted(people, key=lambda one: one.id):
        _forget(session, contact, caller)


def _forget(session: Session, contact: Contact, caller: contacts.Point) -> None:
    """Take out a contact, and his company, of whom nothing is left but the number that practised."""
    points = [(point.kind, point.value) for point in contact.points]
    if contact.merged_into_id is not None or points != [caller]:
        return
    uses = or_(
        *(
            exists().where(column == contact.id)
            for column in (
                Call.contact_id, Touch.contact_id, Answer.contact_id, Visitor.contact_id, WebForm.contact_id,
                Contact.merged_into_id,
            )
        )
    )  # fmt: skip
    if session.scalar(select(uses)):
        return
    account, since = contact.account, contact.created_at
    for point in list(contact.points):
        session.delete(point)
    session.delete(contact)
    session.flush()
    shared = or_(
        exists().where(Contact.account_id == account.id),
        exists().where(Deal.account_id == account.id),
        exists().where(Account.merged_into_id == account.id),
    )
    if account.created_at == since and account.external_id is None and not session.scalar(select(shared)):
        session.delete(account)
    session.flush()
