"""Buying companies and their people: found, named, merged and parted, and the timeline of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from werkzeug.wrappers import Response

from tracking.errors import Invalid, NotFound
from tracking.language import formatting
from tracking.language.words import answer_words, company_name
from tracking.records import answers, contacts
from tracking.reporting import quality
from tracking.storage.models import (
    Account,
    Answer,
    Call,
    Contact,
    Deal,
    NumberAssignment,
    Touch,
)
from tracking.storage.vocabulary import Stage, TouchKind
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, REPS, Work, sees_numbers, some_of

_PAGE = 50


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a company's timeline: a touch with its call and answers, an answer alone, or a deal."""

    at: datetime
    kind: str
    touch: Touch | None = None
    answer: Answer | None = None
    deal: Deal | None = None


@pages.page("/companies", EVERYONE)
def company_list() -> str:
    text = request.args.get("q", "").strip()
    skip = pages.skipped()
    with pages.reading() as session:
        wanted, days = _search(text, pages.settings().region), {}
        if request.args.get("unnamed"):
            asked = pages.report_query(session)
            wanted = quality.nameless(asked.period)
            days = {"unnamed": "yes", "from": asked.period.start, "to": asked.last_day}
        rows = some_of(session, Account, wanted, skip, _PAGE + 1)
        return render_template(
            "companies/list.html",
            companies=[(row, contacts.root(session, row)) for row in rows[:_PAGE]],
            twins=_twins(session) if not text else [],
            text=text,
            days=days,
            newer=max(skip - _PAGE, 0) if skip else None,
            older=skip + _PAGE if len(rows) > _PAGE else None,
        )


@pages.page("/companies/<int:company_id>", EVERYONE)
def company_page(company_id: int) -> str:
    return _show(company_id)


@pages.page("/contacts/<int:contact_id>/numbers", REPS, methods=("POST",))
def show_contact(contact_id: int) -> str:
    """Show a contact's numbers and addresses in full, as a part of the page or on that of the company."""

    def work(job: Work) -> int:
        job.note("number show", f"contact {contact_id}")
        return _contact(job.session, contact_id).account_id

    company_id = pages.change(work)
    if not request.headers.get("HX-Request"):
        return _show(company_id, shown=contact_id)
    with pages.reading() as session:
        return render_template("companies/_points.html", person=_contact(session, contact_id))


def _show(company_id: int, *, shown: int | None = None) -> str:
    kind = request.args.get("kind", "")
    skip = pages.skipped()
    with pages.reading() as session:
        row = _company(session, company_id)
        main = contacts.root(session, row)
        family = contacts.family(session, main)
        people = session.scalars(
            select(Contact)
            .where(Contact.id.in_(contacts.people_of(contacts.same_company(main.id))))
            .order_by(Contact.id)
            .options(selectinload(Contact.points))
            .limit(200)
        ).all()
        lines, more = _timeline(session, family, people, kind, skip)
        traded = session.scalars(select(Deal).where(Deal.account_id.in_([one.id for one in family]))).all()
        return render_template(
            "companies/company.html",
            company=row,
            main=main,
            parts=[one for one in family if one.id != main.id],
            people=people,
            shown=shown,
            deals=_traded(traded),
            lines=lines,
            kind=kind,
            kinds=kind_words(),
            in_words=answer_words,
            said=(said := answers.of_company(session, main)),
            corrected={answer.corrects_id for answer in said},
            names=answers.nameable(session),
            newer=max(skip - _PAGE, 0) if skip else None,
            older=skip + _PAGE if more else None,
        )


def _traded(found: Sequence[Deal]) -> dict[str, Any]:
    """Return how many deals are won and open, and what those won are worth in each currency."""
    won = [deal for deal in found if deal.stage is Stage.won]
    sums: dict[str, int] = {}
    for deal in won:
        if deal.amount_minor is not None:
            sums[deal.currency] = sums.get(deal.currency, 0) + deal.amount_minor
    return {
        "count": len(won),
        "open": sum(deal.stage not in (Stage.won, Stage.lost) for deal in found),
        "sums": " + ".join(formatting.amount(minor, currency) for currency, minor in sorted(sums.items())),
        "last": max((deal.closed_at for deal in won if deal.closed_at), default=None),
    }


@pages.page("/companies/<int:company_id>/change", MARKETERS, methods=("POST",))
def change_company(company_id: int) -> Response:
    def work(job: Work) -> None:
        row = _company(job.session, company_id)
        contacts.rename(row, forms.text("name") or "")
        row.domain = (forms.text("domain") or "").casefold() or None
        row.industry, row.region = forms.text("industry"), forms.text("region")
        job.note("company change", f"{row.id}: {row.name}")

    pages.change(work)
    flash(gettext("Saved."))
    return redirect(url_for("web.company_page", company_id=company_id), 303)


@pages.page("/companies/<int:company_id>/merge", MARKETERS, methods=("GET", "POST"))
def merge_company(company_id: int) -> str | Response:
    if request.method == "POST":
        target_id = forms.whole("into") or 0

        def work(job: Work) -> str:
            contacts.merge(job.session, Account, company_id, target_id)
            target = _company(job.session, target_id)
            job.note("company merge", f"{company_id} into {target_id}")
            return company_name(target.name)

        name = pages.change(work)
        flash(gettext("Merged into %(name)s. You can undo this here.", name=name))
        return redirect(url_for("web.company_page", company_id=target_id), 303)
    text = request.args.get("q", "").strip()
    with pages.reading() as session:
        row = _company(session, company_id)
        found = session.scalars(_search(text, pages.settings().region).limit(20)).all() if text else []
        same = {one.id for one in contacts.family(session, contacts.root(session, row))}
        return render_template(
            "companies/merge.html",
            company=row,
            text=text,
            found=[one for one in found if one.id not in same],
        )


@pages.page("/companies/<int:company_id>/part", MARKETERS, methods=("POST",))
def part_company(company_id: int) -> Response:
    def work(job: Work) -> None:
        contacts.unmerge(job.session, Account, company_id)
        job.note("company part", str(company_id))

    pages.change(work)
    flash(gettext("Merge undone."))
    return redirect(url_for("web.company_page", company_id=company_id), 303)


@pages.page("/contacts/<int:contact_id>", MARKETERS, methods=("POST",))
def change_contact(contact_id: int) -> Response:
    """Rename a person, let one count as another, or part them again."""

    def work(job: Work) -> int:
        row = _contact(job.session, contact_id)
        match request.form.get("do"):
            case "merge":
                contacts.merge(job.session, Contact, contact_id, forms.whole("into") or 0)
                job.note("contact merge", f"{contact_id} into {forms.whole('into')}")
            case "part":
                contacts.unmerge(job.session, Contact, contact_id)
                job.note("contact part", str(contact_id))
            case "rename":
                row.name = forms.text("name")
                job.note("contact change", str(contact_id))
            case _:
                raise Invalid(
                    "do",
                    "unknown action %(told)r; use the buttons on the page",
                    told=forms.text("do") or "",
                )
        return row.account_id

    account_id = pages.change(work)
    flash(gettext("Saved."))
    return redirect(url_for("web.company_page", company_id=account_id), 303)


def kind_words() -> list[tuple[str, str]]:
    """Return the kinds of lines of a timeline with their names."""
    return [
        (TouchKind.call, gettext("calls")),
        (TouchKind.visit, gettext("visits")),
        (TouchKind.form, gettext("forms")),
        (TouchKind.message, gettext("messages")),
        (TouchKind.event, gettext("events")),
        ("answer", gettext("answers")),
        ("deal", gettext("deals")),
        (TouchKind.other, gettext("other")),
    ]


def _company(session: Session, company_id: int) -> Account:
    row = session.get(Account, company_id)
    if row is None:
        raise NotFound(gettext("Company %(n)d not found.", n=company_id))
    return row


def _contact(session: Session, contact_id: int) -> Contact:
    row = session.get(Contact, contact_id)
    if row is None:
        raise NotFound(gettext("Contact %(n)d not found.", n=contact_id))
    return row


def _search(text: str, region: str) -> Select[Account]:
    wanted = select(Account)
    if not text:
        listed = wanted.where(Account.merged_into_id.is_(None), Account.name_key.is_not(None))
        return listed.order_by(Account.name_key, Account.id)
    return contacts.matching(text, region, by_number=sees_numbers())


def _twins(session: Session) -> Sequence[tuple[str, int]]:
    """Return names that several companies have which nobody has merged."""
    rows = session.execute(
        select(func.min(Account.id), func.count())
        .where(Account.merged_into_id.is_(None), Account.name_key.is_not(None))
        .group_by(Account.name_key)
        .having(func.count() > 1)
        .order_by(func.count().desc(), Account.name_key)
        .limit(10)
    )
    return [(session.get_one(Account, first).name or "", count) for first, count in rows]


def _timeline(
    session: Session, family: Sequence[Account], people: Sequence[Contact], kind: str, skip: int
) -> tuple[list[Happening], bool]:
    """Return one page of what happened with a company, the latest first, and whether there is more."""
    ids = [person.id for person in people]
    far = skip + _PAGE + 1
    # Only moments at first, and the rows of this page then: a busy customer has thousands of lines.
    places: list[tuple[datetime, str, int]] = []
    if kind in ("", *TouchKind):
        touches = select(Touch.occurred_at, Touch.id).where(Touch.contact_id.in_(ids))
        if kind:
            touches = touches.where(Touch.kind == kind)
        newest = touches.order_by(Touch.occurred_at.desc(), Touch.id.desc()).limit(far)
        places += [(at, "touch", row_id) for at, row_id in session.execute(newest)]
    if kind in ("", "answer"):
        answered = select(Answer.asked_at, Answer.id).where(Answer.contact_id.in_(ids))
        # Between other lines an answer stands with its call.
        answered = answered if kind else answered.where(Answer.call_id.is_(None))
        newest = answered.order_by(Answer.asked_at.desc(), Answer.id.desc()).limit(far)
        places += [(at, "answer", row_id) for at, row_id in session.execute(newest)]
    deals: dict[int, Deal] = {}
    if kind in ("", "deal"):
        theirs = select(Deal).where(Deal.account_id.in_([one.id for one in family])).limit(200)
        deals = {deal.id: deal for deal in session.scalars(theirs)}
        for deal in deals.values():
            at = deal.closed_at or deal.opportunity_at or deal.qualified_at or deal.lead_at or deal.created_at
            places.append((at, "deal", deal.id))
    places.sort(key=lambda place: place[0], reverse=True)
    return _lines(session, places[skip : skip + _PAGE], deals), len(places) > skip + _PAGE


def _lines(
    session: Session, places: Sequence[tuple[datetime, str, int]], deals: Mapping[int, Deal]
) -> list[Happening]:
    """Read what happened at some places of a timeline, in their order."""
    touches = {touch.id: touch for touch in session.scalars(_touches(_ids(places, "touch")))}
    found = select(Answer).where(Answer.id.in_(_ids(places, "answer"))).options(joinedload(Answer.campaign))
    said = {answer.id: answer for answer in session.scalars(found)}
    lines = []
    for at, what, row_id in places:
        if what == "touch":
            lines.append(Happening(at, touches[row_id].kind, touch=touches[row_id]))
        elif what == "answer":
            lines.append(Happening(at, what, answer=said[row_id]))
        else:
            lines.append(Happening(at, what, deal=deals[row_id]))
    return lines


def _ids(places: Sequence[tuple[datetime, str, int]], wanted: str) -> list[int]:
    return [row_id for _, what, row_id in places if what == wanted]


def _touches(ids: Sequence[int]) -> Select[Touch]:
    return (
        select(Touch)
        .where(Touch.id.in_(ids))
        .options(
            joinedload(Touch.campaign),
            joinedload(Touch.ad_material),
            joinedload(Touch.contact),
            joinedload(Touch.call).options(
                joinedload(Call.assignment).joinedload(NumberAssignment.ad_material),
                selectinload(Call.answers).joinedload(Answer.campaign),
            ),
        )
    )
