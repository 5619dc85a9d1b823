"""Forms that people send from the supplier's pages: kept as they came, and counted unless they are spam.

A form that counts is a touch of its company. What is spam stays, counts nowhere, and can be taken back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from tracking.errors import Conflict, NotFound
from tracking.language import channels
from tracking.records import answers, contacts, sites
from tracking.records.answers import Source
from tracking.records.contacts import Clues, Point
from tracking.records.sources import UTM, Sources, trace
from tracking.storage import phone
from tracking.storage.models import (
    Answer,
    Contact,
    Site,
    Touch,
    TrackingNumber,
    Visitor,
    WebForm,
    WebVisit,
)
from tracking.storage.vocabulary import FormState, Outcome, PointKind, TouchKind

KNOWN = ("person", "company", "email", "phone", "message", "heard_from")
"""What fields may mean; all others are kept by their names."""
TRAP, FAST, RATE, PROGRAM = "trap", "fast", "rate", "program"
"""Signs of spam: a field that people do not see is filled; filled faster than people type; too many from one
address in an hour; sent by what says that it is a program."""
_STEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A form as it was sent; ``post_key`` tells it from every other."""

    site_id: int
    post_key: str
    at: datetime
    page: str
    """Host and path."""
    told: Mapping[str, str]
    """By :data:`KNOWN`, what its fields say."""
    others: Mapping[str, str]
    came: Mapping[str, str]
    """``landing`` and ``referrer``, and what hidden fields say of tags and click ids."""
    token: str | None
    """By which its sender's browser is known, if it may be."""
    signs: Sequence[str] = ()
    """Why it is taken for spam."""


def keep(
    session: Session, site: Site, post: Post, *, region: str, known: Sources | None = None
) -> tuple[WebForm, bool]:
    """Keep a form, and count it where it is no spam; return it, and whether it is new.

    The same form again, however often it comes, is the one that is there.
    """
    same = session.scalar(select(WebForm).where(WebForm.post_key == post.post_key))
    if same is not None:
        return same, False
    who = None
    if post.token is not None:
        found = select(Visitor).where(Visitor.token_hash == sites.token_hash(post.token))
        who = session.scalar(found.where(Visitor.site_id == site.id))
    row = WebForm(
        site=site,
        post_key=post.post_key,
        received_at=post.at,
        page=post.page,
        state=FormState.spam if post.signs else FormState.nobody,
        spam_signs=list(post.signs),
        told=_in_full(post.told, region),
        others=dict(post.others),
        came=dict(post.came),
        visitor=who,
    )
    session.add(row)
    session.flush()
    if not post.signs:
        _count(session, row, known)
    return row, True


def _in_full(told: Mapping[str, str], region: str) -> dict[str, str]:
    """Return what fields say, a telephone number with its country where it is one."""
    number = phone.parse(told.get("phone", ""), region).e164
    return dict(told) | ({"phone": number} if number else {})


def is_emptied(row: WebForm) -> bool:
    """Tell whether what was typed is gone: none comes without a field that says something."""
    return row.told is None and row.others is None


def points(row: WebForm) -> list[Point]:
    """Return the address and number that a form names."""
    told = row.told or {}
    found: list[Point] = [(PointKind.email, told["email"].casefold())] if told.get("email") else []
    number = phone.parse(told.get("phone", ""), "ZZ").e164
    return [*found, (PointKind.phone, number)] if number else found


def _clues(session: Session, row: WebForm) -> Clues:
    """Return what a form says of its sender; a number of ours is none of his."""
    told, number = row.told or {}, dict(points(row)).get(PointKind.phone)
    ours = select(TrackingNumber.id).where(TrackingNumber.number == number)
    if number and (number == row.site.number or session.scalar(ours)):
        number = None
    return Clues(
        company=told.get("company"), phone=number, email=told.get("email"), person=told.get("person")
    )


def _count(session: Session, row: WebForm, known: Sources | None) -> None:
    """Make a form its company's: its touch, its answer, and the visits of its sender's browser."""
    given = _clues(session, row)
    if given != Clues(person=given.person):
        contact: Contact | None = contacts.contact_for(session, given, at=row.received_at)
    elif row.visitor is not None and row.visitor.contact_id is not None:
        contact = session.get_one(Contact, row.visitor.contact_id)
    else:
        contact = None
    if contact is None:
        row.state = FormState.nobody
        session.flush()
        return
    if contact.name is None and (given.email or given.phone):
        # Known by a call alone, say, he tells his name only now.
        contact.name = given.person
    row.state, row.contact = FormState.counted, contact
    row.touch = _touch(session, row, contact, known)
    if row.visitor is not None:
        sites.known_as(session, row.visitor, contact)
    if heard := (row.told or {}).get("heard_from"):
        _answer(session, row, contact, heard)
    session.flush()


def _touch(session: Session, row: WebForm, contact: Contact, known: Sources | None) -> Touch:
    visit = None
    if row.visitor_id is not None:
        theirs = select(WebVisit).where(
            WebVisit.visitor_id == row.visitor_id, WebVisit.started_at <= row.received_at
        )
        visit = session.scalar(theirs.order_by(WebVisit.started_at.desc()).limit(1))
    if visit is not None:
        source = {name: getattr(visit, name) for name in ("campaign_id", "channel", "landing_page", *UTM)}
        source["click_ids"] = visit.click_ids
    else:
        came = dict(row.came or {})
        seen = trace(came.pop("landing", None), came.pop("referrer", None), told=came)
        found = (known or Sources(session)).of(seen)
        source = {name: getattr(seen, name) for name in ("landing_page", *UTM)}
        source["click_ids"] = dict(seen.click_ids) or None
        source["campaign_id"] = found.campaign.id if found.campaign else None
        source["channel"] = None if found.campaign else found.channel
    return Touch(
        source_key=_key(row),
        contact=contact,
        occurred_at=row.received_at,
        kind=TouchKind.form,
        **source,
    )


def _answer(session: Session, row: WebForm, contact: Contact, heard: str) -> None:
    """Keep what the form's question was answered; what it means where it is a name, else words alone."""
    chosen = next((each for each in channels.answers() if each.channel == heard), None)
    meant = Source(heard, channel=heard) if chosen else answers.understand(session, heard)
    unknown = meant is None and channels.is_unknown(heard)
    answers.log(
        session,
        Outcome.unknown if unknown else Outcome.answered,
        asked_at=row.received_at,
        contact=contact,
        campaign=meant.campaign if meant else None,
        channel=meant.channel if meant else None,
        # What was chosen from the ready list are our words, not the sender's.
        verbatim=None if chosen or unknown else heard,
        source_key=_key(row),
    )


def _key(row: WebForm) -> str:
    return f"form {row.post_key}"


def find(session: Session, form_id: int) -> WebForm:
    """Return a form."""
    return _there(session.get(WebForm, form_id), form_id)


def get(session: Session, form_id: int) -> WebForm:
    """Return a form, which nobody else changes meanwhile."""
    return _there(session.scalar(select(WebForm).where(WebForm.id == form_id).with_for_update()), form_id)


def _there(row: WebForm | None, form_id: int) -> WebForm:
    if row is None:
        raise NotFound("form %(number)s not found", number=form_id)
    return row


def listed(
    *,
    state: FormState | None = None,
    site_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[WebForm]:
    """Return the query for forms, the latest first: of a state, of a site, and of a time without its end."""
    rows = select(WebForm).order_by(WebForm.received_at.desc(), WebForm.id.desc())
    if state is not None:
        rows = rows.where(WebForm.state == state)
    if site_id is not None:
        rows = rows.where(WebForm.site_id == site_id)
    if since is not None:
        rows = rows.where(WebForm.received_at >= since)
    if until is not None:
        rows = rows.where(WebForm.received_at < until)
    return rows.options(
        joinedload(WebForm.site),
        joinedload(WebForm.contact),
        joinedload(WebForm.touch).joinedload(Touch.campaign),
    )


def counts(session: Session, site: Site, *, since: datetime) -> dict[FormState, int]:
    """Return how many forms of each state a site has had since a moment."""
    found = (
        select(WebForm.state, func.count())
        .where(WebForm.site_id == site.id, WebForm.received_at >= since)
        .group_by(WebForm.state)
    )
    return dict.fromkeys(FormState, 0) | dict(session.execute(found).all())


def mark(session: Session, row: WebForm) -> None:
    """Say that a form is spam: it stays, and whatever it has counted for is taken back."""
    if row.state is FormState.spam:
        raise Conflict("this form is marked as spam already")
    chain: list[Answer] = []
    answer = session.scalar(select(Answer).where(Answer.source_key == _key(row)))
    while answer is not None:
        chain.append(answer)
        answer = session.scalar(select(Answer).where(Answer.corrects_id == answer.id))
    for one in reversed(chain):
        session.delete(one)
        session.flush()
    touch, who, contact_id = row.touch, row.visitor, row.contact_id
    row.state, row.touch, row.contact = FormState.spam, None, None
    session.flush()
    if touch is not None:
        session.delete(touch)
    his = who is not None and contact_id is not None and who.contact_id == contact_id
    if who is not None and his and not sites.is_known_otherwise(session, who):
        sites.nobody_again(session, who)
    session.flush()


def unmark(session: Session, row: WebForm) -> None:
    """Say that a form is no spam: it counts from now on, at the moment at which it came."""
    if row.state is not FormState.spam:
        raise Conflict("this form is not marked as spam; reload the page")
    _count(session, row, None)


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way to a form: a touch of its company, or a visit of a browser that is nobody's yet."""

    at: datetime
    kind: TouchKind
    campaign: str | None
    channel: str | None
    landing_page: str | None


def journey(session: Session, row: WebForm) -> list[Step]:
    """Return how the sender of a form came to it, the latest steps, the first of them first."""
    if row.contact is not None:
        firm = contacts.account_of(session, row.contact)
        people = contacts.people_of(contacts.same_company(firm.id))
        touches = (
            select(Touch)
            .where(Touch.contact_id.in_(people), Touch.occurred_at <= row.received_at)
            .where(Touch.id != (row.touch_id or 0))
            .options(joinedload(Touch.campaign))
            .order_by(Touch.occurred_at.desc(), Touch.id.desc())
        )
        found = [_step(one.occurred_at, one.kind, one) for one in session.scalars(touches.limit(_STEPS))]
        return found[::-1]
    visits = (
        select(WebVisit)
        .where(WebVisit.visitor_id == row.visitor_id, WebVisit.started_at <= row.received_at)
        .options(joinedload(WebVisit.campaign))
        .order_by(WebVisit.started_at.desc())
    )
    seen = [_step(one.started_at, TouchKind.visit, one) for one in session.scalars(visits.limit(_STEPS))]
    return seen[::-1]


def _step(at: datetime, kind: TouchKind, row: Touch | WebVisit) -> Step:
    return Step(at, kind, row.campaign.name if row.campaign else None, row.channel, row.landing_page)
