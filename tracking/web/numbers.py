"""Tracking numbers: the inventory, who holds which, what still rings, sheets to print, and the test call."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Response, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from werkzeug.wrappers import Response as AnyResponse

from reports import extras, sheets
from tracking import clock
from tracking.errors import Conflict, Invalid, NotFound, documents_missing
from tracking.language import formatting
from tracking.language.words import call_state_words, number_life_words
from tracking.records import links, logos
from tracking.reporting import number_sheets, questions, roi
from tracking.storage import phone
from tracking.storage.models import AdMaterial, Call, Campaign, NumberAssignment, TrackingNumber
from tracking.storage.vocabulary import NumberStatus
from tracking.telephony import call_details, numbers
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, PUBLIC, Work

Page = str | tuple[str, int] | AnyResponse
_PAGE = 100
_STRAYS = timedelta(days=90)
"""How far back calls to resting, free and expired numbers are warned of."""
_MOST_SHEETS = 300


@pages.page("/numbers", EVERYONE, methods=("GET",))
def number_list() -> Page:
    at = clock.now()
    skip = pages.skipped()
    wanted = select(TrackingNumber).order_by(TrackingNumber.number)
    if digits := "".join(c for c in request.args.get("q", "") if c.isdigit()):
        wanted = wanted.where(TrackingNumber.number.contains(digits.lstrip("0") or digits))
    period = misread = None
    try:
        first, last = questions.day("from", request.args), questions.day("to", request.args)
        if first or last:
            period = roi.period_of(pages.settings(), pages.today(), first, last)
    except Invalid as error:
        misread = error
    with pages.reading() as session:
        rows = session.scalars(_loaded(wanted).offset(skip).limit(_PAGE + 1)).all()
        strays = numbers.strays(session, at - _STRAYS, at)
        unknown = numbers.strays(session, period.since, period.until) if period else strays
        page = render_template(
            "numbers/list.html",
            numbers=[(row, numbers.standing(row, row.assignments, at)) for row in rows[:_PAGE]],
            older=skip + _PAGE if len(rows) > _PAGE else None,
            ours=[stray for stray in strays if stray.life],
            foreign=[stray for stray in unknown if not stray.life],
            period=period,
            last=period and period.end - timedelta(days=1),
            misread=misread,
            expired=_expired(session),
            lives=number_life_words(),
            digits=digits,
            days=_STRAYS.days,
        )
    return page, pages.status_of(misread)


@pages.page("/numbers/new", MARKETERS, methods=("GET", "POST"))
def new_numbers() -> Page:
    count, problem = pages.submitted(_add)
    if count:
        flash(ngettext("%(num)d number added.", "%(num)d numbers added.", count))
        return redirect(url_for("web.number_list"), 303)
    page = render_template("numbers/new.html", problem=problem)
    return page, 422 if problem else 200


@pages.page("/numbers/<int:number_id>", EVERYONE)
def number_page(number_id: int) -> str:
    at = clock.now()
    with pages.reading() as session:
        row = _number(session, number_id)
        calls = session.scalars(
            select(Call)
            .where(Call.tracking_number_id == row.id)
            .order_by(Call.started_at.desc())
            .limit(10)
            .options(joinedload(Call.contact))
        ).all()
        return render_template(
            "numbers/number.html",
            number=row,
            shown=phone.show(row.number),
            stands=numbers.standing(row, row.assignments, at),
            lives=number_life_words(),
            calls=[(call, call_details.company_of(session, call)) for call in calls],
            call_states=call_state_words(),
            newest=calls[0].id if calls else 0,
            recent=session.scalar(
                select(func.count())
                .select_from(Call)
                .where(Call.tracking_number_id == row.id, Call.started_at >= at - _STRAYS)
            ),
        )


@pages.page("/numbers/<int:number_id>", MARKETERS, methods=("POST",))
def change_number(number_id: int) -> AnyResponse:
    def work(job: Work) -> Any:
        row = _number(job.session, number_id)
        match request.form.get("do"):
            case "release":
                held = next((a for a in row.assignments if a.ends_at is None), None)
                if held is None:
                    raise Conflict(gettext("%(number)s is not assigned.", number=row.number))
                numbers.release(job.session, held, at=job.at)
                job.note("number release", f"{row.number}: {held.ad_material.name}")
                return gettext(
                    "%(number)s released. It is cooling off and still forwards calls.", number=row.number
                )
            case "disable":
                row.status = NumberStatus.disabled
                job.note("number disable", row.number)
                return gettext("%(number)s deactivated.", number=row.number)
            case "enable":
                row.status = NumberStatus.active
                job.note("number enable", row.number)
                return gettext("%(number)s activated.", number=row.number)
            case "main-line" | "no-main-line" as told:
                numbers.make_main_line(job.session, row, told == "main-line")
                job.note(f"number {told}", row.number)
                if row.main_line:
                    return gettext("%(number)s is now the main line.", number=row.number)
                return gettext("%(number)s is no longer the main line.", number=row.number)
            case "forward":
                target = forms.text("destination") or ""
                numbers.forward_to(job.session, row, target, region=pages.settings().region)
                job.note("number forward", f"{row.number} to {row.destination}")
                return gettext("%(number)s now forwards to %(to)s.", number=row.number, to=row.destination)
        raise Invalid(
            "do",
            "unknown action %(told)r; use the buttons on the number's page",
            told=forms.text("do") or "",
        )

    flash(pages.change(work))
    return redirect(url_for("web.number_page", number_id=number_id), 303)


@pages.page("/numbers/assign", MARKETERS, methods=("GET", "POST"))
def assign_number() -> Page:
    """Put a number on material since a day, which may be long past; its calls since then are credited."""
    told, problem = pages.submitted(_assign)
    if told:
        flash(told)
        return redirect(url_for("web.number_page", number_id=request.form["number"]), 303)
    conflict = problem.other if isinstance(problem, numbers.Held) else None
    with pages.reading() as session:
        pieces = select(AdMaterial).join(AdMaterial.campaign).order_by(Campaign.name, AdMaterial.name)
        page = render_template(
            "numbers/assign.html",
            problem=problem,
            conflict=conflict and session.get(NumberAssignment, conflict),
            numbers=[(row.id, row.number) for row in session.scalars(numbers.assignable(at=clock.now()))],
            material=session.scalars(pieces.options(joinedload(AdMaterial.campaign))).all(),
            today=pages.today(),
        )
    return page, pages.status_of(problem)


def _assign(job: Work) -> str:
    row = _number(job.session, _chosen("number"))
    piece = job.session.get(AdMaterial, _chosen("material"))
    if piece is None:
        raise Invalid("material", gettext("no longer exists; choose another"))
    since, last = forms.day("since"), forms.day("last_day")
    if since is None:
        raise Invalid("since", gettext("enter the first day"))
    if last is not None and last < since:
        raise Invalid("last_day", "before the first day, %(start)s; swap them or correct one", start=since)
    held = numbers.assign(
        job.session,
        row,
        piece,
        starts_at=_begins(since),
        ends_at=_begins(last + timedelta(days=1)) if last else None,
        close_others=forms.flag("close_others"),
    )
    calls = numbers.calls_of(job.session, held)
    job.note("number assign", f"{row.number} since {since}: {piece.campaign.name}, {piece.name}")
    said = ngettext(
        "%(number)s assigned to %(name)s from %(day)s; %(num)d call credited.",
        "%(number)s assigned to %(name)s from %(day)s; %(num)d calls credited.",
        calls,
        number=row.number,
        name=piece.name,
        day=formatting.day(since),
    )
    return str(said)


def _chosen(name: str) -> int:
    told = forms.whole(name)
    if told is None:
        raise Invalid(name, gettext("choose one"))
    return told


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), pages.settings().zone).astimezone(UTC)


@pages.page("/numbers/<int:number_id>/calls", EVERYONE)
def number_calls(number_id: int) -> AnyResponse:
    """Tell the number's latest call, for whoever waits for the test call."""
    with pages.reading() as session:
        newest = session.scalar(select(func.max(Call.id)).where(Call.tracking_number_id == number_id))
    return jsonify({"newest": newest or 0})


@pages.page("/numbers/<int:number_id>/sheet.pdf", EVERYONE)
def number_sheet(number_id: int) -> str | Response:
    with pages.reading() as session:
        row = _number(session, number_id)
        return _printed(session, [(row, _held(row))], row.number.lstrip("+"))


@pages.page("/campaigns/<int:campaign_id>/sheets.pdf", EVERYONE)
def campaign_sheets(campaign_id: int) -> str | Response:
    with pages.reading() as session:
        held = session.scalars(
            select(NumberAssignment)
            .join(NumberAssignment.ad_material)
            .where(AdMaterial.campaign_id == campaign_id, NumberAssignment.ends_at.is_(None))
            .order_by(AdMaterial.id)
            .limit(_MOST_SHEETS)
            .options(joinedload(NumberAssignment.tracking_number))
        ).all()
        if not held:
            raise NotFound(gettext("No asset in this campaign has a number."))
        printed = [(one.tracking_number, one) for one in held]
        return _printed(session, printed, f"campaign-{campaign_id}")


@pages.page("/t/<int:number_id>", PUBLIC)
def short_link(number_id: int) -> str:
    """Show a published number to whoever read its code; the page says nothing else and counts nobody."""
    with pages.reading() as session:
        row = session.get(TrackingNumber, number_id)
        held = next((one for one in row.assignments if one.ends_at is None), None) if row else None
        if row is None or held is None:
            raise NotFound(gettext("Number not found."))
        link = links.of_material(session, held.ad_material_id, pages.today())
        return render_template(
            "numbers/short.html",
            number=row.number,
            shown=phone.show(row.number),
            logo=logos.current(session),
            website=f"{pages.settings().links_url}{links.PATH}/{link.slug}" if link else None,
        )


def _loaded(query: Any) -> Any:
    return query.options(
        selectinload(TrackingNumber.assignments)
        .joinedload(NumberAssignment.ad_material)
        .joinedload(AdMaterial.campaign),
        selectinload(TrackingNumber.pool),
    )


def _number(session: Session, number_id: int) -> TrackingNumber:
    row = session.scalar(_loaded(select(TrackingNumber).where(TrackingNumber.id == number_id)))
    if not isinstance(row, TrackingNumber):
        raise NotFound(gettext("Number %(n)d not found.", n=number_id))
    return row


def _held(row: TrackingNumber) -> NumberAssignment | None:
    return next((held for held in row.assignments if held.ends_at is None), None)


def _expired(session: Session) -> list[tuple[AdMaterial, int]]:
    """Return ad material that has expired and still rings: more of it is about than was thought."""
    over = select(NumberAssignment.id, NumberAssignment.ad_material_id).join(NumberAssignment.ad_material)
    held = {
        row.id: row.ad_material_id
        for row in session.execute(over.where(AdMaterial.expires_on < pages.today()))
    }
    # By the numbers they had, each with an index of its calls by moment; not all calls of that time.
    rung = (
        select(Call.assignment_id, func.count(Call.id))
        .where(Call.assignment_id.in_(held), Call.spam.is_(False))
        .where(Call.started_at >= clock.now() - _STRAYS)
        .group_by(Call.assignment_id)
    )
    calls: Counter[int] = Counter()
    for assignment_id, count in session.execute(rung):
        calls[held[assignment_id]] += count
    most = calls.most_common(20)
    rows = select(AdMaterial).where(AdMaterial.id.in_([material_id for material_id, _ in most]))
    material = {row.id: row for row in session.scalars(rows.options(joinedload(AdMaterial.campaign)))}
    return [(material[material_id], count) for material_id, count in most]


def _add(job: Work) -> int:
    given = [line.strip() for line in request.form.get("numbers", "").splitlines() if line.strip()]
    if not given:
        raise Invalid("numbers", gettext("enter one number per line"))
    provider = forms.text("provider") or ""
    if not provider:
        raise Invalid("provider", gettext("enter the provider"))
    for line in given:
        numbers.add(
            job.session,
            line,
            at=job.at,
            provider=provider,
            destination=forms.text("destination"),
            region=pages.settings().region,
            main_line=forms.flag("main_line"),
        )
    job.note("number add", f"{len(given)}: {', '.join(given[:5])}{' …' if len(given) > 5 else ''}")
    return len(given)


def _printed(session: Session, wanted: Sequence[number_sheets.Printed], name: str) -> str | Response:
    """Return sheets as PDF, or where nothing makes PDF files as a page that the browser prints."""
    try:
        content = number_sheets.pdf(session, pages.settings(), wanted)
    except extras.DocumentsMissing:
        return render_template(
            "numbers/sheets.html",
            sheets=number_sheets.pages(session, pages.settings(), wanted),
            qr=sheets.qr,
            logo=logos.current(session),
            reason=documents_missing(extras.COMMAND),
        )
    head = {"Content-Disposition": f'attachment; filename="ringtrail-{name}.pdf"'}
    return Response(content, mimetype="application/pdf", headers=head)
