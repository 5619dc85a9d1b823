"""The rule models: who gets how much of a deal, as short expressions over the position in the path.

Every model sees the same path of a conversion, sorted by moment and, at the same moment, by touch
identifier. The engine provides these columns: ``k`` (position from 1), ``n`` (length), ``lead_k``,
``qualified_k`` and ``opportunity_k`` (touches up to that milestone), ``known_k`` and ``known_n`` (touches
from a known, non-direct channel up to here, and in all), all float64; ``at`` and ``last_at`` (this touch and
the last, int64 microseconds); and the moments of the milestones, null where unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import narwhals as nw

from attribution.credit import Cut, Share, Winner, whole_column

DAY = 86_400_000_000
"""Microseconds in a day."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """What every model has in common.

    Parameters
    ----------
    label : str, default ""
        The text in the ``model`` column; the model's own name unless given. Two settings of one model in
        one run need two labels.
    """

    label: str = ""

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        raise NotImplementedError

    @property
    def shown(self) -> str:
        """The label, or else the model's name."""
        return self.label or self.name

    @property
    def windows(self) -> frozenset[str]:
        """Names of the path columns that the model reads beyond ``k`` and ``n``."""
        return frozenset()

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' own columns that the model reads."""
        return frozenset()

    @property
    def parts(self) -> int:
        """How many times the path's length the shares' denominator can be."""
        return 1

    def prepare(self, prefix: str) -> list[dict[str, nw.Expr]]:
        """Give columns, named from `prefix`, that the model reads more than once, stage by stage.

        An expression that is used twice inside another doubles the query; a column does not.
        """
        return []


@dataclass(frozen=True, kw_only=True)
class RuleModel(Model):
    """A model whose shares are fractions known from positions alone."""

    def cut(self, prefix: str) -> Cut:
        """Give the part of the credit that belongs to a row."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class WeightModel(Model):
    """A model that gives each touch a weight between 0 and 1 by itself; shares are in proportion."""

    def weight(self, prefix: str) -> nw.Expr:
        """Give the row's weight, float64, not normalised."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FirstTouch(RuleModel):
    """All credit to the first touch by any contact of the account: what made us known to them.

    Examples
    --------
    >>> FirstTouch().name
    'first-touch'
    """

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return "first-touch"

    def cut(self, prefix: str) -> Cut:
        """Give all to position 1."""
        return Winner(nw.col("k") == 1.0)


@dataclass(frozen=True, kw_only=True)
class LastTouch(RuleModel):
    """All credit to the last touch before the conversion: what closed it."""

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return "last-touch"

    def cut(self, prefix: str) -> Cut:
        """Give all to position n."""
        return Winner(nw.col("k") == nw.col("n"))


@dataclass(frozen=True, kw_only=True)
class LastNonDirect(RuleModel):
    """All credit to the last touch that came through a known channel other than direct.

    A path of direct and unknown touches only goes to its last touch.
    """

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return "last-non-direct"

    @property
    def windows(self) -> frozenset[str]:
        """Names of the path columns read."""
        return frozenset({"known", "known_k", "known_n"})

    def cut(self, prefix: str) -> Cut:
        """Give all to the known touch that has as many known touches up to it as there are in all."""
        last_known = nw.col("known") & (nw.col("known_k") == nw.col("known_n"))
        none_known = (nw.col("known_n") == 0.0) & (nw.col("k") == nw.col("n"))
        return Winner(last_known | none_known)


@dataclass(frozen=True, kw_only=True)
class Linear(RuleModel):
    """The same credit to every touch."""

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return "linear"

    def cut(self, prefix: str) -> Cut:
        """Cut at k/n."""
        return Share(nw.col("k") - 1.0, nw.col("k"), nw.col("n"), exact=True)


@dataclass(frozen=True, kw_only=True)
class TimeDecay(WeightModel):
    """Credit that halves with every half-life between a touch and the last touch of the path.

    Parameters
    ----------
    half_life_days : float
        Days after which a touch counts half, above 1e-10. Web analytics uses 7; a purchase of
        machinery that takes months needs weeks or months. There is no default on purpose.

    Raises
    ------
    ValueError
        For a half-life that is not a positive number.

    Examples
    --------
    >>> TimeDecay(30).name
    'time-decay'
    >>> TimeDecay(0)
    Traceback (most recent call last):
    ...
    ValueError: a half-life of 0 days cannot be; use a positive number, such as 30
    """

    half_life_days: float = field(kw_only=False)

    def __post_init__(self) -> None:
        if not math.isfinite(self.half_life_days) or self.half_life_days * DAY < 1:
            raise ValueError(
                f"a half-life of {self.half_life_days} days cannot be; use a positive number, such as 30"
            )

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return "time-decay"

    @property
    def windows(self) -> frozenset[str]:
        """Names of the path columns read."""
        return frozenset({"last_at"})

    def prepare(self, prefix: str) -> list[dict[str, nw.Expr]]:
        """Give the age in half-lives, then its whole part."""
        age = (nw.col("last_at") - nw.col("at")).cast(nw.Float64)
        # Some engines divide by a constant by multiplying with its reciprocal, others do not: all multiply.
        lives = {f"{prefix}_age": age * (1.0 / (self.half_life_days * DAY))}
        whole = {f"{prefix}_whole": nw.col(f"{prefix}_age").floor().cast(nw.Float64)}
        # 2^-x = 2^-(whole + 1/2) 2^-(x - whole - 1/2): see weight().
        centred = {f"{prefix}_centred": nw.col(f"{prefix}_age") - nw.col(f"{prefix}_whole") - 0.5}
        return [lives, whole, centred]

    def weight(self, prefix: str) -> nw.Expr:
        """Give 2^-age, from the four basic operations and a power of two, which every engine has exactly.

        The library functions exp and pow differ in the last digit from one engine to the next.
        """
        # The second factor of prepare() by its Taylor series, whose next term is below 2e-16.
        terms = [(-math.log(2.0)) ** j / math.factorial(j) for j in range(13)]
        series = nw.lit(terms[-1])
        for term in reversed(terms[:-1]):
            series = series * nw.col(f"{prefix}_centred") + term
        return series * math.sqrt(0.5) * nw.lit(0.5) ** nw.col(f"{prefix}_whole")


@dataclass(frozen=True, kw_only=True)
class Lookup(WeightModel):
    """A fitted model: a weight per channel or campaign, looked up for each touch.

    Parameters
    ----------
    called : str
        Name of the model that was fitted.
    key : str
        The touch's column that is looked up.
    weights : mapping of str to float
        Weight per source, 0 to 1; empty if all weigh `rest`.
    unknown, rest : float, default 0
        Weight of a touch without a source, and of a source that has no weight of its own.
    shared : bool, default False
        Whether the touches of one source in one path share its weight.
    total : bool, default False
        Whether credit by `key` is shared in proportion to the weights over all conversions together.
    """

    called: str
    key: str
    weights: Mapping[str, float] = field(default_factory=dict)
    unknown: float = 0.0
    rest: float = 0.0
    shared: bool = False
    total: bool = False

    @property
    def name(self) -> str:
        """Name of the model that was fitted."""
        return self.called

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' own columns that the model reads."""
        return frozenset({self.key})

    @property
    def windows(self) -> frozenset[str]:
        """Names of the path columns read."""
        return frozenset({f"{self.key}_m"}) if self.shared else frozenset()

    def weight(self, prefix: str) -> nw.Expr:
        """Give the source's weight, or its part of it."""
        known = nw.col(f"{prefix}_looked") if self.weights else nw.lit(self.rest)
        weight = nw.when(nw.col(self.key).is_null()).then(nw.lit(self.unknown)).otherwise(known)
        return weight / whole_column(nw.col(f"{self.key}_m")) if self.shared else weight
