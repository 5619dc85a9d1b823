"""The simulator in the pages: markets whose truth is known, made by a job, and the models against them."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import pyarrow as pa
from flask import Response, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from reports import charts
from simulator import scenario as scenarios
from tracking.access import jobs
from tracking.errors import Invalid, NotFound, Sentence, say
from tracking.language.words import chart_locale, chart_words, job_state_words
from tracking.reporting import roi, simulations
from tracking.reporting.simulations import Archive, new_token
from tracking.storage.models import Job
from tracking.storage.vocabulary import JobState
from tracking.web import forms, pages
from tracking.web.pages import EVERYONE, MARKETERS, Work
from tracking.web.scenario_words import figure_words, scenario_words

Page = str | tuple[str, int] | AnyResponse
_KINDS = ("simulate", "calibrate", "decide")
_SHOWN = 50
_COMPANIES = (simulations.LEAST_ACCOUNTS, simulations.MOST_ACCOUNTS)
_DRAWN = ("first-touch", "last-touch", "linear", "shapley", "self-reported", "hybrid")
# More models than this make a chart that nobody can read; the table shows all that are chosen.
_MOST_DRAWN = 7


def _start(problem: Invalid | None = None, which: str = "") -> str:
    with pages.reading() as session:
        runs = _simulations(session)
        return render_template(
            "simulator/start.html",
            runs=runs,
            fits=[job for job, result in runs if job.kind != "simulate" and result],
            worlds=[(name, defaults) for name, defaults in _worlds().items()],
            words=scenario_words(),
            states=dict(job_state_words()),
            limits=simulations,
            typed=request.form,
            problem=problem,
            which=which,
        )


@pages.page("/simulator", EVERYONE)
def simulator() -> str:
    return _start()


@pages.page("/simulator/run", MARKETERS, methods=("POST",))
def run_simulation() -> Page:
    def work(job: Work) -> int:
        source, label = _source(job.session)
        arguments = {
            "token": new_token(),
            "scenario": source,
            "accounts": forms.between("accounts", *_COMPANIES),
            "days": forms.between("days", simulations.LEAST_DAYS, simulations.MOST_DAYS),
            "seed": forms.between("seed", 0, simulations.LARGEST_SEED),
        }
        job.note("simulation start", f"{label}: {arguments['accounts']} {arguments['days']}")
        by = job.user.email
        return jobs.enqueue(job.session, "simulate", label, arguments, by=by, at=job.at).id

    try:
        return redirect(url_for("web.simulation", job_id=pages.change(work)), 303)
    except Invalid as error:
        return _start(error, "run"), 422


@pages.page("/simulator/fit", MARKETERS, methods=("POST",))
def fit_simulation() -> Page:
    def work(job: Work) -> int:
        arguments = {
            "token": new_token(),
            "accounts": forms.between("accounts", *_COMPANIES) if forms.text("accounts") else None,
            "seed": forms.between("seed", 0, simulations.LARGEST_SEED),
        }
        told = say("Build a market from our data")
        job.note("simulation fit", str(arguments["accounts"] or ""))
        by = job.user.email
        return jobs.enqueue(job.session, "calibrate", told, arguments, by=by, at=job.at).id

    try:
        return redirect(url_for("web.simulation", job_id=pages.change(work)), 303)
    except Invalid as error:
        return _start(error, "fit"), 422


@pages.page("/simulator/runs/<int:job_id>", EVERYONE)
def simulation(job_id: int) -> Page:
    with pages.reading() as session:
        job = _job(session, job_id)
        result = _archive().get(job.arguments["token"]) if job.state == JobState.done else None
        if result is None:
            return render_template(
                "simulator/waiting.html", job=job, live=jobs.is_open(job), states=dict(job_state_words())
            )
        if job.kind != "simulate":
            return render_template(
                "simulator/fit.html",
                job=job,
                r=result,
                figures=_figures(result),
                words=parameter_words(),
                origins=origin_words(),
            )
        fitted = _fit_of(session, result["fitted"]) if result["fitted"] else None
        shown = _chosen([score["model"] for score in result["models"]])
        return render_template(
            "simulator/run.html",
            job=job,
            r=result,
            shown=shown,
            about=scenario_words().get(result["scenario"], ""),
            fitted=fitted,
            level=simulations.LEVEL,
            shares=_chart(result, shown, "share", gettext("Share of the margin")),
            returns=_chart(result, shown, "roi", gettext("ROI")),
        )


@pages.page("/simulator/runs/<int:job_id>/scenario.toml", EVERYONE)
def simulation_scenario(job_id: int) -> AnyResponse:
    with pages.reading() as session:
        path = _archive().scenario(_job(session, job_id).arguments["token"])
    return Response(
        path.read_text(encoding="utf-8"),
        content_type="application/toml; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename=scenario-{job_id}.toml"},
    )


def parameter_words() -> dict[str, str]:
    """Return what the parameters that are fitted to data are called."""
    return {
        "needs": gettext("how often companies need something"),
        "phone": gettext("share of inquiries by phone"),
        "qualify": gettext("share of leads that qualify"),
        "decision": gettext("days from quote to order"),
        "lifetime": gettext("days until a need ends without us"),
        "repeat": gettext("how often buyers order again"),
        "customers": gettext("calls of customers about other matters"),
    }


def origin_words() -> dict[str, str]:
    """Return what is said of a value by where it comes from."""
    return {
        "data": gettext("from our data"),
        "fitted": gettext("fitted"),
        "assumption": gettext("assumption"),
    }


def _archive() -> Archive:
    return Archive(pages.settings().data_dir)


@cache
def _worlds() -> dict[str, tuple[int, int]]:
    """Return the shipped scenarios with their accounts and days; the supplier's market first."""
    found = {name: scenarios.load(name) for name in sorted(scenarios.names(), key=lambda n: n != "supplier")}
    return {name: (world.accounts, world.days) for name, world in found.items()}


def _simulations(session: Session) -> list[tuple[Job, dict[str, Any] | None]]:
    """Return the simulations that are still to be done or still kept, newest first, with their results."""
    query = select(Job).where(Job.kind.in_(_KINDS)).order_by(Job.id.desc()).limit(_SHOWN)
    found = []
    for job in session.scalars(query):
        result = _archive().get(job.arguments["token"]) if job.state == JobState.done else None
        if result is not None or job.state != JobState.done:
            found.append((job, result))
    return found


def _job(session: Session, job_id: int) -> Job:
    job = jobs.get(session, job_id)
    if job.kind not in _KINDS:
        raise NotFound(gettext("job %(n)d is not a simulation", n=job_id))
    return job


def _fit_of(session: Session, token: str) -> Job | None:
    query = select(Job).where(Job.kind.in_(_KINDS[1:])).order_by(Job.id.desc()).limit(_SHOWN)
    return next((job for job in session.scalars(query) if job.arguments["token"] == token), None)


def _source(session: Session) -> tuple[str, Sentence]:
    """Return the scenario that the form names, and what to call a run of it."""
    told = forms.text("scenario") or ""
    if told in _worlds():
        return told, say("Simulate %(scenario)s", scenario=told)
    if told.startswith("fit-") and told[4:].isdecimal() and len(told) < 22:
        job = _job(session, int(told[4:]))
        _archive().scenario(job.arguments["token"])
        return job.arguments["token"], say("Simulate our own market (%(n)d)", n=job.id)
    raise Invalid("scenario", "%(told)r is not an option; choose one from the list", told=told)


def _chosen(known: Sequence[str]) -> list[str]:
    """Return the models that the address asks for, in the order of the engine; else a readable few."""
    asked = [name for name in roi.REPORTED if name in request.args.getlist("model") and name in known]
    return asked or [name for name in _DRAWN if name in known]


def _chart(result: dict[str, Any], models: Sequence[str], measure: str, title: str) -> charts.Spec | None:
    truth = gettext("true effect")
    rows = [
        {"campaign": row["campaign"].replace("_", " "), "model": model, "value": value}
        for row in result["campaigns"]
        for model, value in (
            (truth, row[measure]),
            *((model, row["models"][model][measure]) for model in models[:_MOST_DRAWN]),
        )
        if value is not None
    ]
    if not rows:
        return None
    kinds = [("campaign", pa.string()), ("model", pa.string()), ("value", pa.float64())]
    table = pa.Table.from_pylist(rows, schema=pa.schema(kinds))
    return charts.against_truth(table, truth, title=title, words=chart_words(), locale=chart_locale())


def _figures(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the figures of a fit: fitted first, then those held out, each with how far off it is."""
    from simulator.fitting import poor
    from simulator.moments import LOGARITHMS

    def read(name: str, value: float | None) -> float | None:
        return math.exp(value) if value is not None and name in LOGARITHMS else value

    words = figure_words()
    return [
        {
            "name": words.get(name, name),
            "held_out": group == "held_out",
            "data": read(name, data),
            "simulated": read(name, simulated),
            "off": off,
            "fits": not poor({name: (data, simulated, off)}),
        }
        for group in ("fitted", "held_out")
        for name, (data, simulated, off) in result[group].items()
    ]
