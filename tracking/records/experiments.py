"""Experiments: what is paused, where, when and with what belief; how far each has come."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from tracking.errors import Conflict, Invalid, NotFound
from tracking.storage.models import Account, AdMaterial, Campaign, Experiment, TrackingNumber
from tracking.storage.names import required
from tracking.storage.vocabulary import ExperimentState

LONGEST_WEEKS = 104
"""A longer pause is a decision, not an experiment (an assumption)."""
_WEEK = timedelta(days=7)
_OPEN = (ExperimentState.planned, ExperimentState.running)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pause of a campaign, an asset or a number, or of all advertising in some regions.

    Without regions it is paused everywhere. A belief is a range of leads a week.
    """

    name: str
    starts_on: date
    weeks: int
    campaign: Campaign | None = None
    material: AdMaterial | None = None
    number: TrackingNumber | None = None
    regions: tuple[str, ...] = ()
    settle_weeks: int = 1
    belief_low: float | None = None
    belief_high: float | None = None
    note: str = ""


def save(session: Session, plan: Plan, *, by: str, at: datetime, row: Experiment | None = None) -> Experiment:
    """Plan an experiment, or change one that has not ended."""
    name = required(plan.name, "name")
    own = row.id if row is not None else 0
    if session.scalar(select(Experiment.id).where(Experiment.name == name, Experiment.id != own)):
        raise Conflict("an experiment named %(name)r already exists", name=name)
    if row is not None and row.state not in _OPEN:
        raise _over(row)
    _check(session, plan)
    row = row or Experiment(created_by=by, created_at=at, state=ExperimentState.planned)
    row.name, row.note, row.settle_weeks = name, plan.note.strip(), plan.settle_weeks
    row.campaign, row.ad_material, row.tracking_number = plan.campaign, plan.material, plan.number
    row.regions = sorted(set(plan.regions))
    row.starts_on, row.ends_on = plan.starts_on, plan.starts_on + plan.weeks * _WEEK - timedelta(days=1)
    row.belief_low, row.belief_high = plan.belief_low, plan.belief_high
    session.add(row)
    session.flush()
    return row


def check_paused(anything: bool, regions: Collection[str]) -> None:
    """Refuse to pause nothing."""
    if not anything and not regions:
        raise Invalid("campaign", "choose what to pause: a campaign, an asset, a number or a region")


def _check(session: Session, plan: Plan) -> None:
    paused = [each for each in (plan.campaign, plan.material, plan.number) if each is not None]
    if len(paused) > 1:
        raise Invalid("campaign", "choose one thing to pause: a campaign, an asset or a number")
    check_paused(bool(paused), plan.regions)
    check_regions(session, plan.regions)
    if not 1 <= plan.weeks <= LONGEST_WEEKS:
        raise Invalid(
            "weeks", "must be 1 to %(most)s weeks, not %(told)s", most=LONGEST_WEEKS, told=plan.weeks
        )
    if not 0 <= plan.settle_weeks < plan.weeks:
        raise Invalid(
            "settle_weeks",
            "must be 0 to %(most)s, fewer than the weeks of the pause, not %(told)s",
            most=plan.weeks - 1,
            told=plan.settle_weeks,
        )
    low, high = plan.belief_low, plan.belief_high
    if (low is None) != (high is None):
        raise Invalid(
            "belief_high" if high is None else "belief_low", "enter both ends of the range, or none"
        )
    if low is not None and high is not None:
        if not (math.isfinite(low) and math.isfinite(high)):
            raise Invalid("belief_low", "enter digits, such as 0 or 2.5")
        if low >= high:
            raise Invalid(
                "belief_high", "must be above the lower end, %(low)s, not %(high)s", low=low, high=high
            )


def check_regions(session: Session, wanted: Collection[str]) -> None:
    """Refuse regions that no company is in, and all of them at once: then none is left to compare with."""
    if unknown := sorted(set(wanted) - (known := set(regions(session)))):
        raise Invalid(
            "regions",
            "%(told)r is not a region of your companies; use some of: %(known)s",
            told=unknown[0][:80],
            known=", ".join(sorted(known)) or "–",
        )
    if wanted and set(wanted) >= known:
        raise Invalid("regions", "leave at least one region to compare with, or choose none")


def start(session: Session, row: Experiment, day: date) -> None:
    """Say that the pause has begun on a day; one planned for another day moves with all its weeks."""
    if row.state is not ExperimentState.planned:
        raise _over(row) if row.state not in _OPEN else Conflict("%(name)s is already running", name=row.name)
    length = row.ends_on - row.starts_on
    row.starts_on, row.ends_on, row.state = day, day + length, ExperimentState.running
    session.flush()


def end(session: Session, row: Experiment, day: date) -> None:
    """Say that the pause was over after a day, early or late."""
    if row.state is not ExperimentState.running:
        raise _over(row) if row.state not in _OPEN else Conflict("%(name)s has not started", name=row.name)
    if day < row.starts_on:
        raise Invalid(
            "ends_on",
            "the last day, %(end)s, is before the first day, %(start)s",
            end=day,
            start=row.starts_on,
        )
    row.ends_on, row.state = day, ExperimentState.ended
    session.flush()


def cancel(session: Session, row: Experiment) -> None:
    """Give an experiment up: nothing is read of it."""
    if row.state not in _OPEN:
        raise _over(row)
    row.state = ExperimentState.cancelled
    session.flush()


def remove(session: Session, row: Experiment) -> None:
    """Delete an experiment."""
    session.delete(row)
    session.flush()


def _over(row: Experiment) -> Conflict:
    return Conflict("%(name)s is over and stays as it was; plan another experiment", name=row.name)


def get(session: Session, number: int) -> Experiment:
    """Return one experiment, or raise NotFound."""
    row = session.get(Experiment, number)
    if row is None:
        raise NotFound("experiment %(number)s not found; it may have been deleted", number=number)
    return row


def named(session: Session, name: str) -> Experiment:
    """Return the experiment of a name, or raise NotFound."""
    row = session.scalar(select(Experiment).where(Experiment.name == name.strip()))
    if row is None:
        raise NotFound(
            "experiment %(name)r not found; run `ringtrail experiment list` to see all experiments", name=name
        )
    return row


def every(session: Session) -> list[Experiment]:
    """Return all experiments, the latest first."""
    parts = (Experiment.campaign, Experiment.ad_material, Experiment.tracking_number)
    query = select(Experiment).order_by(Experiment.starts_on.desc(), Experiment.id.desc())
    return list(session.scalars(query.options(*(joinedload(part) for part in parts))))


def regions(session: Session) -> list[str]:
    """Return the regions that companies are in, by name."""
    query = select(Account.region).where(Account.region.is_not(None)).distinct().order_by(Account.region)
    return [region for region in session.scalars(query) if region]


def others_at_once(session: Session, row: Experiment, until: date) -> Collection[Experiment]:
    """Return other experiments that paused something while this one did, up to a day."""
    query = select(Experiment).where(
        Experiment.id != row.id,
        Experiment.state.in_((ExperimentState.running, ExperimentState.ended)),
        Experiment.starts_on <= until,
        Experiment.ends_on >= row.starts_on,
    )
    return list(session.scalars(query.order_by(Experiment.starts_on, Experiment.id)))
