"""Experiments: plan a pause, say when it started and ended, read what it has shown."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, contains_eager, selectinload
from werkzeug.wrappers import Response

from tracking.errors import Invalid
from tracking.records import experiments
from tracking.records.experiments import Plan
from tracking.reporting import experiments as reporting
from tracking.reporting import experiments_text
from tracking.reporting.experiments import Outlook, Paused
from tracking.storage.models import AdMaterial, Campaign, Experiment, NumberAssignment, TrackingNumber
from tracking.storage.vocabulary import ExperimentState
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, Work

_Page = str | Response | tuple[str, int]
_WEEKS = 8
_ALL = "all"
_KINDS: Mapping[str, type[Campaign] | type[AdMaterial] | type[TrackingNumber]] = {
    "campaign": Campaign,
    "material": AdMaterial,
    "number": TrackingNumber,
}


@pages.page("/experiments", EVERYONE)
def experiment_list() -> str:
    with pages.reading() as session:
        rows = experiments.every(session)
        snapshot = pages.current_snapshot(session) if rows else None
        lines = []
        for row in rows:
            found = snapshot and reporting.result(
                session, snapshot, pages.settings(), row, today=pages.today()
            )
            lines.append((row, found and experiments_text.verdict(found, row)))
        return render_template("experiments/list.html", lines=lines, **_words())


@pages.page("/experiments/new", MARKETERS, methods=("GET", "POST"))
def new_experiment() -> _Page:
    return _form(None)


@pages.page("/experiments/<int:number>/edit", MARKETERS, methods=("GET", "POST"))
def edit_experiment(number: int) -> _Page:
    return _form(number)


@pages.page("/experiments/<int:number>", EVERYONE)
def experiment_page(number: int) -> str:
    with pages.reading() as session:
        row = experiments.get(session, number)
        snapshot, today = pages.current_snapshot(session), pages.today()
        found = reporting.result(session, snapshot, pages.settings(), row, today=today)
        return render_template(
            "experiments/one.html",
            row=row,
            found=found,
            reading=found.reading,
            verdict=experiments_text.verdict(found, row),
            beside=experiments_text.beside(found),
            design=experiments_text.design_words(found.reading.design),
            warnings=experiments_text.warnings(found, pages.settings()),
            last_day=min(row.ends_on, today),
            today=today,
            **_words(),
        )


@pages.page("/experiments/<int:number>/state", MARKETERS, methods=("POST",))
def change_experiment(number: int) -> Response:
    def work(job: Work) -> None:
        row = experiments.get(job.session, number)
        step, day = forms.text("step"), forms.day("day") or pages.today()
        if step == "start":
            experiments.start(job.session, row, day)
        elif step == "end":
            experiments.end(job.session, row, day)
        elif step == "cancel":
            experiments.cancel(job.session, row)
        else:
            raise Invalid("step", "%(told)r is not a step; use start, end or cancel", told=step or "")
        job.note(f"experiment {step}", row.name)

    pages.change(work)
    flash(gettext("Saved."))
    return redirect(url_for("web.experiment_page", number=number), 303)


@pages.page("/experiments/<int:number>/delete", MARKETERS, methods=("POST",))
def delete_experiment(number: int) -> Response:
    def work(job: Work) -> None:
        row = experiments.get(job.session, number)
        job.note("experiment delete", row.name)
        experiments.remove(job.session, row)

    pages.change(work)
    flash(gettext("Experiment deleted."))
    return redirect(url_for("web.experiment_list"), 303)


def _form(number: int | None) -> _Page:
    """Show the form of a plan, with what pauses could show; save it unless only that is asked for."""
    saved, problem = None, None
    if forms.text("action") != "calculate":
        saved, problem = pages.submitted(lambda job: _save(job, number))
    if saved is not None:
        flash(gettext("Saved."))
        return redirect(url_for("web.experiment_page", number=saved), 303)
    with pages.reading() as session:
        row = experiments.get(session, number) if number is not None else None
        if row is not None and row.state not in (ExperimentState.planned, ExperimentState.running):
            return redirect(url_for("web.experiment_page", number=row.id), 303)
        typed = _typed() if request.method == "POST" else _stored(row)
        outlook = None
        try:
            outlook = _outlook(session, typed)
        except Invalid as error:
            problem = problem or (error if request.method == "POST" else None)
        page = render_template(
            "experiments/form.html",
            row=row,
            typed=typed,
            problem=problem,
            choices=_choices(session, row),
            regions=experiments.regions(session),
            outlook=outlook,
            worth=experiments_text.worth(outlook) if outlook is not None else None,
            design=experiments_text.design_words(outlook.design) if outlook is not None else None,
            most_weeks=experiments.LONGEST_WEEKS,
        )
    return page, pages.status_of(problem)


def _outlook(session: Session, typed: Mapping[str, Any]) -> Outlook | None:
    kind, thing = _thing(session, typed["paused"])
    if request.method == "POST":
        experiments.check_paused(thing is not None, typed["regions"])
    elif thing is None and not typed["regions"]:
        return None
    starts_on = forms.day("starts_on") if request.method == "POST" else typed["starts_on"]
    paused = Paused(
        starts_on=starts_on or pages.today(),
        campaign=thing if isinstance(thing, Campaign) else None,
        regions=tuple(typed["regions"]),
        by_part=kind in ("material", "number"),
    )
    told = str(typed["settle_weeks"])
    short = told.isdecimal() and len(told) < 4
    settle = int(told) if short and int(told) <= experiments.LONGEST_WEEKS else 1
    snapshot = pages.current_snapshot(session)
    return reporting.outlook(
        session, snapshot, pages.settings(), paused, today=pages.today(), settle_weeks=settle
    )


def _save(job: Work, number: int | None) -> int:
    typed, row = _typed(), experiments.get(job.session, number) if number is not None else None
    starts_on, weeks, settle = forms.day("starts_on"), forms.whole("weeks"), forms.whole("settle_weeks")
    if starts_on is None:
        raise Invalid("starts_on", gettext("enter the first day"))
    _, thing = _thing(job.session, typed["paused"])
    plan = Plan(
        name=typed["name"],
        starts_on=starts_on,
        weeks=weeks if weeks is not None else _WEEKS,
        campaign=thing if isinstance(thing, Campaign) else None,
        material=thing if isinstance(thing, AdMaterial) else None,
        number=thing if isinstance(thing, TrackingNumber) else None,
        regions=tuple(typed["regions"]),
        settle_weeks=settle if settle is not None else 1,
        belief_low=_figure("belief_low"),
        belief_high=_figure("belief_high"),
        note=typed["note"],
    )
    try:
        saved = experiments.save(job.session, plan, by=job.user.email, at=job.at, row=row)
    except Invalid as error:
        # The form has one field for all that can be paused.
        raise Invalid.of("paused", error.reason) if error.field == "campaign" else error from None
    job.note(f"experiment {'add' if row is None else 'change'}", saved.name)
    return saved.id


def _figure(name: str) -> float | None:
    told = forms.text(name)
    try:
        return float(told.replace(",", ".")) if told else None
    except ValueError:
        raise Invalid(
            name, "%(told)r is not a number; enter digits, such as 1240 or 4.6", told=told
        ) from None


def _thing(session: Session, told: str) -> tuple[str, Campaign | AdMaterial | TrackingNumber | None]:
    """Return what a choice such as campaign:3 stands for; nothing where all advertising is paused."""
    if told in ("", _ALL):
        return "", None
    kind, _, number = told.partition(":")
    known = kind in _KINDS and number.isascii() and number.isdecimal() and len(number) < 19
    found = session.get(_KINDS[kind], int(number)) if known else None
    if not isinstance(found, Campaign | AdMaterial | TrackingNumber):
        raise Invalid("paused", "%(told)s is not an option; choose one from the list", told=told[:80])
    return kind, found


def _choices(session: Session, row: Experiment | None) -> list[tuple[str, str]]:
    found = [(_ALL, gettext("All advertising, in the regions below"))]
    campaigns = session.scalars(select(Campaign).order_by(Campaign.name)).all()
    found += [(f"campaign:{each.id}", each.name) for each in campaigns]
    material = session.scalars(
        select(AdMaterial)
        .join(AdMaterial.campaign)
        .options(contains_eager(AdMaterial.campaign))
        .order_by(Campaign.name, AdMaterial.name)
    )
    found += [(f"material:{each.id}", f"{each.campaign.name}: {each.name}") for each in material]
    # A number on no asset advertises nothing that could be paused; one that was chosen before stays.
    chosen = row.tracking_number_id if row else None
    held = TrackingNumber.assignments.any(NumberAssignment.ends_at.is_(None))
    numbers = session.scalars(
        select(TrackingNumber)
        .where(or_(held, TrackingNumber.id == chosen))
        .order_by(TrackingNumber.number)
        .options(selectinload(TrackingNumber.assignments).joinedload(NumberAssignment.ad_material))
    )
    return found + [(f"number:{each.id}", _number_words(each)) for each in numbers]


def _number_words(number: TrackingNumber) -> str:
    names = [held.ad_material.name for held in number.assignments if held.ends_at is None]
    return ": ".join([f"{number.number} {number.label}".strip(), *names])


def _typed() -> dict[str, Any]:
    names = ("name", "paused", "starts_on", "weeks", "settle_weeks", "belief_low", "belief_high", "note")
    return {name: forms.text(name) or "" for name in names} | {"regions": request.form.getlist("region")}


def _stored(row: Experiment | None) -> dict[str, Any]:
    if row is None:
        monday = pages.today() + timedelta(days=7 - pages.today().weekday())
        asked = request.args.get("campaign", 0, type=int)
        return _blank(monday) | ({"paused": f"campaign:{asked}"} if asked else {})
    ids = {
        "campaign": row.campaign_id,
        "material": row.ad_material_id,
        "number": row.tracking_number_id,
    }
    return {
        "name": row.name,
        "paused": next((f"{kind}:{number}" for kind, number in ids.items() if number is not None), _ALL),
        "starts_on": row.starts_on,
        "weeks": ((row.ends_on - row.starts_on).days + 1) // 7,
        "settle_weeks": row.settle_weeks,
        "belief_low": row.belief_low,
        "belief_high": row.belief_high,
        "note": row.note,
        "regions": row.regions,
    }


def _blank(day: date) -> dict[str, Any]:
    empty = dict.fromkeys(("name", "belief_low", "belief_high", "note"), "")
    return empty | {"paused": _ALL, "starts_on": day, "weeks": _WEEKS, "settle_weeks": 1, "regions": []}


def _words() -> dict[str, Any]:
    return {"states": experiments_text.state_words(), "paused_words": experiments_text.paused_words}
