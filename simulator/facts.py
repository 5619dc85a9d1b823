"""What is known of markets like these, and how a simulated one compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.cycle import LOST, NO_DECISION, PHONE, WON
from simulator.hazard import NEVER
from simulator.market import DAY, YEAR_DAYS, Week, World
from simulator.runs import Course, Job, Mapper, paired
from simulator.truth import find, spend_minor

# The kind of need whose cycle is long, and the percentile by which that is told.
CAPITAL: Final = "capital_equipment"
_UPPER: Final = 95
# Seconds of activity time within which a caller counts as answered at the first try: the longest ringing.
_AT_ONCE: Final = 120


@dataclass(frozen=True)
class Fact:
    """A range in which a figure of a believable market lies.

    Attributes
    ----------
    about : str
        What the figure is.
    low, high : float
        The range.
    source : str
        Where the range comes from; "assumption" where nothing was found.
    """

    about: str
    low: float
    high: float
    source: str


FACTS: Final = {
    "quotes_won": Fact(
        "quotes won, of those that came to an end", 0.20, 0.30, "secondary: vendors' figures, 19-29 %"
    ),
    "no_decision": Fact("quotes that end without a decision", 0.40, 0.60, "secondary: JOLT Effect 2022"),
    "marketing_share": Fact("cost of campaigns over revenue", 0.02, 0.06, "assumption"),
    "roi_within": Fact("campaigns whose true ROI lies from -1 to 5", 0.66, 1.0, "assumption"),
    "unprompted": Fact(
        "enquirers who had met no campaign in the year before",
        0.35,
        0.60,
        "secondary: CSO Insights 2011-2013, half of the leads from sales itself",
    ),
    "capital_cycle_days": Fact(
        "95th percentile of days from need to order, capital goods",
        548.0,
        900.0,
        "secondary: Gartner 2022, 18 months for the largest purchases",
    ),
    "phone_share": Fact(
        "enquiries by telephone", 0.40, 0.65, "assumption: the published three in five has no study"
    ),
    "asked_share": Fact("callers asked where they heard of us", 0.40, 0.60, "assumption"),
    "missed_calls": Fact(
        "first calls that nobody answers", 0.10, 0.35, "secondary: vendors' figures, 25-28 %"
    ),
}


def measure(world: World, spread: Mapper, *, returns: bool = True) -> dict[str, float]:
    """Measure a market by the figures of `FACTS`.

    Parameters
    ----------
    world : World
        The market; it needs a kind of need called `CAPITAL`.
    spread : Mapper
        Where to run it.
    returns : bool, default True
        Whether to find the campaigns' true ROI as well, by removal, which takes twenty runs instead of one.

    Returns
    -------
    dict of str to float
        One per fact, not-a-number where there is nothing to measure it by; without ``roi_within`` if
        `returns` is not asked for.
    """
    counts: dict[str, float] = {}
    waits: list[Any] = []
    for found, days in paired(world, np.ones((1, len(world.campaigns))), _count, spread):
        waits.append(days)
        for name, value in found.items():
            counts[name] = counts.get(name, 0.0) + value
    cost = sum(fixed + variable for fixed, variable in spend_minor(world))
    days = np.concatenate(waits)

    def share(part: str, whole: str) -> float:
        return counts[part] / counts[whole] if counts[whole] else float("nan")

    figures = {
        "quotes_won": share("won", "quoted"),
        "no_decision": share("undecided", "quoted"),
        "marketing_share": cost / counts["revenue"] if counts["revenue"] else float("nan"),
        "unprompted": share("unprompted", "enquiries"),
        "capital_cycle_days": float(np.percentile(days, _UPPER)) if len(days) else float("nan"),
        "phone_share": share("by_phone", "enquiries"),
        "asked_share": world.scenario.observer.answers.asked,
        "missed_calls": share("missed", "by_phone"),
    }
    if returns:
        report = find(world, spread).report
        told = [entry["incremental_roi"] for entry in report["campaigns"].values()]
        known = [each for each in told if each is not None]
        figures["roi_within"] = float(np.mean([-1 <= each <= 5 for each in known])) if known else float("nan")
    return figures


def _count(job: Job) -> tuple[dict[str, float], Any]:
    (course,) = job.courses()
    full, orders = course.finish()
    world, needs = job.world, course.cycle.shard.needs
    week = Week(world)
    opens, closes = (week.activity(np.array([at]))[0] for at in (world.opens, world.closes))
    quoted = (full.quote_at >= opens) & (full.quote_at < closes)
    came = (full.contact_at >= opens) & (full.contact_at < closes)
    ended = {name: float((quoted & (full.status == status)).sum()) for name, status in _ENDS.items()}
    phone = came & (full.mode == PHONE)
    capital = list(world.scenario.needs).index(CAPITAL)
    # By the moment of the order, so that those still to come do not shorten it.
    bought = (full.won_at >= opens) & (full.won_at < closes) & (needs.kind == capital)
    return ended | {
        "revenue": float(orders.value_minor[(orders.at >= opens) & (orders.at < closes)].sum()),
        "quoted": sum(ended.values()),
        "enquiries": float(came.sum()),
        "unprompted": float((came & ~_met(course, full.contact_at)).sum()),
        "by_phone": float(phone.sum()),
        "missed": float((phone & (full.reached_at > full.contact_at + _AT_ONCE)).sum()),
    }, (full.won_at - needs.onset)[bought] / DAY


_ENDS: Final = {"won": WON, "lost": LOST, "undecided": NO_DECISION}


def _met(course: Course, at: Any) -> Any:
    """Return per need whether its company had met a campaign in the year before a moment."""
    shard = course.cycle.shard
    meetings = np.flatnonzero(course.cycle.active(course.scale))
    big = np.int64(2**34)
    keys = np.sort(shard.exposures.owner[meetings] * big + shard.exposures.at[meetings])
    known = np.where(at < NEVER, at, 0)
    year = np.int64(YEAR_DAYS * DAY)
    begin = np.searchsorted(keys, shard.needs.owner * big + np.maximum(0, known - year))
    return np.searchsorted(keys, shard.needs.owner * big + known, side="right") > begin
