"""Experiments in the API: plans, their steps, and what they have shown."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from werkzeug.exceptions import ServiceUnavailable

from reports.experiments import SETTLE_WEEKS, Finding
from reports.weeks import Design
from tracking.access.tokens import Scope
from tracking.api import access
from tracking.api.forms import (
    Body,
    ById,
    Day,
    Line,
    Listing,
    NameOfAny,
    Page,
    PhoneText,
    Shown,
    Whole,
    Words,
    e164,
    one,
    page,
)
from tracking.api.references import source
from tracking.api.routes import Context, Section
from tracking.records import experiments
from tracking.records.experiments import LONGEST_WEEKS, Plan
from tracking.reporting import experiments as reporting
from tracking.reporting import snapshots
from tracking.storage.models import Experiment
from tracking.storage.vocabulary import ExperimentState
from tracking.telephony import numbers

routes = Section(
    "experiments",
    "Advertising that is paused for some weeks to see which leads are missing then.",
    write=Scope.write_campaigns,
)

Belief = Annotated[float, Field(allow_inf_nan=False)]


class Step(StrEnum):
    """What has happened to an experiment."""

    start = "start"
    end = "end"
    cancel = "cancel"


class ExperimentQuery(Listing):
    """Which experiments."""

    state: ExperimentState | None = None


class NewExperiment(Body):
    """A pause of one campaign, asset or number, or of all advertising in some regions."""

    name: Line
    campaign: Line | None = Field(None, description="Name of the campaign; with ad_material, of its asset.")
    ad_material: Line | None = Field(None, description="Name of the campaign's ad material.")
    number: PhoneText | None = Field(None, description="A tracking number.")
    regions: Annotated[list[Line], Field(max_length=100)] = Field(
        [], description="Where it is paused; empty: everywhere. The other regions are the comparison."
    )
    starts_on: Day
    weeks: Annotated[Whole, Field(ge=1, le=LONGEST_WEEKS)]
    settle_weeks: Annotated[Whole, Field(ge=0, le=LONGEST_WEEKS)] = Field(
        SETTLE_WEEKS, description="Weeks at the beginning that do not count."
    )
    belief_low: Belief | None = Field(None, description="Leads a week it is believed to bring, at least.")
    belief_high: Belief | None = Field(None, description="Leads a week it is believed to bring, at most.")
    note: Words = ""


class ExperimentStep(Body):
    """What has happened, and on which day."""

    step: Step
    day: Day | None = Field(
        None, description="First day of the pause for start, last day for end; by default today."
    )


class ShownExperiment(Shown):
    """An experiment; without regions it pauses everywhere."""

    id: int
    name: str
    campaign_id: int | None
    campaign: NameOfAny
    ad_material_id: int | None
    ad_material: NameOfAny
    tracking_number_id: int | None
    regions: list[str]
    starts_on: date
    ends_on: date = Field(description="The last day covered, as planned or as it was.")
    settle_weeks: int
    belief_low: float | None
    belief_high: float | None
    state: ExperimentState
    note: str
    created_by: str
    created_at: datetime


class ShownReading(Shown):
    """What an experiment has shown, in leads of the weeks that count; null where it cannot be told."""

    finding: Finding = Field(description="Never effect or more where the interval holds 0.")
    design: Design
    weeks: int = Field(description="Weeks of the pause that are over and count.")
    observed: float
    expected: float | None
    lift: float | None = Field(description="Leads that were missing.")
    low: float | None
    high: float | None
    level: float = Field(description="Nominal coverage of the interval from low to high.")
    seasonal: bool | None = Field(description="Whether season is taken into account.")
    credited: float | None = Field(description="Leads that the deciding model credits in as many weeks.")
    believed_before: list[float] | None = Field(description="Range at the same level, before.")
    believed_after: list[float] | None = Field(description="The same, with the experiment.")
    calls_in_the_pause: int = Field(description="Calls on paused numbers.")
    cost_in_the_pause_minor: int
    campaigns_changed: list[str] = Field(description="Others that started or ended in the pause.")
    other_experiments: list[str]
    annotations: list[str]


@routes.get("/experiments")
def list_experiments(context: Context, query: ExperimentQuery) -> Page[ShownExperiment]:
    """List experiments, the latest first."""
    rows = select(Experiment).order_by(Experiment.starts_on.desc(), Experiment.id.desc())
    rows = rows.options(selectinload(Experiment.campaign), selectinload(Experiment.ad_material))
    if query.state is not None:
        rows = rows.where(Experiment.state == query.state)
    return page(context.session, rows, query, ShownExperiment.model_validate)


@routes.get("/experiments/<int:id>")
def get_experiment(context: Context, path: ById) -> ShownExperiment:
    """Show an experiment."""
    return ShownExperiment.model_validate(one(context.session, Experiment, path.id))


@routes.get("/experiments/<int:id>/reading")
def read_experiment(context: Context, path: ById) -> ShownReading:
    """Show what an experiment has shown."""
    row, settings = one(context.session, Experiment, path.id), context.settings
    try:
        taken = snapshots.current(context.session, settings, at=context.at)
    except snapshots.Preparing:
        raise ServiceUnavailable(
            "the figures are being worked out for the first time; ask again in a minute", retry_after=60
        ) from None
    today = context.at.astimezone(settings.zone).date()
    found = reporting.result(context.session, taken, settings, row, today=today)
    reading, disturbed = found.reading, found.disturbed
    return ShownReading(
        finding=reading.finding,
        design=reading.design,
        weeks=reading.weeks,
        observed=reading.observed,
        expected=None if reading.expected is None else reading.expected.total,
        lift=reading.lift,
        low=reading.low,
        high=reading.high,
        level=reading.level,
        seasonal=None if reading.expected is None else reading.expected.seasonal,
        credited=found.credited_leads,
        believed_before=None if found.before is None else list(found.before.span(reading.level)),
        believed_after=None if found.after is None else list(found.after.span(reading.level)),
        calls_in_the_pause=disturbed.calls,
        cost_in_the_pause_minor=disturbed.cost_minor,
        campaigns_changed=list(disturbed.campaigns),
        other_experiments=list(disturbed.experiments),
        annotations=list(disturbed.annotations),
    )


@routes.post("/experiments")
def add_experiment(context: Context, body: NewExperiment) -> ShownExperiment:
    """Plan an experiment."""
    session = context.session
    campaign, material = source(context, body.campaign, body.ad_material)
    number = None
    if body.number is not None:
        region = context.settings.region
        number = numbers.get(session, e164(body.number, region, "number"), region)
    details = body.model_dump(exclude={"campaign", "ad_material", "number", "regions"})
    plan = Plan(
        campaign=campaign if material is None else None,
        material=material,
        number=number,
        regions=tuple(body.regions),
        **details,
    )
    row = experiments.save(session, plan, by=f"token {access.token().name}", at=context.at)
    return ShownExperiment.model_validate(row)


@routes.change("/experiments/<int:id>")
def step_experiment(context: Context, path: ById, body: ExperimentStep) -> ShownExperiment:
    """Say that a pause has started or ended, or that an experiment is given up."""
    row = one(context.session, Experiment, path.id)
    day = body.day or context.at.astimezone(context.settings.zone).date()
    if body.step is Step.cancel:
        experiments.cancel(context.session, row)
    else:
        (experiments.start if body.step is Step.start else experiments.end)(context.session, row, day)
    return ShownExperiment.model_validate(row)
