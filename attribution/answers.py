"""What buyers answer when asked: alone, or weighed against the tracked touches.

Every conversion is in one of three states: answered, asked in vain, or never asked. Nobody who was not asked
is taken for a silent "no": such conversions are shared like the answered ones of their stratum.

The stated model of `Hybrid`. A conversion has one true source. With touches, a rule (the prior) says how
likely each is. The answer of a buyer whose source is among the touches names the true one with probability
rho and any other touched source with equal parts of the rest. An answer that no touch confirms is right with
probability tau: then the source was never tracked. Bayes' rule gives the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from attribution.answered import Answers, Counts, Reported, Source, reported_parts
from attribution.counts import UNKNOWN, counted, figures, joined, parted
from attribution.credit import Cut, Floats, whole
from attribution.journeys import JourneyError
from attribution.paths import Journeys, Paths, Whole
from attribution.rules import Model, position_based

UNTRACKED = "(untracked)"
"""The stratum of conversions that no touch precedes."""

GRAIN = 2**20
"""Fractions of a conversion are multiples of 2^-20, so that the two parts add up exactly."""


def _source(campaign: str, channel: str) -> Source:
    """Read the campaign and channel of a key, in which nothing stands for unknown."""
    return campaign or None, channel or None


def strata_of(journeys: Journeys, strata: str) -> tuple[Whole, list[str]]:
    """Give for each conversion its stratum, and the strata's names."""
    last = np.full(len(journeys.owner), -1)
    if strata == "none":
        return last, [""]
    for paths in journeys.paths():
        last[paths.order] = paths.code("channel")[paths.last]
    return last, [*(name or UNKNOWN for name in journeys.names["channel"]), UNTRACKED]


@dataclass(frozen=True, kw_only=True)
class _Stratified(Model):
    """What compares conversions with others of their stratum."""

    strata: str
    listens: ClassVar[bool] = True
    called: str = field(default="self-reported", init=False)

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' columns that the model reads."""
        return frozenset({"channel"} if self.strata == "last channel" else ())


@dataclass(frozen=True, kw_only=True)
class SelfReported(_Stratified):
    """Each answered conversion to its answer; the others like the answered ones of their stratum.

    The answer of a conversion is the account's last one at or before it, otherwise its first one after.

    Parameters
    ----------
    strata : {"last channel", "none"}, default "last channel"
        What makes conversions comparable: the channel of the last tracked touch before them, or nothing.
        A stratum without an answer takes the answers of all.

    Notes
    -----
    Assumes that within a stratum those who answered are like those who did not, and that people remember.
    They name what impressed them last, and rarely an advertisement in print: the figures lean to fairs,
    colleagues and search. Asking only difficult or friendly customers breaks the first assumption.

    Counts: a key holds stratum, campaign and channel named (nothing where unknown); how many conversions, and
    how many of these were answered. Those without an answer have neither campaign nor channel.

    Examples
    --------
    >>> SelfReported().name
    'self-reported'
    """

    strata: Literal["last channel", "none"] = "last channel"
    fitted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.check("strata", "last channel", "none")

    def count(self, journeys: Journeys) -> pa.Table:
        """Count conversions per stratum and source named."""
        (stratum, names), answers = strata_of(journeys, self.strata), Answers.of(journeys)
        cell, times = np.unique(np.stack([stratum, answers.source]), axis=1, return_counts=True)
        keys = [
            joined((names[s], *(answers.sources[x] if x >= 0 else (None, None)))) for s, x in cell.T.tolist()
        ]
        answered = cell[1] >= 0
        return counted(self.shown, keys, times, times * answered, times * ~answered)

    def solve(self, counts: pa.Table) -> Reporting:
        """Give each stratum the shares of its answers."""
        shares = answers_by_stratum(counts)
        pooled = pool(shares)
        if not pooled:
            raise JourneyError(
                "nobody answered, so there is nothing to report",
                "ask callers where they heard of you, or use a rule model",
                table="answers",
            )
        return Reporting(label=self.label, strata=self.strata, shares=shares, pooled=pooled)


def answers_by_stratum(counts: pa.Table) -> dict[str, dict[Source, int]]:
    """Read counts of `SelfReported`: answers per stratum and source; a stratum without any is there too."""
    shares: dict[str, dict[Source, int]] = {}
    _, won, _ = figures(counts)
    for key, answered in zip(counts["key"].to_pylist(), won.tolist(), strict=True):
        stratum, campaign, channel = parted(key)
        mine = shares.setdefault(stratum, {})
        if answered:
            mine[_source(campaign, channel)] = answered
    return shares


def pool(shares: Mapping[str, Counts]) -> dict[Source, int]:
    """Add up the answers of all strata."""
    pooled: Counter[Source] = Counter()
    for answered in shares.values():
        pooled.update(answered)
    return dict(pooled)


@dataclass(frozen=True, kw_only=True)
class Reporting(_Stratified):
    """Answers that have been counted: how each conversion is shared over reported sources.

    Parameters
    ----------
    strata : {"last channel", "none"}
        How conversions are told apart.
    shares : mapping
        Answers per stratum and source.
    pooled : mapping
        Answers of all strata together.
    """

    shares: Mapping[str, Counts]
    pooled: Counts

    def weigh(self, paths: Paths) -> None:
        """Give touches nothing."""
        return

    def reported(self, journeys: Journeys) -> Reported:
        """Give each conversion to its answer, or to the answers of its stratum."""
        (stratum, names), answers = strata_of(journeys, self.strata), Answers.of(journeys)
        pieces: list[tuple[Whole, Any, Counts]] = [
            (np.flatnonzero(answers.source == i), 0.0, {source: 1})
            for i, source in enumerate(answers.sources)
        ]
        silent = np.flatnonzero(answers.source < 0)
        for s in np.unique(stratum[silent]).tolist():
            shares = self.shares.get(names[s]) or self.pooled
            pieces.append((silent[stratum[silent] == s], 0.0, shares))
        return reported_parts(journeys, pieces)


@dataclass(frozen=True, kw_only=True)
class _Weighed(Model):
    """What weighs answers against a rule."""

    prior: Model = field(default_factory=position_based)
    listens: ClassVar[bool] = True
    called: str = field(default="hybrid", init=False)

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' columns that the model reads."""
        return self.prior.reads | {"campaign", "channel"}


@dataclass(frozen=True, kw_only=True)
class Hybrid(_Weighed):
    """Tracked touches and answers together, by a stated confusion model.

    Parameters
    ----------
    prior : Model, default position-based
        A rule: how likely each touch is the true source before the answer is heard.
    truthful : float or None, default None
        rho: the probability that an answer confirmed by some touch names the true source. None: estimated
        from the conversions that have both, by maximum posterior likelihood under a Beta(8, 2) prior.
    untracked : float, default 0.5
        tau: the probability that an answer confirmed by no touch is right. An assumption, not a finding:
        nothing in the data can tell a forgetful buyer from a blind tracker. Vary it from 0 to 1.

    Raises
    ------
    ValueError
        For a probability outside 0 to 1, or a prior that is fitted itself.

    Notes
    -----
    The estimate of rho measures how often answers agree with the prior rule, corrected for chance. If the
    rule is wrong, so is rho. Answers are compared by channel, one without a channel by campaign. Conversions
    without an answer keep their touches' prior, less the share that untracked sources have among the
    answered.

    Counts: the key "agree", the prior weight of the touches that the answer names in parts of 2^-40, and the
    number of different sources touched; or "missed", campaign and channel of an answer that no touch
    confirms. How many answered conversions with touches there are of each.

    Examples
    --------
    >>> Hybrid(untracked=0.8).name
    'hybrid'
    >>> Hybrid(truthful=2)
    Traceback (most recent call last):
    ...
    ValueError: truthful is 2; a probability lies between 0 and 1
    """

    truthful: float | None = None
    untracked: float = 0.5
    fitted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for called, value in (("truthful", self.truthful), ("untracked", self.untracked)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{called} is {value!r}; a probability lies between 0 and 1")
        if self.prior.fitted or self.prior.listens:
            raise ValueError(f"prior is {self.prior.shown}, which is fitted itself; use a rule")

    def count(self, journeys: Journeys) -> pa.Table:
        """Count how often answers name which touches, and which answers no touch confirms."""
        answers = Answers.of(journeys)
        answered = answers.source >= 0
        touched, matched = np.zeros((2, len(answered)), bool)
        agreed = [np.zeros((2, 0), np.int64)]
        for paths in journeys.paths():
            confirmed = _Confirmed(paths, answers, self.prior)
            touched[paths.order], matched[paths.order] = True, confirmed.any
            part = paths.total(np.floor(confirmed.weight * 2.0**40).astype(np.int64) * confirmed.hit)
            agreed.append(np.stack([part, confirmed.sources])[:, confirmed.any])
        cell, times = np.unique(np.concatenate(agreed, axis=1), axis=1, return_counts=True)
        missed, often = np.unique(answers.source[answered & touched & ~matched], return_counts=True)
        keys = [joined(("agree", str(part), str(n))) for part, n in cell.T.tolist()]
        keys += [joined(("missed", *answers.sources[i])) for i in missed.tolist()]
        times = np.append(times, often).astype(np.int64)
        return counted(self.shown, keys, times, times, 0 * times)

    def solve(self, counts: pa.Table) -> Blended:
        """Estimate rho, and the share of sources that were never tracked."""
        agreements: dict[tuple[float, int], int] = {}
        missed: dict[Source, int] = {}
        times, _, _ = figures(counts)
        for key, count in zip(counts["key"].to_pylist(), times.tolist(), strict=True):
            kind, one, other = parted(key)
            if kind == "missed":
                missed[_source(one, other)] = count
            elif int(other) > 1:
                agreements[int(one) / 2**40, int(other)] = count
        both = int(times.sum())
        if not both:
            raise JourneyError(
                "no conversion has both a touch and an answer, so the two cannot be weighed",
                "use self-reported, or a rule model",
                table="answers",
            )
        rho = self.truthful
        if rho is None:
            rho = estimate_truthful(dict(sorted(agreements.items())))
        elsewhere = sum(missed.values()) / both * self.untracked
        return Blended(
            label=self.label,
            prior=self.prior,
            truthful=rho,
            believed=_grain(self.untracked),
            elsewhere=_grain(elsewhere),
            missed=missed,
        )


class _Confirmed:
    """What answers say about some paths: which rows they name, by channel or, without one, by campaign."""

    def __init__(self, paths: Paths, answers: Answers, prior: Model) -> None:
        journeys = paths.of
        codes = {
            key: {name: i for i, name in enumerate(journeys.names[key]) if name is not None}
            for key in ("campaign", "channel")
        }
        channels = len(journeys.names["channel"])
        named = [
            codes["channel"].get(channel, -1)
            if channel
            else codes["campaign"].get(campaign or "", -1 - channels) + channels
            for campaign, channel in answers.sources
        ]
        source = answers.source[paths.order]
        by_campaign = np.array([*(channel is None for _, channel in answers.sources), False])[source]
        code = np.where(by_campaign[paths.path], paths.code("campaign") + channels, paths.code("channel"))
        self.hit = (code == np.array([*named, -1])[source][paths.path]).astype(np.int64)
        self.any = paths.total(self.hit) > 0
        self.answered = source >= 0
        self.sources = paths.different(code, channels + len(journeys.names["campaign"]))
        weights = prior.weigh(paths)
        assert weights is not None
        self.weight = Cut(paths, weights).weight()


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
class Blended(_Weighed):
    """A hybrid that has been fitted: weights over the touches, and what goes to reported sources instead.

    Parameters
    ----------
    prior : Model
        How likely each touch is before the answer.
    truthful : float
        rho.
    believed, elsewhere : float, default 0
        Part of a conversion that goes to an answer no touch confirms; part of one without an answer that
        goes to untracked sources. Multiples of 2^-20.
    missed : mapping, default empty
        Answers that no touch confirmed, by source.
    """

    truthful: float
    believed: float = 0.0
    elsewhere: float = 0.0
    missed: Counts = field(default_factory=dict)

    def weigh(self, paths: Paths) -> Whole:
        """Give prior times likelihood of the answer."""
        confirmed = _Confirmed(paths, Answers.of(paths.of), self.prior)
        sources = confirmed.sources[paths.path]
        others = (1.0 - self.truthful) / np.maximum(sources - 1.0, 1.0)
        likely = np.where(confirmed.hit == 1, self.truthful, others)
        several = confirmed.any[paths.path] & (sources > 1)
        return whole(confirmed.weight * np.where(several, likely, 1.0), paths)

    def scale(self, paths: Paths) -> Floats:
        """Give the part of the conversion that the touches share."""
        confirmed = _Confirmed(paths, Answers.of(paths.of), self.prior)
        silent = np.where(confirmed.answered, 1.0 - self.believed, 1.0 - self.elsewhere)
        return np.where(confirmed.any, 1.0, silent)

    def reported(self, journeys: Journeys) -> Reported:
        """Give the parts of conversions that go to sources no touch shows."""
        answers = Answers.of(journeys)
        # Without touches all goes to the answer; without an answer either, nothing is known.
        offset = np.where(answers.source >= 0, 0.0, 1.0)
        for paths in journeys.paths():
            offset[paths.order] = self.scale(paths)
        pieces: list[tuple[Whole, Any, Counts]] = []
        for i in np.unique(answers.source).tolist():
            order = np.flatnonzero((answers.source == i) & (offset < 1.0))
            pieces.append((order, offset[order], {answers.sources[i]: 1} if i >= 0 else self.missed))
        return reported_parts(journeys, pieces)


def _grain(part: float) -> float:
    return round(part * GRAIN) / GRAIN
