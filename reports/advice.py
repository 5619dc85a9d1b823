"""What to do with a campaign: invest, keep, reconsider, stop, or wait; and what moving money would change."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from reports.evidence import LEAST_DEALS, UNSEEN_DEALS, Evidence, Standing, is_campaign
from reports.intervals import Resampled
from reports.maturity import ToCome

RIPE = 0.3
"""With a larger share of its revenue still to come a campaign that does not pay yet is not judged (an
assumption)."""
SURE = 0.95
"""Least chance for "invest", "keep" and "stop" (docs/verdicts.md)."""
LIKELY = 0.7
"""Least chance of earning more on its cost than all campaigns together, for "invest" (an assumption)."""
APART = 0.5
"""Chances under two models that differ by so much are a disagreement (an assumption)."""


class Verdict(StrEnum):
    """What to do with a campaign."""

    invest = "invest"
    keep = "keep"
    reconsider = "reconsider"
    """The models disagree on whether it pays."""
    stop = "stop"
    wait = "wait"
    """Too few deals, or too much still to come: it is too early to tell."""
    unconnected = "unconnected"
    """Nothing connects it to a call, or no revenue is connected at all: it cannot be told."""
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
    standing : Standing
        Whether it can be judged, and if not, what is missing.
    pays : dict
        Model to the chance (0 to 1) that more is credited to it in the period than it cost; empty where that
        cannot be told.
    deals, fewest : float
        Deals credited by the first model, and by the one that credits the fewest.
    to_come : float or None
        Share of the revenue of its leads still to come.
    """

    campaign: str
    verdict: Verdict
    standing: Standing
    pays: Mapping[str, float]
    deals: float
    fewest: float
    to_come: float | None

    @property
    def least(self) -> float | None:
        """Return the lowest chance under any model that it pays; None where that cannot be told."""
        return min(self.pays.values(), default=None)

    @property
    def most(self) -> float | None:
        """Return the highest chance under any model that it pays; None where that cannot be told."""
        return max(self.pays.values(), default=None)


def advise(
    drawn: Resampled,
    deals: Mapping[str, Mapping[str, float]],
    to_come: Mapping[str, ToCome],
    evidence: Evidence,
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
    evidence : Evidence
        What is connected.
    other_aims : frozenset of str
        Campaigns that do not aim at sales.

    Returns
    -------
    list of Advice
        In alphabetical order of campaigns.

    Notes
    -----
    Nothing is said of a campaign that nothing is connected to, nor of any while few deals are connected in
    all (:class:`reports.evidence.Evidence`). "Keep": under every model surely (:data:`SURE`) more than its
    cost, and enough deals. "Invest": the same, and likely (:data:`LIKELY`) more on its cost than all
    campaigns together. "Stop": under every model surely less, even if it earned its share of the revenue
    that is not connected, all that may still come, and as many deals more as chance alone can have kept
    away. "Reconsider": the models disagree. Else it is too early to tell. A high return on what was spent
    does not say what the next euro earns: move little, then look.
    """
    found = []
    for k, campaign in enumerate(drawn.campaigns):
        if not is_campaign(campaign):
            continue
        rest = to_come.get(campaign)
        share = rest.share if rest else None
        credited = [deals.get(campaign, {}).get(model, 0.0) for model in drawn.models]
        standing = evidence.standing(campaign, max(credited))
        pays: dict[str, float] = {}
        if campaign in other_aims:
            verdict = Verdict.elsewhere
        elif standing is Standing.unconnected:
            verdict = Verdict.unconnected
        elif standing is Standing.nothing:
            # It has calls or other touches, so that it is connected; that no deal is yet is another matter.
            verdict = Verdict.wait
        elif not drawn.cost[k] > 0:
            verdict = Verdict.unknown
        elif standing is Standing.few_in_all:
            verdict = Verdict.wait
        else:
            chances = {model: drawn.chance(model, campaign, 0.0) for model in drawn.models}
            verdict = _verdict(drawn, campaign, chances, min(credited), rest, evidence)
            if standing is not Standing.enough and verdict is not Verdict.stop:
                verdict = Verdict.wait
            if standing is Standing.enough or verdict is Verdict.stop:
                pays = chances
        found.append(Advice(campaign, verdict, standing, pays, credited[0], min(credited), share))
    return found


def _verdict(
    drawn: Resampled,
    campaign: str,
    pays: Mapping[str, float],
    fewest: float,
    rest: ToCome | None,
    evidence: Evidence,
) -> Verdict:
    if fewest >= LEAST_DEALS and min(pays.values()) >= SURE:
        beats = [drawn.chance(model, campaign, _overall(drawn, m)) for m, model in enumerate(drawn.models)]
        return Verdict.invest if min(beats) >= LIKELY else Verdict.keep
    young = rest is not None and rest.share is not None and rest.share > RIPE
    if not young and _surely_less(drawn, campaign, rest, evidence):
        return Verdict.stop
    apart = max(pays.values()) - min(pays.values()) >= APART
    return Verdict.reconsider if apart and not young else Verdict.wait


def _overall(drawn: Resampled, m: int) -> float:
    paid = [k for k, name in enumerate(drawn.campaigns) if is_campaign(name) and drawn.cost[k] > 0]
    return float(drawn.credit[m, paid].sum() / drawn.cost[paid].sum() - 1)


def _surely_less(drawn: Resampled, campaign: str, rest: ToCome | None, evidence: Evidence) -> bool:
    """Tell whether a campaign earns less than its cost even with all that was not seen of it."""
    # That no deal came in this period does not say that none could: so many more chance can have kept away.
    whole = evidence.coverage
    unseen = UNSEEN_DEALS * whole.revenue.connected / whole.deals.connected
    more = unseen + (rest.high if rest else 0.0)
    k = drawn.campaigns.index(campaign)
    seen = whole.revenue.share or 0.0
    drawings = (drawn.replicates[:, k] + more) / max(seen, 1e-9)
    return bool(np.all(np.mean(drawings > drawn.cost[k], axis=1) <= 1 - SURE))


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
