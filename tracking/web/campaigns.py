"""Campaigns and their ad material: what is advertised, where, when, for how much, and on which number."""

from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from werkzeug.wrappers import Response as AnyResponse

from tracking import clock
from tracking.errors import Conflict, Invalid, NotFound
from tracking.language import channels, formatting
from tracking.language.words import call_state_words
from tracking.records import campaigns, costs
from tracking.reporting import advice, returns, targets
from tracking.reporting.snapshots import Preparing
from tracking.storage.models import (
    AdMaterial,
    Call,
    Campaign,
    Cost,
    Deal,
    MaterialPicture,
    NumberAssignment,
    Touch,
)
from tracking.storage.vocabulary import Direction, Medium
from tracking.telephony import call_details, numbers
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, Work

Page = str | tuple[str, int] | AnyResponse
_RECENT = timedelta(days=30)
_LARGEST_PICTURE = 2_000_000
_LARGEST_FORM = 10_000_000
"""Larger than a picture may be, so that the form can say what is wrong with it."""
_PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


@pages.page("/campaigns", EVERYONE)
def campaign_list() -> str:
    at, day = clock.now(), pages.today()
    with pages.reading() as session:
        rows = session.scalars(select(Campaign).order_by(Campaign.name)).all()
        return render_template(
            "campaigns/list.html",
            campaigns=rows,
            calls=_counts(
                session,
                select(AdMaterial.campaign_id, func.count(Call.id))
                .join(NumberAssignment, NumberAssignment.ad_material_id == AdMaterial.id)
                .join(Call, Call.assignment_id == NumberAssignment.id)
                .where(Call.started_at >= at - _RECENT)
                .group_by(AdMaterial.campaign_id),
            ),
            in_use=_counts(
                session,
                select(AdMaterial.campaign_id, func.count(NumberAssignment.id))
                .join(NumberAssignment.ad_material)
                .where(NumberAssignment.ends_at.is_(None))
                .group_by(AdMaterial.campaign_id),
            ),
            spent=costs.spent(session, date.min, day + timedelta(days=1)),
            this_year=costs.spent(session, date(day.year, 1, 1), day + timedelta(days=1)),
            year=day.year,
            state=lambda campaign: _state(campaign, day),
        )


@pages.page("/campaigns/new", MARKETERS, methods=("GET", "POST"))
def new_campaign() -> Page:
    row, problem = pages.submitted(lambda job: _save(job, None))
    if row:
        flash(gettext("%(name)s added.", name=row.name))
        _warn(row.name)
        return redirect(url_for("web.campaign_page", campaign_id=row.id), 303)
    page = render_template("campaigns/form.html", campaign=None, problem=problem, words=words())
    return page, pages.status_of(problem)


@pages.page("/campaigns/<int:campaign_id>", EVERYONE)
def campaign_page(campaign_id: int) -> str:
    with pages.reading() as session:
        row = _campaign(session, campaign_id)
        material = session.scalars(
            select(AdMaterial)
            .where(AdMaterial.campaign_id == row.id)
            .order_by(AdMaterial.id)
            .options(selectinload(AdMaterial.assignments).joinedload(NumberAssignment.tracking_number))
        ).all()
        recent = session.scalars(
            select(Call)
            .join(Touch, Touch.call_id == Call.id)
            .where(Touch.campaign_id == row.id)
            # A call's touch has its moment, and the index of touches begins with the campaign.
            .order_by(Touch.occurred_at.desc())
            .limit(10)
            .options(joinedload(Call.contact))
        ).all()
        spent = session.scalars(
            select(Cost).where(Cost.campaign_id == row.id).order_by(Cost.period_start.desc()).limit(8)
        ).all()
        result = _result(session, row.name)
        return render_template(
            "campaigns/campaign.html",
            campaign=row,
            state=_state(row, pages.today()),
            material=material,
            calls=[(call, call_details.company_of(session, call)) for call in recent],
            call_states=call_state_words(),
            costs=spent,
            **_money(session, row),
            result=result,
            months=call_details.by_month(session, row.id, pages.today(), pages.settings().zone),
            pictures=set(session.scalars(select(MaterialPicture.ad_material_id)).all()),
            free=session.scalar(numbers.free(at=clock.now()).limit(1)),
            words=words(),
            today=pages.today(),
            **returns.scale_of([result["found"].line] if result else []),
            back_words=pages.back_words,
            verdict_words=advice.verdict_words(),
        )


@pages.page("/campaigns/<int:campaign_id>/change", MARKETERS, methods=("GET", "POST"))
def change_campaign(campaign_id: int) -> Page:
    row, problem = pages.submitted(lambda job: _save(job, campaign_id))
    if row:
        flash(gettext("%(name)s updated.", name=row.name))
        _warn(row.name)
        return redirect(url_for("web.campaign_page", campaign_id=row.id), 303)
    with pages.reading() as session:
        row = _campaign(session, campaign_id)
        page = render_template("campaigns/form.html", campaign=row, problem=problem, words=words())
    return page, pages.status_of(problem)


@pages.page(
    "/campaigns/<int:campaign_id>/material", MARKETERS, methods=("GET", "POST"), largest=lambda: _LARGEST_FORM
)
def new_material(campaign_id: int) -> Page:
    made, problem = pages.submitted(
        lambda job: _save_material(job, _campaign(job.session, campaign_id), None)
    )
    if made:
        flash(gettext("%(name)s added.", name=made.name))
        return redirect(url_for("web.campaign_page", campaign_id=campaign_id), 303)
    with pages.reading() as session:
        row = _campaign(session, campaign_id)
        page = render_template(
            "campaigns/material.html",
            campaign=row,
            usual=channels.medium_for(row.channel),
            piece=None,
            problem=problem,
            words=words(),
        )
    return page, pages.status_of(problem)


@pages.page("/material/<int:material_id>", MARKETERS, methods=("GET", "POST"), largest=lambda: _LARGEST_FORM)
def change_material(material_id: int) -> Page:
    made, problem = pages.submitted(lambda job: _save_material(job, None, material_id))
    if made:
        flash(gettext("%(name)s updated.", name=made.name))
        return redirect(url_for("web.campaign_page", campaign_id=made.campaign_id), 303)
    with pages.reading() as session:
        piece = _material(session, material_id)
        page = render_template(
            "campaigns/material.html",
            campaign=piece.campaign,
            usual=channels.medium_for(piece.campaign.channel),
            piece=piece,
            problem=problem,
            words=words(),
        )
    return page, pages.status_of(problem)


@pages.page("/material/<int:material_id>/picture", EVERYONE)
def material_picture(material_id: int) -> Response:
    with pages.reading() as session:
        found = session.scalar(select(MaterialPicture).where(MaterialPicture.ad_material_id == material_id))
        if found is None:
            raise NotFound(gettext("This asset has no picture."))
        return Response(found.content, mimetype=found.content_type)


@pages.page("/material/<int:material_id>/number", MARKETERS, methods=("POST",))
def give_number(material_id: int) -> AnyResponse:
    """Put the next free number on the material: the second of two clicks."""

    def work(job: Work) -> tuple[int, str, str]:
        piece = _material(job.session, material_id)
        held = numbers.assign_next_free(job.session, piece, at=job.at)
        job.note("number assign", f"{held.tracking_number.number}: {piece.campaign.name}, {piece.name}")
        return piece.campaign_id, held.tracking_number.number, piece.name

    campaign_id, number, name = pages.change(work)
    flash(gettext("%(name)s now has the number %(number)s.", name=name, number=number))
    return redirect(url_for("web.campaign_page", campaign_id=campaign_id), 303)


@pages.page("/campaigns/<int:campaign_id>/bulk", MARKETERS, methods=("GET", "POST"))
def bulk_material(campaign_id: int) -> Page:
    """Add many pieces at once, each with a number: the pages of a catalogue."""
    made, problem = pages.submitted(lambda job: _bulk(job, campaign_id))
    if made:
        flash(ngettext("%(num)d asset added with a number.", "%(num)d assets added with numbers.", made))
        return redirect(url_for("web.campaign_page", campaign_id=campaign_id), 303)
    with pages.reading() as session:
        row = _campaign(session, campaign_id)
        idle = numbers.free(at=clock.now()).order_by(None).subquery()
        count = session.scalar(select(func.count()).select_from(idle))
        page = render_template(
            "campaigns/bulk.html",
            campaign=row,
            usual=channels.medium_for(row.channel),
            free=count,
            problem=problem,
            words=words(),
        )
    return page, pages.status_of(problem)


def words() -> dict[str, list[tuple[str, str]]]:
    """Return the choices of the forms with their names."""
    return {
        "channel": [(str(each.label), "") for each in channels.STANDARD],
        "direction": [
            (Direction.inbound, gettext("Inbound: buyers come to you")),
            (Direction.outbound, gettext("Outbound: you contact buyers")),
        ],
        "medium": [
            (Medium.online, gettext("online")),
            (Medium.email, gettext("email")),
            (Medium.print, gettext("print")),
            (Medium.fair, gettext("trade show")),
            (Medium.other, gettext("other")),
        ],
    }


def _state(campaign: Campaign, day: date) -> Any:
    if campaign.starts_on and campaign.starts_on > day:
        return gettext("planned")
    if campaign.ends_on and campaign.ends_on < day:
        return gettext("ended")
    return gettext("active")


def _money(session: Session, row: Campaign) -> dict[str, Any]:
    """Return what was spent to date: on the campaign's own days where they end, else in this year."""
    day = pages.today()
    first = date.min if row.ends_on else date(day.year, 1, 1)
    to_date = costs.spent(session, first, day + timedelta(days=1))
    return {"total": to_date.get(row.id, []), "year": None if row.ends_on else str(day.year)}


def _result(session: Session, name: str) -> dict[str, Any] | None:
    """Return what came of a campaign in the last year; while figures are being made, nothing."""
    with suppress(Preparing, Invalid):
        asked, snapshot = pages.report_query(session), pages.current_snapshot(session)
        found = returns.of_campaign(pages.settings(), snapshot, asked, name, at=clock.now())
        if found is not None:
            ids = [int(each["conversion_id"].split()[1]) for each in found.deals]
            query = select(Deal).where(Deal.id.in_(ids)).options(joinedload(Deal.account))
            return {
                "found": found,
                "asked": asked,
                "deals": {deal.id: deal for deal in session.scalars(query)},
            }
    return None


def _counts(session: Session, query: Any) -> dict[int, int]:
    return {key: number for key, number in session.execute(query) if key is not None}


def _campaign(session: Session, campaign_id: int) -> Campaign:
    row = session.get(Campaign, campaign_id)
    if row is None:
        raise NotFound(gettext("Campaign %(n)d not found.", n=campaign_id))
    return row


def _material(session: Session, material_id: int) -> AdMaterial:
    row = session.scalar(
        select(AdMaterial).where(AdMaterial.id == material_id).options(joinedload(AdMaterial.campaign))
    )
    if row is None:
        raise NotFound(gettext("Asset %(n)d not found.", n=material_id))
    return row


def _save(job: Work, campaign_id: int | None) -> Campaign:
    currency = forms.text("currency") or pages.settings().currency
    budget = forms.amount("budget_minor", currency)
    details: dict[str, Any] = {
        "direction": forms.one_of(Direction, "direction"),
        "objective": forms.text("objective") or "",
        "targets": _targets(request.form.get("targets", "")),
        "budget_minor": budget,
        "currency": currency if budget is not None else None,
        "utm_source": forms.text("utm_source"),
        "utm_medium": forms.text("utm_medium"),
        "utm_campaign": forms.text("utm_campaign"),
        "starts_on": forms.day("starts_on"),
        "ends_on": forms.day("ends_on"),
    }
    name, channel = forms.text("name") or "", forms.text("channel") or ""
    if campaign_id is None:
        row = campaigns.add(job.session, name, channel, at=job.at, **details)
        job.note("campaign add", row.name)
        return row
    row = _campaign(job.session, campaign_id)
    campaigns.change(job.session, row, name=name, channel=channel, **details)
    job.note("campaign change", row.name)
    return row


def _warn(name: str) -> None:
    """Say which targets of a campaign lie far outside its trend; while figures are being made, nothing."""
    with pages.reading() as session, suppress(Preparing, Invalid):
        asked, snapshot = pages.report_query(session), pages.current_snapshot(session)
        for row in targets.reached(pages.settings(), snapshot, asked, session, at=clock.now()):
            if row["campaign"] == name and row["note"]:
                figure = formatting.count(row["target"])
                flash(f"{row['measure']} {figure}: {row['note']}")


def _targets(text: str) -> dict[str, float]:
    """Read one target a line, such as "leads: 40"."""
    found: dict[str, float] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        measure, _, figure = line.rpartition(":")
        try:
            found[measure.strip()] = float(figure.strip().replace(",", "."))
        except ValueError:
            measure = ""
        if not measure.strip():
            raise Invalid(
                "targets", gettext("%(line)s is not a target; write it as leads: 40", line=repr(line))
            )
    return found


def _save_material(job: Work, campaign: Campaign | None, material_id: int | None) -> AdMaterial:
    details: dict[str, Any] = {
        "medium": forms.one_of(Medium, "medium") if forms.text("medium") else None,
        "kind": forms.text("kind") or "other",
        "edition": forms.text("edition"),
        "print_run": forms.whole("print_run"),
        "issued_on": forms.day("issued_on"),
        "expires_on": forms.day("expires_on"),
    }
    name = forms.text("name") or ""
    if campaign is not None:
        piece = campaigns.add_material(job.session, campaign, name, at=job.at, **details)
        job.note("material add", f"{campaign.name}, {piece.name}")
    else:
        assert material_id is not None
        piece = _material(job.session, material_id)
        details["medium"] = details["medium"] or channels.medium_for(piece.campaign.channel, details["kind"])
        campaigns.change_material(job.session, piece, name=name, **details)
        job.note("material change", f"{piece.campaign.name}, {piece.name}")
    if (file := request.files.get("picture")) and file.filename:
        _picture(job.session, piece, file.read(_LARGEST_PICTURE + 1))
    return piece


def _picture(session: Session, piece: AdMaterial, content: bytes) -> None:
    if len(content) > _LARGEST_PICTURE:
        raise Invalid("picture", gettext("the file is larger than 2 MB; choose a smaller one"))
    # Told by its first bytes: what a file calls itself is no proof of what it is.
    kind = next((kind for mark, kind in _PICTURES.items() if content.startswith(mark)), None)
    if kind is None or (kind == "image/webp" and content[8:12] != b"WEBP"):
        raise Invalid("picture", gettext("choose a PNG, JPEG or WebP file"))
    found = session.scalar(select(MaterialPicture).where(MaterialPicture.ad_material_id == piece.id))
    if found is None:
        found = MaterialPicture(ad_material_id=piece.id)
        session.add(found)
    found.content_type, found.content = kind, content
    session.flush()


def _bulk(job: Work, campaign_id: int) -> int:
    campaign = _campaign(job.session, campaign_id)
    medium = forms.one_of(Medium, "medium") if forms.text("medium") else None
    names = [line.strip() for line in request.form.get("names", "").splitlines() if line.strip()]
    if not names:
        raise Invalid("names", gettext("enter one name per line"))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid("names", gettext("%(name)s is listed twice", name=repr(twice[0])))
    idle = job.session.scalars(numbers.free(at=job.at).limit(len(names))).all()
    if len(idle) < len(names):
        raise Conflict(
            gettext(
                "%(names)d assets need a number and only %(free)d are available; add %(missing)d "
                "more numbers first",
                names=len(names),
                free=len(idle),
                missing=len(names) - len(idle),
            )
        )
    for name in names:
        piece = campaigns.add_material(
            job.session, campaign, name, at=job.at, medium=medium, kind=forms.text("kind") or "other"
        )
        numbers.assign_next_free(job.session, piece, at=job.at)
    job.note("material add", f"{campaign.name}: {len(names)} pieces with numbers")
    return len(names)
