"""Experiments on the installation's own data: what a pause could show, what it showed, what it cost."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from reports.daily import edges_of, spread
from reports.experiments import Belief, Proposal, Reading, propose, read, shortest
from reports.kpis import Period, local_days
from reports.roi import TOTAL
from reports.weeks import Design, Weeks
from tracking.records import annotations, experiments
from tracking.reporting import deciding, roi
from tracking.reporting.roi import Question
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings
from tracking.storage.models import Account, AdMaterial, Call, Campaign, Experiment, NumberAssignment
from tracking.storage.vocabulary import ExperimentState, TouchKind

_EPOCH = date(1970, 1, 1)
_BASE_WEEKS = 52
"""Credit and channels of so many weeks before the pause stand for what usual weeks bring."""
_ENQUIRIES = (TouchKind.call, TouchKind.form, TouchKind.message)


@dataclass(frozen=True, slots=True)
class Paused:
    """What an experiment pauses, and when: a plan that need not be kept."""

    starts_on: date
    campaign: Campaign | None = None
    regions: tuple[str, ...] = ()
    by_part: bool = False
    """An asset or a number is paused: credit is known for its campaign alone."""

    @classmethod
    def of(cls, row: Experiment) -> "Paused":
        """Return what an experiment that is kept pauses."""
        by_part = row.ad_material is not None or row.tracking_number is not None
        return cls(row.starts_on, row.campaign, tuple(row.regions), by_part)


@dataclass(frozen=True, slots=True)
class Credited:
    """What a model credits, on average of the weeks before, to what is paused.

    Amounts are minor units a week; None: no deal was won at all, none has a margin, no cost is recorded, or
    costs are not known by region.
    """

    model: str
    weeks: int
    leads: float
    revenue_minor: float | None
    margin_minor: float | None
    cost_minor: float | None


@dataclass(frozen=True, slots=True)
class Stake:
    """A pause of some weeks: what it could show, and what it costs if all credit is due."""

    proposal: Proposal
    power: float | None
    """The chance to see the credited leads; None where nothing is credited."""
    leads: float | None
    revenue_minor: float | None
    margin_minor: float | None
    saved_minor: float | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What pauses of several lengths could show, and whether one is worth it."""

    design: Design
    known_weeks: int
    credited: Credited | None
    stakes: list[Stake]
    best: Proposal | None
    """The shortest pause that would show the credited leads."""


@dataclass(frozen=True, slots=True)
class Disturbed:
    """What else happened in the pause: signs that it was none, and what may explain a difference."""

    calls: int = 0
    """Calls on paused numbers."""
    cost_minor: int = 0
    """Cost of the paused campaign in the pause."""
    campaigns: tuple[str, ...] = ()
    """Other campaigns that started or ended."""
    experiments: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What an experiment has shown, beside what was credited and believed."""

    reading: Reading
    credited: Credited | None
    before: Belief | None
    after: Belief | None
    stated: bool
    """Whether the belief is one that was entered; otherwise it follows from the credit."""
    disturbed: Disturbed
    channels: list[dict[str, Any]]
    """Enquiries a week by channel: ``channel``, ``before``, ``during``."""

    @property
    def credited_leads(self) -> float | None:
        """Return the leads that are credited in as many weeks as count."""
        return None if self.credited is None else self.credited.leads * self.reading.weeks


def outlook(
    session: Session,
    snapshot: Snapshot,
    settings: Settings,
    paused: Paused,
    *,
    today: date,
    settle_weeks: int = 1,
) -> Outlook:
    """Return what pauses of several lengths could show, from the weeks so far."""
    experiments.check_regions(session, paused.regions)
    told = _weeks(session, snapshot, settings, paused, min(today, paused.starts_on))
    credited = _credited(session, snapshot, settings, paused, today)
    proposals = propose(told, settle=settle_weeks)
    stakes = [_stake(each, credited) for each in proposals]
    best = shortest(proposals, credited.leads) if credited is not None else None
    return Outlook(told.design, int((told.place < 0).sum()), credited, stakes, best)


def result(
    session: Session, snapshot: Snapshot, settings: Settings, row: Experiment, *, today: date
) -> Result:
    """Return what an experiment has shown up to the last whole week."""
    paused = Paused.of(row)
    told = _weeks(session, snapshot, settings, paused, today)
    length = weeks_over(row, today)
    reading = read(told, length, settle=row.settle_weeks)
    credited = _credited(session, snapshot, settings, paused, today)
    stated = row.belief_low is not None and row.belief_high is not None
    before = _belief(row, credited, reading.weeks)
    return Result(
        reading=reading,
        credited=credited,
        before=before,
        after=before.updated(reading) if before is not None else None,
        stated=stated,
        disturbed=_disturbed(session, snapshot, settings, row, today),
        channels=_channels(session, snapshot, settings, row, length),
    )


def weeks_over(row: Experiment, today: date) -> int:
    """Return how many whole weeks of the pause are over."""
    if row.state not in (ExperimentState.running, ExperimentState.ended):
        return 0
    return max(0, (min(row.ends_on + timedelta(days=1), today) - row.starts_on).days // 7)


def _belief(row: Experiment, credited: Credited | None, weeks: int) -> Belief | None:
    if not weeks:
        return None
    if row.belief_low is not None and row.belief_high is not None:
        return Belief.between(row.belief_low * weeks, row.belief_high * weeks)
    if credited is None or not credited.leads > 0:
        return None
    return Belief.between(0.0, 2 * credited.leads * weeks)


def _stake(proposal: Proposal, credited: Credited | None) -> Stake:
    if credited is None:
        return Stake(proposal, None, None, None, None, None)
    weeks = proposal.weeks
    return Stake(
        proposal=proposal,
        power=proposal.power(credited.leads * proposal.counted),
        leads=credited.leads * weeks,
        revenue_minor=_times(credited.revenue_minor, weeks),
        margin_minor=_times(credited.margin_minor, weeks),
        saved_minor=_times(credited.cost_minor, weeks),
    )


def _times(weekly: float | None, weeks: int) -> float | None:
    return None if weekly is None else weekly * weeks


def _weeks(session: Session, snapshot: Snapshot, settings: Settings, paused: Paused, until: date) -> Weeks:
    """Count leads by whole week of the pause's reckoning, from the first record up to a day."""
    account, days = _leads(snapshot, settings)
    if not len(days):
        nothing = np.zeros(0, np.float64)
        return Weeks(np.zeros(0, np.int64), nothing, nothing if paused.regions else None)
    start = (paused.starts_on - _EPOCH).days
    first = -((start - int(days.min())) // 7)
    last = ((until - _EPOCH).days - start) // 7
    place = np.arange(first, max(first, last), dtype=np.int64)
    week = (days - start) // 7 - first
    inside = (week >= 0) & (week < len(place))

    def count(wanted: Any) -> Any:
        return np.bincount(week[inside & wanted], minlength=len(place)).astype(np.float64)

    everybody = np.ones(len(days), dtype=bool)
    if not paused.regions:
        return Weeks(place, count(everybody))
    region = _regions(session, account)
    mine = np.isin(region, paused.regions)
    return Weeks(place, count(mine), count(~mine & (region != "")))


def _leads(snapshot: Snapshot, settings: Settings) -> tuple[Any, Any]:
    def make() -> tuple[Any, Any]:
        rows = snapshot.tables.conversions
        rows = rows.filter(pc.equal(rows["goal"], "lead"))
        moments = rows["converted_at"].cast(pa.int64()).to_numpy()
        return (
            rows["account_id"].cast(pa.int64()).to_numpy(),
            local_days(moments, settings.zone).astype(np.int64),
        )

    return snapshot.remember("leads by day", make)


def _regions(session: Session, account: Any) -> Any:
    """Return the region of each account; "" where it is not known."""
    rows = session.execute(select(Account.id, Account.region).where(Account.region.is_not(None)))
    known = {number: region for number, region in rows if region}
    return np.array([known.get(int(number), "") for number in account], dtype=object)


def _base(paused: Paused, settings: Settings, began: date, today: date) -> Period | None:
    """Return the weeks before the pause that stand for usual ones."""
    end = min(paused.starts_on, today)
    first = max(end - timedelta(weeks=_BASE_WEEKS), began)
    weeks = (end - first).days // 7
    return Period(end - timedelta(weeks=weeks), end, settings.zone) if weeks > 0 else None


def _credited(
    session: Session, snapshot: Snapshot, settings: Settings, paused: Paused, today: date
) -> Credited | None:
    """Return what the model that decides credits to what is paused; None where that is not known."""
    _, days = _leads(snapshot, settings)
    if paused.by_part or not len(days):
        return None
    period = _base(paused, settings, _EPOCH + timedelta(days=int(days.min())), today)
    if period is None:
        return None
    model = deciding.current(session, settings, today).model
    line = paused.campaign.name if paused.campaign is not None else TOTAL
    names = frozenset(session.scalars(select(Campaign.name)))
    question = Question((model,), period, float(settings.lookback_days), names)

    def behind(goal: str) -> pa.Table:
        table = roi.behind(snapshot, settings, question, goal, line)
        if not paused.regions:
            return table
        region = _regions(session, table["account_id"].cast(pa.int64()).to_numpy())
        return table.filter(pa.array(np.isin(region, paused.regions)))

    weeks = (period.end - period.start).days // 7
    revenue = pc.sum(behind("won")["credit_minor"]).as_py() or 0
    value, share = _won(snapshot, period)
    cost = 0 if paused.regions else _cost(snapshot, period, line)
    return Credited(
        model=model,
        weeks=weeks,
        leads=(pc.sum(behind("lead")["weight"]).as_py() or 0.0) / weeks,
        revenue_minor=revenue / weeks if value else None,
        margin_minor=None if share is None else revenue * share / weeks,
        cost_minor=cost / weeks if cost else None,
    )


def _won(snapshot: Snapshot, period: Period) -> tuple[int, float | None]:
    """Return what was sold, and the margin of deals that name theirs, as a share of their value."""
    rows = snapshot.tables.conversions
    rows = rows.filter(pc.and_(pc.equal(rows["goal"], "won"), period.holds(rows["converted_at"])))
    total = pc.sum(rows["value_minor"]).as_py() or 0
    rows = rows.select(["value_minor", "margin_minor"]).drop_null()
    value = pc.sum(rows["value_minor"]).as_py() or 0
    return total, (pc.sum(rows["margin_minor"]).as_py() or 0) / value if value > 0 else None


def _cost(snapshot: Snapshot, period: Period, campaign: str) -> int:
    costs = snapshot.activity.costs
    mine = costs.filter(pc.fill_null(pc.equal(costs["campaign"].cast(pa.string()), campaign), False))
    return int(spread(mine, edges_of([period]))[2].sum())


def _channels(
    session: Session, snapshot: Snapshot, settings: Settings, row: Experiment, length: int
) -> list[dict[str, Any]]:
    """Count enquiries a week by channel, in the weeks of the pause that count and in usual weeks."""
    counted = length - row.settle_weeks
    rows = snapshot.tables.touches
    rows = rows.filter(
        pc.is_in(rows["kind"].cast(pa.string()), pa.array([kind.value for kind in _ENQUIRIES]))
    )
    if counted < 1 or not rows.num_rows:
        return []
    days = local_days(rows["occurred_at"].cast(pa.int64()).to_numpy(), settings.zone).astype(np.int64)
    start = (row.starts_on - _EPOCH).days
    if row.regions:
        region = _regions(session, rows["account_id"].cast(pa.int64()).to_numpy())
        mine = np.isin(region, row.regions)
        rows, days = rows.filter(pa.array(mine)), days[mine]
    if not len(days):
        return []
    usual = min(_BASE_WEEKS, (start - int(days.min())) // 7)
    during = (days >= start + 7 * row.settle_weeks) & (days < start + 7 * length)
    before = (days >= start - 7 * usual) & (days < start)
    channel = np.array([name or "" for name in rows["channel"].cast(pa.string()).to_pylist()], dtype=object)
    return [
        {
            "channel": name or None,
            "before": float((before & (channel == name)).sum()) / usual if usual > 0 else None,
            "during": float((during & (channel == name)).sum()) / counted,
        }
        for name in sorted(set(channel[before | during]))
    ]


def _disturbed(
    session: Session, snapshot: Snapshot, settings: Settings, row: Experiment, today: date
) -> Disturbed:
    last = min(row.ends_on, today)
    if last < row.starts_on or row.state not in (ExperimentState.running, ExperimentState.ended):
        return Disturbed()
    period = Period(row.starts_on, last + timedelta(days=1), settings.zone)
    changed = (
        select(Campaign.name)
        .where(
            Campaign.id != (row.campaign_id or 0),
            or_(
                Campaign.starts_on.between(row.starts_on, last),
                Campaign.ends_on.between(row.starts_on, last),
            ),
        )
        .order_by(Campaign.name)
    )
    # In some regions a campaign goes on: its calls and its cost are no sign of anything.
    everywhere = not row.regions
    of_campaign = everywhere and row.campaign is not None
    return Disturbed(
        calls=_calls(session, row, period) if everywhere else 0,
        cost_minor=_cost(snapshot, period, row.campaign.name) if of_campaign and row.campaign else 0,
        campaigns=tuple(session.scalars(changed)),
        experiments=tuple(each.name for each in experiments.others_at_once(session, row, last)),
        annotations=tuple(each.title for each in annotations.events(session, first=row.starts_on, last=last)),
    )


def _calls(session: Session, row: Experiment, period: Period) -> int:
    query = (
        select(func.count())
        .select_from(Call)
        .where(Call.started_at >= period.since, Call.started_at < period.until, Call.spam.is_(False))
    )
    if row.tracking_number_id is not None:
        query = query.where(Call.tracking_number_id == row.tracking_number_id)
    else:
        query = query.join(NumberAssignment, NumberAssignment.id == Call.assignment_id)
        if row.ad_material_id is not None:
            query = query.where(NumberAssignment.ad_material_id == row.ad_material_id)
        else:
            query = query.join(AdMaterial, AdMaterial.id == NumberAssignment.ad_material_id).where(
                AdMaterial.campaign_id == row.campaign_id
            )
    return session.scalar(query) or 0
