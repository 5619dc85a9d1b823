"""Who called a number of a pool: all who were shown it are weighed by how long before the call that was.

A holder's weight is the density of the delay from seeing a number to dialling it, log-normal; beside them all
stands whoever dials a number that was not shown to him, at a steady rate. By Bayes' rule the likelihood of
each is its part of the sum. The curve is an assumption until a site has calls enough of its own to fit it.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from tracking.records import sites
from tracking.storage.models import Call, CallHolder, Contact, Lease, PoolNumber, Site, Visitor, WebVisit
from tracking.storage.vocabulary import Certainty

REACH = timedelta(days=30)
"""Who was last shown a number longer ago is not thought of (an assumption)."""
SURE, LIKELY = 0.8, 0.5
"""From which likelihood on a source counts as sure, and as likely (assumptions)."""
ENOUGH = 50
"""Calls of a site's own from which on its curve is fitted (an assumption)."""
_LATEST = 2000
"""Calls that a fit looks at, the latest."""
_TURNS = 60
_SOONEST_S = 1.0


@dataclass(frozen=True, slots=True)
class Curve:
    """How long after seeing a number people dial it.

    ``median_s`` and ``spread`` are those of a log-normal delay in seconds; ``stray_odds`` is how many calls a
    day a number gets from people whom it was not shown to, for each call that a lease brings.
    """

    median_s: float = 900.0
    spread: float = 2.5
    stray_odds: float = 0.014

    def density(self, delay_s: float) -> float:
        """Return the chance of a call in a day so long after the number was seen, for one that will come."""
        delay_s = max(delay_s, _SOONEST_S)
        z = math.log(delay_s / self.median_s) / self.spread
        return math.exp(-z * z / 2) / (self.spread * math.sqrt(2 * math.pi) * delay_s) * 86_400

    def likelihoods(self, delays_s: Sequence[float]) -> list[float]:
        """Return for each holder how likely he is to be the caller; what is missing to 1 is somebody else."""
        weights = [self.density(delay) for delay in delays_s]
        whole = sum(weights) + self.stray_odds
        return [weight / whole for weight in weights]


ASSUMED = Curve()
"""Half of all callers dial within a quarter of an hour, one in six later than three hours; one call in five
years to a number that was not shown, against four calls of a hundred leases. Assumptions."""


def curve_of(site: Site | None) -> Curve:
    """Return the curve of a site: fitted to its calls, else assumed."""
    if site is None or site.delay_median_s is None or site.delay_spread is None or site.stray_odds is None:
        return ASSUMED
    return Curve(site.delay_median_s, site.delay_spread, site.stray_odds)


class _Holder(NamedTuple):
    visitor_id: int
    campaign_id: int | None
    channel: str | None
    delay_s: float
    seen_at: datetime
    page: str | None

    @property
    def source(self) -> tuple[int | None, str | None]:
        return self.campaign_id, self.channel


def _holders(session: Session, number_id: int, at: datetime) -> list[_Holder]:
    """Return who was shown a number before a call, the last one first; of each visitor the last lease."""
    rows = session.execute(
        select(
            WebVisit.visitor_id,
            WebVisit.campaign_id,
            WebVisit.channel,
            Lease.seen_at,
            WebVisit.landing_page,
        )
        .join(WebVisit, WebVisit.id == Lease.visit_id)
        .where(Lease.tracking_number_id == number_id, Lease.starts_at <= at, Lease.seen_at >= at - REACH)
        .order_by(Lease.starts_at.desc(), Lease.id.desc())
    )
    found: dict[int, _Holder] = {}
    for visitor_id, campaign_id, channel, seen_at, page in rows:
        # Who still looks at the page while he calls has seen the number just now.
        seen = min(seen_at, at)
        delay = (at - seen).total_seconds()
        found.setdefault(visitor_id, _Holder(visitor_id, campaign_id, channel, delay, seen, page))
    return list(found.values())


def credit(session: Session, calls: Collection[int]) -> None:
    """Write on calls to numbers of pools, and on their touches, which visitors' source they come from.

    Calls that an assignment explains are left alone, and so is what was written when a call rang.
    """
    rows = session.execute(
        select(Call, PoolNumber)
        .join(PoolNumber, PoolNumber.tracking_number_id == Call.tracking_number_id)
        .where(Call.id.in_(calls))
        .options(joinedload(Call.touch))
    ).all()
    known = {
        row.call_id: row for row in session.scalars(select(CallHolder).where(CallHolder.call_id.in_(calls)))
    }
    for call, place in rows:
        row = known.get(call.id)
        if call.assignment_id is not None or call.started_at < place.added_at:
            if row is not None:
                call.touch.channel = None
                session.delete(row)
            continue
        if row is None or row.started_at != call.started_at:
            row = row or CallHolder(call_id=call.id)
            _weigh(session, row, call, place)
            session.add(row)
        if row.certainty in (Certainty.sure, Certainty.likely):
            call.touch.campaign_id, call.touch.channel = row.campaign_id, row.channel
        else:
            call.touch.campaign_id = call.touch.channel = None
        if row.visitor_id is not None and row.visitor_likelihood >= SURE and not call.spam:
            who = session.get_one(Visitor, row.visitor_id)
            sites.known_as(session, who, session.get_one(Contact, call.contact_id))
    session.flush()


def _weigh(session: Session, row: CallHolder, call: Call, place: PoolNumber) -> None:
    found = _holders(session, place.tracking_number_id, call.started_at)
    chances = curve_of(session.get(Site, place.site_id)).likelihoods([holder.delay_s for holder in found])
    by_source: dict[tuple[int | None, str | None], float] = {}
    for holder, chance in zip(found, chances, strict=True):
        by_source[holder.source] = by_source.get(holder.source, 0.0) + chance
    ranked = sorted(by_source.items(), key=lambda pair: -pair[1])
    best, likelihood = ranked[0] if ranked else ((None, None), 0.0)
    second = ranked[1] if len(ranked) > 1 else None
    most = max(range(len(found)), key=chances.__getitem__) if found else None
    row.site_id, row.started_at, row.holders = place.site_id, call.started_at, len(found)
    row.certainty = certainty(likelihood) if found else Certainty.nobody
    row.likelihood, (row.campaign_id, row.channel) = likelihood, best
    row.runner_up = second[1] if second else None
    row.runner_up_campaign_id, row.runner_up_channel = second[0] if second else (None, None)
    row.visitor_likelihood = chances[most] if most is not None else 0.0
    row.visitor_id = found[most].visitor_id if most is not None else None
    # Where nobody is in reach, whoever was shown it before tells where it may have been copied from.
    last = found[0] if found else _last_before(session, place.tracking_number_id, call.started_at)
    row.last_shown_at, row.last_page = (last.seen_at, last.page) if last else (None, None)


def _last_before(session: Session, number_id: int, at: datetime) -> _Holder | None:
    row = session.execute(
        select(Lease.seen_at, WebVisit.landing_page)
        .join(WebVisit, WebVisit.id == Lease.visit_id)
        .where(Lease.tracking_number_id == number_id, Lease.starts_at <= at)
        .order_by(Lease.starts_at.desc())
        .limit(1)
    ).first()
    return _Holder(0, None, None, 0.0, row[0], row[1]) if row else None


def certainty(likelihood: float) -> Certainty:
    """Return how sure a source is that somebody is in reach for."""
    if likelihood >= SURE:
        return Certainty.sure
    return Certainty.likely if likelihood >= LIKELY else Certainty.unknown


# --- The curve, fitted to a site's own calls ---------------------------------------------------------------


def fit(session: Session, site: Site, *, at: datetime) -> bool:
    """Fit a site's curve to its calls of the last half year; False where they are too few or tell nothing."""
    since = at - timedelta(days=180)
    calls = session.execute(
        select(Call.tracking_number_id, Call.started_at)
        .join(CallHolder, CallHolder.call_id == Call.id)
        .where(CallHolder.site_id == site.id, Call.started_at >= since, Call.spam.is_(False))
        .order_by(Call.started_at.desc())
        .limit(_LATEST)
    ).all()
    delays = [
        [holder.delay_s for holder in _holders(session, number_id, rang)]
        for number_id, rang in calls
        if number_id is not None
    ]
    if sum(map(bool, delays)) < ENOUGH:
        return False
    first = min(rang for _, rang in calls)
    pool = select(PoolNumber.tracking_number_id).where(PoolNumber.site_id == site.id)
    leases = session.scalar(
        select(func.count(Lease.id)).where(Lease.tracking_number_id.in_(pool), Lease.starts_at >= first)
    )
    numbers = session.scalar(select(func.count()).select_from(pool.subquery())) or 1
    days = max((at - first) / timedelta(days=1), 1.0) * numbers
    fitted = fitted_to(delays, leases or 1, days)
    if fitted is None:
        return False
    site.delay_median_s, site.delay_spread, site.stray_odds = (
        fitted.median_s,
        fitted.spread,
        fitted.stray_odds,
    )
    site.fitted_calls, site.fitted_at = len(delays), at
    session.flush()
    return True


def fitted_to(delays: Sequence[Sequence[float]], leases: int, number_days: float) -> Curve | None:
    """Return the curve under which some calls are likeliest (expectation maximisation).

    None where most calls would be by people whom the number was not shown to: then delays tell nothing.

    Parameters
    ----------
    delays : sequence of sequences of float
        Of each call the seconds since each of its holders had last seen the number; at least one not empty.
    leases : int
        Leases in the time of the calls, 1 or more.
    number_days : float
        Numbers in the pool times days, above 0.
    """
    curve = ASSUMED
    for _ in range(_TURNS):
        weights = [curve.likelihoods(each) for each in delays]
        logs = [
            (weight, math.log(max(delay, _SOONEST_S)))
            for each, chances in zip(delays, weights, strict=True)
            for delay, weight in zip(each, chances, strict=True)
        ]
        held = sum(weight for weight, _ in logs)
        if held < len(delays) / 2:
            return None
        mean = sum(weight * log for weight, log in logs) / held
        square = sum(weight * (log - mean) ** 2 for weight, log in logs) / held
        strays = len(delays) - held
        # Neither is ever certain: half a call more of each (Jeffreys' prior of a rate).
        odds = ((strays + 0.5) / number_days) / ((held + 0.5) / leases)
        curve = Curve(math.exp(mean), max(math.sqrt(square), 0.1), odds)
    return curve
