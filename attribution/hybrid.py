"""Hybrid attribution: the tracked touches and the buyer's answer, weighed by how far each can be trusted.

The stated model. A conversion has one true source. With touches, a rule (the prior) says how likely each is.
The answer of a buyer whose source is among the touches names the true one with probability rho and any other
touched source with equal parts of the rest. An answer that no touch confirms is right with probability tau:
then the source was never tracked. Bayes' rule gives the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals as nw

from attribution.answers import Reported, by_answer, by_stratum, with_answers
from attribution.credit import Share, Winner, whole_column
from attribution.journeys import JourneyError
from attribution.positions import position_based
from attribution.rules import Model, RuleModel, WeightModel
from attribution.windows import PATH

if TYPE_CHECKING:
    from attribution.paths import Journeys

GRAIN = 2**20
"""Fractions of a conversion are multiples of 2^-20, so that the two parts add up exactly."""


@dataclass(frozen=True, kw_only=True)
class Hybrid(Model):
    """Tracked touches and answers together, by a stated confusion model.

    Parameters
    ----------
    prior : RuleModel, default position-based
        How likely each touch is the true source before the answer is heard.
    truthful : float or None, default None
        rho: the probability that an answer confirmed by some touch names the true source. None: estimated
        from the conversions that have both, by maximum posterior likelihood under a Beta(8, 2) prior.
    untracked : float, default 0.5
        tau: the probability that an answer confirmed by no touch is right. An assumption, not a finding:
        nothing in the data can tell a forgetful buyer from a blind tracker. Vary it from 0 to 1.

    Raises
    ------
    ValueError
        For a probability outside 0 to 1.

    Notes
    -----
    The estimate of rho measures how often answers agree with the prior rule, corrected for chance. If the
    rule is wrong, so is rho. Answers are compared by channel. Conversions without an answer keep their
    touches' prior, less the share that untracked sources have among the answered.

    Examples
    --------
    >>> Hybrid(untracked=0.8).name
    'hybrid'
    >>> Hybrid(truthful=2)
    Traceback (most recent call last):
    ...
    ValueError: truthful is 2; a probability lies between 0 and 1
    """

    prior: RuleModel = field(default_factory=position_based)
    truthful: float | None = None
    untracked: float = 0.5

    def __post_init__(self) -> None:
        for called, value in (("truthful", self.truthful), ("untracked", self.untracked)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{called} is {value!r}; a probability lies between 0 and 1")

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return "hybrid"

    def fit(self, journeys: Journeys) -> Blended:
        """Estimate from the conversions that have both touches and an answer."""
        told = matched(journeys)
        counts = told.filter((nw.col("answered") == 1) & (nw.col("touched") == 1))
        counted = counts.group_by("hit", "answer_campaign", "answer_channel").agg(nw.len().alias("times"))
        missed: dict[Reported, int] = {}
        both = 0
        for hit, campaign, channel, times in counted.collect("pyarrow").rows():
            both += times
            if not hit:
                missed[campaign, channel] = int(times)
        if not both:
            raise JourneyError(
                "no conversion has both a touch and an answer, so the two cannot be weighed",
                "use self-reported, or a rule model",
                table="answers",
            )
        rho = self.truthful
        draft = Blended(called=self.name, prior=self.prior, truthful=0.5)
        if rho is None:
            rho = estimate_truthful(_agreements(journeys, draft))
        elsewhere = sum(missed.values()) / both * self.untracked
        return Blended(
            label=self.label,
            called=self.name,
            prior=self.prior,
            truthful=rho,
            believed=_grain(self.untracked),
            elsewhere=_grain(elsewhere),
            missed=missed,
        )


def estimate_truthful(
    agreements: Mapping[tuple[float, int], int], heads: float = 8, tails: float = 2
) -> float:
    """Estimate rho by expectation and maximisation.

    Parameters
    ----------
    agreements : mapping of (float, int) to int
        For each prior weight of the answered source (0 to 1) and number of touched sources (2 or more): in
        how many conversions.
    heads, tails : float, default 8 and 2
        The Beta prior of rho, both above 1.

    Returns
    -------
    float
        rho, between 0 and 1.

    Examples
    --------
    >>> round(estimate_truthful({}), 3)  # nothing is known: the mode of the prior
    0.875
    """
    rho = (heads - 1) / (heads + tails - 2)
    count = sum(agreements.values())
    for _ in range(500):
        true = 0.0
        for (weight, sources), times in agreements.items():
            right = rho * weight
            wrong = (1 - rho) * (1 - weight) / (sources - 1)
            true += times * right / (right + wrong) if right + wrong else 0.0
        following = (true + heads - 1) / (count + heads + tails - 2)
        if abs(following - rho) < 1e-12:
            return following
        rho = following
    return rho


@dataclass(frozen=True, kw_only=True)
class Blended(WeightModel):
    """A fitted hybrid: weights over the touches, and what goes to reported sources instead.

    Parameters
    ----------
    called : str
        Name of the model that was fitted.
    prior : RuleModel
        How likely each touch is before the answer.
    truthful : float
        rho.
    believed, elsewhere : float, default 0
        Part of a conversion that goes to an answer no touch confirms; part of one without an answer that
        goes to untracked sources. Multiples of 2^-20.
    missed : mapping, default empty
        Answers that no touch confirmed, by source.
    """

    called: str
    prior: RuleModel
    truthful: float
    believed: float = 0.0
    elsewhere: float = 0.0
    missed: Mapping[Reported, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the model that was fitted."""
        return self.called

    @property
    def windows(self) -> frozenset[str]:
        """Names of the path columns read."""
        return self.prior.windows | {"answer"}

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' own columns that the model reads."""
        return self.prior.reads | {"channel"}

    @property
    def parts(self) -> int:
        """How many times the path's length the prior's denominator can be."""
        return self.prior.parts

    def prepare(self, prefix: str) -> list[dict[str, nw.Expr]]:
        """Give the prior, whether the answer names the touch, and how many sources there are."""
        share = self.prior.cut(f"{prefix}_p")
        named = (nw.col("answered") == 1) & (nw.col("channel") == nw.col("answer_channel"))
        nth = nw.col(PATH).cum_count().over(PATH, "channel", order_by="k")
        single = {
            f"{prefix}_hit": nw.when(named).then(nw.lit(1)).otherwise(nw.lit(0)),
            f"{prefix}_nth": nth,
        }
        if isinstance(share, Share):
            single |= {
                f"{prefix}_a": share.before,
                f"{prefix}_b": share.after,
                f"{prefix}_c": whole_column(share.total),
            }
            weight = (nw.col(f"{prefix}_b") - nw.col(f"{prefix}_a")) / nw.col(f"{prefix}_c")
        else:
            assert isinstance(share, Winner)
            weight = share.weight()
        fresh = nw.when(nw.col(f"{prefix}_nth") == 1).then(nw.lit(1)).otherwise(nw.lit(0))
        whole = {
            f"{prefix}_prior": weight,
            f"{prefix}_fresh": fresh,
        }
        over_path = {
            f"{prefix}_matched": nw.col(f"{prefix}_hit").max().over(PATH),
            f"{prefix}_sources": nw.col(f"{prefix}_fresh").sum().over(PATH).cast(nw.Float64),
        }
        return [*self.prior.prepare(f"{prefix}_p"), single, whole, over_path]

    def weight(self, prefix: str) -> nw.Expr:
        """Give prior times likelihood of the answer."""
        several = (nw.col(f"{prefix}_matched") == 1) & (nw.col(f"{prefix}_sources") > 1.0)
        others = nw.lit(1.0 - self.truthful) / (nw.col(f"{prefix}_sources") - 1.0)
        named = nw.col(f"{prefix}_hit") == 1
        likely = nw.when(several & named).then(nw.lit(self.truthful)).when(several).then(others)
        return nw.col(f"{prefix}_prior") * likely.otherwise(nw.lit(1.0))

    def scale(self, prefix: str) -> nw.Expr:
        """Give the part of the conversion that the touches share."""
        asked, matched = nw.col("answered") == 1, nw.col(f"{prefix}_matched") == 1
        scale = nw.when(asked & matched).then(nw.lit(1.0)).when(asked).then(nw.lit(1.0 - self.believed))
        return scale.otherwise(nw.lit(1.0 - self.elsewhere))

    def rows(self, journeys: Journeys) -> nw.LazyFrame[Any]:
        """Give the parts of conversions that go to sources no touch shows."""
        told = matched(journeys)
        asked, touched = nw.col("answered") == 1, nw.col("touched") == 1
        start = nw.when(~touched).then(nw.lit(0.0)).when(asked).then(nw.lit(1.0 - self.believed))
        told = told.with_columns(offset=start.otherwise(nw.lit(1.0 - self.elsewhere)))
        named = told.filter(asked & (nw.col("hit") == 0) & (nw.col("offset") < 1.0))
        silent = told.filter(~asked & touched & (nw.col("offset") < 1.0))
        return nw.concat([by_answer(named), by_stratum(silent, journeys, {"": self.missed})], how="vertical")


def matched(journeys: Journeys) -> nw.LazyFrame[Any]:
    """Give every conversion its answer, whether it has touches, and whether one confirms the answer."""
    told = with_answers(journeys, "none")
    orders = journeys.conversions.select("conversion_id", "account_id", "converted_at")
    answers = told.select("conversion_id", "answer_channel")
    inside = journeys.inside(orders.join(answers, on="conversion_id", how="inner"), ["channel"])
    same = nw.col("channel") == nw.col("answer_channel")
    inside = inside.with_columns(hit=nw.when(same).then(nw.lit(1)).otherwise(nw.lit(0)))
    found = inside.group_by("conversion_id").agg(nw.col("hit").max()).with_columns(touched=nw.lit(1))
    told = told.join(found, on="conversion_id", how="left")
    return told.with_columns(nw.col("hit").fill_null(0), nw.col("touched").fill_null(0))


def _agreements(journeys: Journeys, draft: Blended) -> dict[tuple[float, int], int]:
    """Count conversions by prior weight of the answered source and number of touched sources."""
    frame = journeys.paths([draft], ["channel"])
    for stage in draft.prepare("m0"):
        frame = frame.with_columns(**stage)
    # Whole parts of 2^-40, since their sum does not depend on the order.
    part = (nw.col("m0_prior") * float(2**40)).floor().cast(nw.Int64) * nw.col("m0_hit")
    told = frame.filter(nw.col("m0_matched") == 1).select(PATH, "m0_sources", part=part)
    per = told.group_by(PATH).agg(nw.col("part").sum(), nw.col("m0_sources").max())
    counted = per.group_by("part", "m0_sources").agg(nw.len().alias("times")).collect("pyarrow")
    rows = sorted((int(part), int(sources), int(times)) for part, sources, times in counted.rows())
    return {(part / 2**40, sources): times for part, sources, times in rows if sources > 1}


def _grain(part: float) -> float:
    return round(part * GRAIN) / GRAIN
