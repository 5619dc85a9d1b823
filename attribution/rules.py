"""The rule models: each is one function that gives every touch of a path a whole weight.

A rule sees paths (see `attribution.paths.Paths`): each row's place `k` of `n`, its moment `at`, the names of
its channel, campaign and kind, and where the milestones lie. `attribution.models` lists the rules by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from attribution.credit import Floats, whole
from attribution.paths import DAY, MILESTONES, Paths, Whole

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution.answered import Reported
    from attribution.paths import Journeys

LARGEST_SHARE_SUM = 1000
"""Positions' shares are whole parts of at most this sum: three decimals of a percent are a pretence."""

POSITIONS = ("first", *MILESTONES, "last")


@dataclass(frozen=True, kw_only=True)
class Model:
    """What every model says about itself, and what the kernel asks of it.

    Parameters
    ----------
    label : str, default ""
        The text in the ``model`` column; the model's own name unless given. Two settings of one model in
        one run need two labels.

    Attributes
    ----------
    fitted : bool
        Whether it learns: `count` per set of accounts, `solve` once for the sum of all counts.
    everyone : bool
        Whether it counts accounts that never converted, too.
    listens : bool
        Whether it needs the table of answers.
    """

    label: str = ""
    called: str = field(default="", init=False)
    fitted: ClassVar[bool] = False
    everyone: ClassVar[bool] = False
    listens: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return self.called

    @property
    def shown(self) -> str:
        """The label, or else the model's name."""
        return self.label or self.name

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' columns that the model reads."""
        return frozenset()

    def check(self, setting: str, one: str, other: str) -> None:
        """Refuse a setting that is neither the one nor the other."""
        value = getattr(self, setting)
        if value not in (one, other):
            raise ValueError(f"{setting} is {value!r}; use {one!r} or {other!r}")

    def weigh(self, paths: Paths) -> Whole | None:
        """Give every row a whole weight of zero or more; None if touches get nothing.

        Shares are exact fractions where a path's weights add up to less than 2^26. Weights that are no
        small fractions go through `attribution.credit.whole`.
        """
        raise NotImplementedError

    def scale(self, paths: Paths) -> Floats | None:
        """Give the part of each path that touches share; None is all of it."""
        return None

    def reported(self, journeys: Journeys) -> Reported | None:
        """Give what goes to sources that buyers named; None if the model does not ask them."""
        return None

    def count(self, journeys: Journeys) -> pa.Table:
        """Count what a fitted model learns from, as `attribution.counts.COUNTS`."""
        raise NotImplementedError

    def solve(self, counts: pa.Table) -> Model:
        """Fit to counts; give the model that shares."""
        raise NotImplementedError


@dataclass(frozen=True)
class Rule(Model):
    """A rule without settings.

    Parameters
    ----------
    called : str
        Its name.
    weights : function of Paths
        Gives every row a whole weight.
    columns : frozenset of str, default empty
        The touches' columns that it reads.
    label : str, default ""
        As in `Model`.

    Examples
    --------
    >>> Rule("linear", linear).shown
    'linear'
    """

    called: str = field()
    weights: Callable[[Paths], Whole]
    columns: frozenset[str] = frozenset()

    @property
    def reads(self) -> frozenset[str]:
        """Names of the touches' columns that the rule reads."""
        return self.columns

    def weigh(self, paths: Paths) -> Whole:
        """Give every row a whole weight."""
        return self.weights(paths)


def first_touch(paths: Paths) -> Whole:
    """All credit to the first touch by any contact of the account: what made us known to them."""
    return np.where(paths.k == 1, 1, 0)


def last_touch(paths: Paths) -> Whole:
    """All credit to the last touch before the conversion: what closed it."""
    return np.where(paths.k == paths.n, 1, 0)


def last_non_direct(paths: Paths) -> Whole:
    """All credit to the last touch of a known channel other than direct; if there is none, to the last."""
    tracked = np.array([name not in (None, "direct") for name in paths.of.names["channel"]])
    place = paths.greatest(np.where(tracked[paths.code("channel")], paths.k, 0))
    winner = np.where(place > 0, place, paths.size)
    return np.where(paths.k == winner[paths.path], 1, 0)


def linear(paths: Paths) -> Whole:
    """Give the same credit to every touch."""
    return np.ones(len(paths.path), np.int64)


@dataclass(frozen=True)
class TimeDecay(Model):
    """Credit that halves with every half-life between a touch and the last touch of the path.

    Parameters
    ----------
    half_life_days : float
        Days after which a touch counts half, above 1e-10. Web analytics uses 7; a purchase of
        machinery that takes months needs weeks or months. There is no default on purpose.
    label : str, default ""
        As in `Model`.

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

    half_life_days: float
    called: str = field(default="time-decay", init=False)

    def __post_init__(self) -> None:
        if not math.isfinite(self.half_life_days) or self.half_life_days * DAY < 1:
            raise ValueError(
                f"a half-life of {self.half_life_days} days cannot be; use a positive number, such as 30"
            )

    def weigh(self, paths: Paths) -> Whole:
        """Give 2^-age, the age counted in half-lives from the last touch."""
        age = paths.at[paths.last][paths.path] - paths.at
        return whole(np.exp2(-age * (1.0 / (self.half_life_days * DAY))), paths)


@dataclass(frozen=True)
class Positions(Model):
    """Fixed shares for the touches that hold a position, the rest spread evenly over those between.

    Position-based, U-shaped, W-shaped, full-path, J-shaped and inverse J are settings of this one model;
    see `position_based` and its neighbours for the published figures.

    Parameters
    ----------
    shares : mapping of str to number
        Share of each position held: ``first``, ``lead``, ``qualified``, ``opportunity``, ``last``. Read as
        parts of the whole: 40, 40 and a middle of 20 is the same as 0.4, 0.4 and 0.2. ``lead`` is the last
        touch at or before ``lead_at``, and so on; a milestone before the first touch falls on the first,
        one after a later known milestone on that one's touch. A touch that holds two positions gets both.
    middle : number
        Share of the touches that hold no position, together.
    no_middle : {"proportional", "equal"}, default "proportional"
        Where the middle share goes when every touch holds a position: to the positions in proportion to
        their shares (Adobe Analytics, Mixpanel: J-shaped 25/75 at two touches), or in equal parts to the
        touches (Amplitude: 30/70).
    missing : {"next", "spread"}, default "next"
        What happens to the share of a milestone that is not known: the touch of the next milestone that
        is known takes it, whether or not the model gives that one a share, at the latest the last touch
        (Marketo Measure); or the others take it in proportion.
    called : str, default "custom"
        The model's name in the contract.
    label : str, default ""
        As in `Model`.

    Raises
    ------
    ValueError
        For an unknown position, a negative or infinite share, or nothing but zero shares, or shares so
        finely divided that their common denominator exceeds 1000.

    Examples
    --------
    >>> Positions({"first": 30, "last": 50}, middle=20, label="ours").shown
    'ours'
    >>> Positions({"second": 1}, middle=0)
    Traceback (most recent call last):
    ...
    ValueError: 'second' is not a position; use first, lead, qualified, opportunity, last
    """

    shares: Mapping[str, float | Fraction]
    middle: float | Fraction = field(default=0, kw_only=True)
    no_middle: Literal["proportional", "equal"] = field(default="proportional", kw_only=True)
    missing: Literal["next", "spread"] = field(default="next", kw_only=True)
    called: str = field(default="custom", kw_only=True)

    def __post_init__(self) -> None:
        for position in self.shares:
            if position not in POSITIONS:
                raise ValueError(f"{position!r} is not a position; use {', '.join(POSITIONS)}")
        for share in (*self.shares.values(), self.middle):
            if not math.isfinite(share) or share < 0:
                raise ValueError(f"{share!r} is not a share; use numbers of zero or more")
        self.check("no_middle", "proportional", "equal")
        self.check("missing", "next", "spread")
        if not any((*self.shares.values(), self.middle)):
            raise ValueError("every share is zero; give at least one position a share")
        if self.parts > LARGEST_SHARE_SUM:
            raise ValueError(
                f"the shares have {self.parts} as their common denominator, more than {LARGEST_SHARE_SUM}; "
                "round them to a tenth of a percent"
            )

    @property
    def parts(self) -> int:
        """The shares' common denominator."""
        return sum(self._whole.values())

    @property
    def _whole(self) -> dict[str, int]:
        """Shares as the smallest whole numbers in the same proportion, the middle last."""
        given = {**{p: self.shares[p] for p in POSITIONS if self.shares.get(p)}, "middle": self.middle}
        exact = {name: Fraction(str(share)) for name, share in given.items()}
        scale = math.lcm(*(share.denominator for share in exact.values()))
        numbers = {name: int(share * scale) for name, share in exact.items()}
        divisor = math.gcd(*numbers.values())
        return {name: number // divisor for name, number in numbers.items()}

    def weigh(self, paths: Paths) -> Whole:
        """Give fixed shares times the number of middle touches, and the middle's share to these."""
        parts = self._whole
        middle = parts.pop("middle")
        fixed, holds = np.zeros((2, len(paths.path)), np.int64)
        for position, place in self._places(paths).items():
            if position in parts:
                row = (paths.first + place - 1)[place > 0]
                fixed[row] += parts[position]
                holds[row] = 1
        holders, given = paths.total(holds), paths.total(fixed)
        between = paths.size > holders
        equal = self.no_middle == "equal"
        # Nothing is held and nothing is left for the middle: equal parts are all that remains.
        lesser = np.full_like(holders, middle) if middle else (given == 0).astype(np.int64)
        count = np.where(between, paths.size - holders, holders if equal else 1)
        lesser = np.where(between | equal, lesser, 0)
        others = np.where(between[paths.path], 1 - holds, holds)
        return fixed * count[paths.path] + lesser[paths.path] * others

    def _places(self, paths: Paths) -> dict[str, Whole]:
        """Give for each path the place of every position, from 1; 0 where there is none."""
        places = {"last": paths.size}
        following = paths.size
        # All of them where one holds a share, since the next known one counts.
        for milestone in reversed(MILESTONES) if set(MILESTONES) & set(self._whole) else ():
            reached = paths.reached(milestone)
            known = np.clip(reached, 1, following)
            following = np.where(reached < 0, following, known)
            places[milestone] = np.where(reached < 0, 0, known) if self.missing == "spread" else following
        return places | {"first": np.ones_like(paths.size)}


Options = Any  # the keyword arguments no_middle, missing and label of Positions, passed through


def position_based(first: float = 40, last: float = 40, middle: float = 20, **options: Options) -> Positions:
    """Give 40 % to the first touch, 40 % to the last and 20 % to those between; 50/50 to two touches.

    Examples
    --------
    >>> position_based(30, 50, 20).shares
    {'first': 30, 'last': 50}
    """
    return Positions({"first": first, "last": last}, middle=middle, called="position-based", **options)


def u_shaped(first: float = 40, lead: float = 40, middle: float = 20, **options: Options) -> Positions:
    """Give 40 % to the first touch, 40 % to the one that made the lead, 20 % to the others (HubSpot).

    Marketo Measure publishes 50, 50 and 0.
    """
    return Positions({"first": first, "lead": lead}, middle=middle, called="u-shaped", **options)


def w_shaped(**options: Options) -> Positions:
    """Give 30 % each to the first touch, lead creation and opportunity creation, 10 % to the others."""
    shares = {"first": 30, "lead": 30, "opportunity": 30}
    return Positions(shares, middle=10, called="w-shaped", **options)


def full_path(**options: Options) -> Positions:
    """Give 22.5 % each to first touch, lead, opportunity and last touch, 10 % to the others."""
    shares = {"first": 22.5, "lead": 22.5, "opportunity": 22.5, "last": 22.5}
    return Positions(shares, middle=10, called="full-path", **options)


def j_shaped(**options: Options) -> Positions:
    """Give 20 % to the first touch, 60 % to the last and 20 % to those between.

    Examples
    --------
    >>> j_shaped(no_middle="equal", label="j-shaped, Amplitude").shown
    'j-shaped, Amplitude'
    """
    return Positions({"first": 20, "last": 60}, middle=20, called="j-shaped", **options)


def inverse_j(**options: Options) -> Positions:
    """Give 60 % to the first touch, 20 % to the last and 20 % to those between."""
    return Positions({"first": 60, "last": 20}, middle=20, called="inverse-j", **options)
