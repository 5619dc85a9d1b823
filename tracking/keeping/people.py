"""One person in all that is kept: found by number, address or contact, and handed out as one file."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid, NotFound
from tracking.records import contacts, web_forms
from tracking.storage import phone, vault
from tracking.storage.models import (
    Account,
    Answer,
    Call,
    Contact,
    ContactPoint,
    InboxEvent,
    Touch,
    TrackingNumber,
    Visitor,
    WebForm,
)
from tracking.storage.vocabulary import PointKind

_BETWEEN = r"(?:[\s().\-/+]|%20|%2B)*"
_LEAST_DIGITS = 6
_FORM = "form"
"""Among hashes the kind of a form's own key, by which one is found that names nobody."""
_COMPANYS = "account "
"""How the point begins that stands for a company's unnamed contact; it names nobody."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, or several, by what is kept of them."""

    contacts: frozenset[int]
    calls: frozenset[int]
    hashes: frozenset[tuple[str, str]]
    """Kind and keyed hash of each number and address, by each key."""
    values: frozenset[str]
    """The numbers and addresses in clear."""
    names: frozenset[str] = frozenset()
    """The full names; one word alone is anybody's."""
    forms: frozenset[int] = frozenset()
    """Forms that he has sent, spam among them, and those that name his number or address."""

    @property
    def is_anybody(self) -> bool:
        """Tell whether anything is kept."""
        return bool(self.contacts or self.calls or self.forms)

    def in_text(self) -> re.Pattern[str] | None:
        """Return what finds the numbers and addresses in a text, however they are spaced."""
        found = [pattern for value in sorted(self.values) if (pattern := _pattern(value))]
        return re.compile("|".join(found), re.IGNORECASE) if found else None

    def in_notes(self) -> re.Pattern[str] | None:
        """Return what finds the full names too, in either order, in what people write about people."""
        orders = {order for name in self.names for order in (tuple(name.split()), _family_first(name))}
        found = [r"(?<!\w)" + r",?\s+".join(map(re.escape, one)) + r"s?(?!\w)" for one in sorted(orders)]
        found += [numbers.pattern] if (numbers := self.in_text()) else []
        return re.compile("|".join(found), re.IGNORECASE) if found else None

    def tails(self) -> list[str]:
        """Return a few signs of each, which any text that holds it holds too."""
        found = {v[-2:] if v.startswith("+") else v.partition("@")[0] for v in self.values}
        return sorted(found | {name.split()[-1] for name in self.names})


def _family_first(name: str) -> tuple[str, ...]:
    *given, family = name.split()
    return family, *given


def _pattern(value: str) -> str:
    if "@" in value:
        return re.escape(value).replace("@", "(?:@|%40)")
    if not value.startswith("+"):
        return ""
    national = phone.significant(value)
    if len(national) < _LEAST_DIGITS:
        return ""
    # With what stands before it at home or abroad, and not within a longer number.
    before = rf"(?:(?:\+|%2B|00)?{value[1 : len(value) - len(national)]}{_BETWEEN}(?:\(0\))?|\(?0\)?)?"
    return rf"(?<!\d){before}{_BETWEEN}{_BETWEEN.join(national)}(?!\d)"


def by_text(session: Session, text: str, region: str) -> Person:
    """Return who is meant by a number, an e-mail address, ``contact 17``, or ``form 17``.

    By the last one is found who names himself in a form and nothing by which he could be known.

    Raises
    ------
    Invalid
        If it is none of these.
    NotFound
        If nothing is kept of such a person.
    Conflict
        If it is a number of ours.
    """
    said = " ".join(text.split())
    word, _, number = said.partition(" ")
    if word.casefold() == "contact" and number.isdecimal() and len(number) < 16:
        found = by_contacts(session, [int(number)])
    elif word.casefold() == "form" and number.isdecimal() and len(number) < 16:
        found = by_form(session, int(number))
    elif "@" in said:
        found = by_points(session, [(PointKind.email, said.casefold())])
    elif e164 := phone.parse(said, region).e164:
        if session.scalar(select(TrackingNumber.id).where(TrackingNumber.number == e164)):
            raise Conflict("this is one of your tracking numbers, not a person's number")
        found = by_points(session, [(PointKind.phone, e164)])
    else:
        raise Invalid(
            "person",
            "enter a phone number such as +46701740605, an email address, or a record such as"
            ' "contact 17" or "form 17"',
        )
    if not found.is_anybody:
        raise NotFound("no personal data found for this person")
    return found


def by_points(session: Session, points: Iterable[contacts.Point]) -> Person:
    """Return who has some numbers or addresses."""
    known = list(points)
    hashes = {(kind, hashed) for kind, value in known for hashed in vault.lookup_hashes(kind, value)}
    return by_hashes(session, hashes, values={value for _, value in known})


def by_contacts(session: Session, ids: Collection[int]) -> Person:
    """Return the persons of some contacts."""
    return _all_of(session, set(ids), set(), set())


def by_form(session: Session, form_id: int) -> Person:
    """Return who has sent a form."""
    row = session.get(WebForm, form_id)
    if row is None or web_forms.is_emptied(row):
        return _all_of(session, set(), set(), set())
    if row.contact_id is not None:
        return by_contacts(session, [row.contact_id])
    known = by_points(session, web_forms.points(row))
    return _all_of(session, set(known.contacts), {*known.hashes, (_FORM, row.post_key)}, set(known.values))


def by_hashes(
    session: Session, hashes: Collection[tuple[str, str]], *, values: Collection[str] = ()
) -> Person:
    """Return who has numbers or addresses of some keyed hashes."""
    point = tuple_(ContactPoint.kind, ContactPoint.value_hash)
    told = [one for one in hashes if one[0] != _FORM]
    ids = session.scalars(select(ContactPoint.contact_id).where(point.in_(told))).all()
    return _all_of(session, set(ids), set(hashes), set(values))


def _all_of(session: Session, ids: set[int], hashes: set[tuple[str, str]], values: set[str]) -> Person:
    ids = _family(session, ids)
    points = session.scalars(select(ContactPoint).where(ContactPoint.contact_id.in_(ids))).all()
    for point in points:
        if point.kind is not PointKind.external:
            values.add(point.value)
        if not is_companys(point):
            hashes |= {(point.kind, hashed) for hashed in vault.lookup_hashes(point.kind, point.value)}
    phones = [hashed for kind, hashed in hashes if kind == PointKind.phone]
    called = select(Call).where(or_(Call.contact_id.in_(ids), Call.caller_hash.in_(phones)))
    calls = session.scalars(called).all()
    for call in calls:
        if call.caller:
            values.add(call.caller)
            if call.caller_hash:
                told = vault.lookup_hashes(PointKind.phone, call.caller)
                hashes |= {(PointKind.phone, hashed) for hashed in told}
    plain = frozenset((str(kind), hashed) for kind, hashed in hashes)
    called_so = session.scalars(select(Contact.name).where(Contact.id.in_(ids)))
    names = {name for name in called_so if name and len(name.split()) > 1}
    sent = _forms(session, ids, plain)
    for form in sent:
        values |= {value for _, value in web_forms.points(form)}
        person = (form.told or {}).get("person", "")
        names |= {person} if len(person.split()) > 1 else set()
    return Person(
        frozenset(ids),
        frozenset(call.id for call in calls),
        plain,
        frozenset(values),
        frozenset(names),
        frozenset(form.id for form in sent),
    )


def _forms(session: Session, ids: set[int], hashes: frozenset[tuple[str, str]]) -> list[WebForm]:
    """Return the forms of some contacts, and those of nobody that name one of some numbers and addresses."""
    found = list(session.scalars(select(WebForm).where(WebForm.contact_id.in_(ids))))
    loose = select(WebForm).where(
        WebForm.contact_id.is_(None), or_(WebForm.told.is_not(None), WebForm.others.is_not(None))
    )
    for form in session.scalars(loose.execution_options(yield_per=500)):
        named = {
            (str(kind), hashed)
            for kind, value in web_forms.points(form)
            for hashed in vault.lookup_hashes(kind, value)
        }
        if named & hashes or (_FORM, form.post_key) in hashes:
            found.append(form)
    return found


def is_companys(point: ContactPoint) -> bool:
    """Tell whether a point stands for a company's unnamed contact, and so for nobody."""
    return point.kind is PointKind.external and point.value.startswith(_COMPANYS)


def _family(session: Session, ids: set[int]) -> set[int]:
    """Return contacts with all that count as the same person."""
    found: set[int] = set()
    for contact in session.scalars(select(Contact).where(Contact.id.in_(ids))):
        found.add(contacts.root(session, contact).id)
    step = set(found)
    while step:
        step = set(session.scalars(select(Contact.id).where(Contact.merged_into_id.in_(step)))) - found
        found |= step
    return found


def summary(session: Session, person: Person) -> dict[str, Any]:
    """Return how much is kept of a person, and of which companies he is."""
    people = session.scalars(select(Contact).where(Contact.id.in_(person.contacts))).all()
    firms = {contacts.account_of(session, one) for one in people}
    answers = select(Answer.id).where(_answered(person))
    touches = select(Touch.id).where(Touch.contact_id.in_(person.contacts))
    return {
        "contacts": len(people),
        "names": sorted({one.name for one in people if one.name}),
        "companies": sorted((firm.id, firm.name or "") for firm in firms),
        "calls": len(person.calls),
        "forms": len(person.forms),
        "answers": len(session.scalars(answers).all()),
        "touches": len(session.scalars(touches).all()),
    }


def _answered(person: Person) -> Any:
    return or_(Answer.contact_id.in_(person.contacts), Answer.call_id.in_(person.calls))


def export(session: Session, person: Person, events: Sequence[int]) -> dict[str, Any]:
    """Return all that is kept of a person; ``events`` are the reports that name him."""

    def all_of(kind: Any, condition: Any) -> Sequence[Any]:
        return session.scalars(select(kind).where(condition).order_by(kind.id)).all()

    people = all_of(Contact, Contact.id.in_(person.contacts))
    firms = {contacts.account_of(session, one) for one in people}
    return {
        "contacts": [
            {
                "id": one.id,
                "name": one.name,
                "since": one.created_at.isoformat(),
                "known_by": [{"kind": p.kind, "value": p.value} for p in one.points if not is_companys(p)],
            }
            for one in people
        ],
        "companies": [_company(firm) for firm in sorted(firms, key=lambda firm: firm.id)],
        "calls": [_call(call) for call in all_of(Call, Call.id.in_(person.calls))],
        "answers": [
            {
                "asked_at": one.asked_at.isoformat(),
                "outcome": one.outcome,
                "campaign": one.campaign.name if one.campaign else None,
                "channel": one.channel,
                "words": one.verbatim,
            }
            for one in all_of(Answer, _answered(person))
        ],
        "touches": [
            {
                "at": one.occurred_at.isoformat(),
                "kind": one.kind,
                "campaign": one.campaign.name if one.campaign else None,
                "ad_material": one.ad_material.name if one.ad_material else None,
                "landing_page": one.landing_page,
                "click_ids": one.click_ids,
            }
            for one in all_of(Touch, Touch.contact_id.in_(person.contacts))
        ],
        "forms": [
            {
                "at": one.received_at.isoformat(),
                "website": one.site.name,
                "page": one.page,
                "state": one.state,
                "fields": (one.told or {}) | (one.others or {}),
                "came": one.came,
            }
            for one in all_of(WebForm, WebForm.id.in_(person.forms))
        ],
        "browsers": [_browser(one) for one in all_of(Visitor, Visitor.contact_id.in_(person.contacts))],
        "as_received": [
            {"provider": one.provider, "received_at": one.received_at.isoformat(), "body": one.body}
            for one in all_of(InboxEvent, InboxEvent.id.in_(events))
        ],
    }


def _company(firm: Account) -> dict[str, Any]:
    return {"id": firm.id, "name": firm.name, "domain": firm.domain}


def _browser(who: Visitor) -> dict[str, Any]:
    plain = ("channel", "utm_source", "utm_medium", "utm_campaign", "landing_page", "click_ids")
    return {
        "last_seen": who.seen_at.isoformat(),
        "visits": [
            {
                "from": visit.started_at.isoformat(),
                "to": visit.seen_at.isoformat(),
                "campaign": visit.campaign.name if visit.campaign else None,
            }
            | {name: getattr(visit, name) for name in plain}
            for visit in who.visits
        ],
    }


def _call(call: Call) -> dict[str, Any]:
    moments = ("started_at", "answered_at", "ended_at")
    told = {name: at.isoformat() if (at := getattr(call, name)) else None for name in moments}
    plain = (
        "dialled",
        "caller",
        "caller_name",
        "duration_s",
        "talk_s",
        "status",
        "lead_status",
        "note",
        "tags",
    )
    return told | {name: getattr(call, name) for name in plain}
