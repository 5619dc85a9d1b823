"""What to do with a campaign: invest, keep, reconsider, stop, or wait; and what moving money would change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from reports.intervals import Resampled
from reports.kpis import ratio
from reports.maturity import ToCome

RIPE = 0.3
"""With a larger share of its revenue still to come a campaign that does not pay yet is not judged (an
assumption)."""
SURE, LIKELY = 0.9, 0.7
"""Least chances for "invest" and "stop", and for "keep" (assumptions)."""
FEW = 5.0
"""With fewer deals credited a campaign is not judged worse than "reconsider" (an assumption)."""


class Verdict(StrEnum):
    """What to do with a campaign."""

    invest = "invest"
    keep = "keep"
    reconsider = "reconsider"
    stop = "stop"
    wait = "wait"
    """Too much of its revenue is still to come."""
    elsewhere = "elsewhere"
    """It does not aim at sales; its targets judge it."""
    unknown = "unknown"
    """No cost is known."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do with a campaign and why.

    Attributes
    ----------
    campaign : str
        Its name.
    verdict : Verdict
        What to do.
    pays : dict
        Model to the chance (0 to 1) that it earns more than it cost, what is still to come included.
    beats : dict
        Model to the chance that its ROI exceeds that of all campaigns together.
    deals : float
        Fewest deals credited by any model.
    to_come : float or None
        Share of the revenue of its leads still to come.
    """

    campaign: str
    verdict: Verdict
    pays: Mapping[str, float]
    beats: Mapping[str, float]
    deals: float
    to_come: float | None

    @property
    def least(self) -> float:
        """Return the lowest chance under any model that it pays."""
        return min(self.pays.values(), default=0.0)

    @property
    def most(self) -> float:
        """Return the highest chance under any model that it pays."""
        return max(self.pays.values(), default=0.0)


def advise(
    drawn: Resampled,
    deals: Mapping[str, Mapping[str, float]],
    to_come: Mapping[str, ToCome],
    other_aims: frozenset[str] = frozenset(),
) -> list[Advice]:
    """Judge every named campaign by all models at once: the least favourable one decides.

    Parameters
    ----------
    drawn : Resampled
        Revenue and cost of a period.
    deals : mapping of str to mapping
        Deals credited, by campaign and model.
    to_come : mapping of str to ToCome
        What its leads may still bring.
    other_aims : frozenset of str
        Campaigns that do not aim at sales.

    Returns
    -------
    list of Advice
        In alphabetical order of campaigns.

    Notes
    -----
    "Invest": under every model surely (:data:`SURE`) more than its cost, and likely (:data:`LIKELY`) more
    than all campaigns together. "Keep": under every model likely more than its cost. "Stop": under every one
    surely less. "Reconsider": anything else, or too few deals (:data:`FEW`) to say more. A high return on
    what was spent does not say what the next euro earns: move little, then look.
    """
    found = []
    for k, campaign in enumerate(drawn.campaigns):
        if campaign.startswith("("):
            continue
        rest = to_come.get(campaign)
        share = rest.share if rest else None
        credited = min(deals.get(campaign, {}).values(), default=0.0)
        if not drawn.cost[k] > 0:
            found.append(Advice(campaign, Verdict.unknown, {}, {}, credited, share))
            continue
        more = rest.expected if rest else 0.0
        pays = {model: drawn.chance(model, campaign, 0.0, more) for model in drawn.models}
        beats = {
            model: drawn.chance(model, campaign, _overall(drawn, m)) for m, model in enumerate(drawn.models)
        }
        verdict = _verdict(list(pays.values()), list(beats.values()), credited)
        if campaign in other_aims:
            verdict = Verdict.elsewhere
        elif share is not None and share > RIPE and verdict in (Verdict.reconsider, Verdict.stop):
            verdict = Verdict.wait
        found.append(Advice(campaign, verdict, pays, beats, credited, share))
    return found


def _overall(drawn: Resampled, m: int) -> float:
    paid = np.nan_to_num(drawn.cost) > 0
    return float(drawn.credit[m, paid].sum() / drawn.cost[paid].sum() - 1)


def _verdict(pays: Sequence[float], beats: Sequence[float], deals: float) -> Verdict:
    if deals >= FEW and min(pays) >= SURE and min(beats) >= LIKELY:
        return Verdict.invest
    if deals >= FEW and min(pays) >= LIKELY:
        return Verdict.keep
    # No deal at all is news too: where nothing came back, few deals are no excuse.
    if max(pays) <= 1 - SURE:
        return Verdict.stop
    return Verdict.reconsider


@dataclass(frozen=True, slots=True)
class Moved:
    """What a changed budget would bring under one model: revenue in minor units.

    Attributes
    ----------
    model : str
        The model.
    before, after : float
        Credited revenue of the campaigns with a cost, now and with the changed budget.
    low, high : float
        80 % interval of the difference.
    gain : float
        Chance (0 to 1) that the difference exceeds what is spent more.
    """

    model: str
    before: float
    after: float
    low: float
    high: float
    gain: float


def what_if(drawn: Resampled, budget: Mapping[str, int], elasticity: float) -> list[Moved]:
    """Foresee revenue with other costs: each campaign's grows as its cost to the power of an elasticity.

    Parameters
    ----------
    drawn : Resampled
        Revenue and cost of a period.
    budget : mapping of str to int
        New cost by campaign, minor units, 0 or more; campaigns that are left out keep theirs.
    elasticity : float
        1: revenue grows in proportion; 0.5: twice the money brings 41 % more. Above 0, at most 1. An
        assumption: no attribution tells what the next euro brings.

    Returns
    -------
    list of Moved
        One for each model.

    Examples
    --------
    One campaign that earned 400 from 100; with the double at elasticity 1 it earns 800:

    >>> drawn = Resampled(("linear",), ("fair",), np.array([[400.0]]), np.array([[[400.0, 400.0]]]),
    ...                   np.array([100.0]))
    >>> what_if(drawn, {"fair": 200}, 1.0)[0].after
    800.0
    """
    paid = np.flatnonzero(np.nan_to_num(drawn.cost) > 0)
    cost = drawn.cost[paid]
    new = np.array([float(budget.get(drawn.campaigns[k], drawn.cost[k])) for k in paid])
    grown = (new / cost) ** elasticity
    spent = float((new - cost).sum())
    result = []
    for m, model in enumerate(drawn.models):
        before, after = drawn.credit[m, paid].sum(), (drawn.credit[m, paid] * grown).sum()
        change = (drawn.replicates[m, paid] * (grown - 1)[:, None]).sum(axis=0)
        low, high = np.quantile(change, [0.1, 0.9])
        gain = float(np.mean(change > spent))
        result.append(Moved(model, float(before), float(after), float(low), float(high), gain))
    return result


def reached(actual: float, target: float) -> float | None:
    """Return what share of a target was reached.

    Parameters
    ----------
    actual, target : float
        In the same unit.

    Returns
    -------
    float or None
        A fraction; None for a target of nothing.
    """
    return ratio(actual, target)
