"""The position models: fixed shares for the first touch, the milestones and the last, the rest between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import narwhals as nw

from attribution.credit import Cut, Share
from attribution.rules import RuleModel

LARGEST_SHARE_SUM = 1000
"""Positions' shares are whole parts of at most this sum: three decimals of a percent are a pretence."""

POSITIONS = ("first", "lead", "qualified", "opportunity", "last")


@dataclass(frozen=True, kw_only=True)
class Positions(RuleModel):
    """Fixed shares for the touches that hold a position, the rest spread evenly over those between.

    Position-based, U-shaped, W-shaped, full-path, J-shaped and inverse J are settings of this one model;
    see `position_based` and its neighbours for the published figures.

    Parameters
    ----------
    shares : mapping of str to number
        Share of each position held: ``first``, ``lead``, ``qualified``, ``opportunity``, ``last``. Read as
        parts of the whole: 40, 40 and a middle of 20 is the same as 0.4, 0.4 and 0.2. ``lead`` is the last
        touch at or before ``lead_at``, and so on; a milestone before the first touch falls on the first.
        A touch that holds two positions gets both shares.
    middle : number
        Share of the touches that hold no position, together.
    no_middle : {"proportional", "equal"}, default "proportional"
        Where the middle share goes when every touch holds a position: to the positions in proportion to
        their shares (Adobe Analytics, Mixpanel: J-shaped 25/75 at two touches), or in equal parts to the
        touches (Amplitude: 30/70).
    missing : {"next", "spread"}, default "next"
        What happens to the share of a milestone that is not known: the touch of the next milestone that
        is known takes it, at the latest the last touch (Marketo Measure), or the others take it in
        proportion.
    called : str, default "custom"
        The model's name in the contract.

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

    shares: Mapping[str, float | Fraction] = field(kw_only=False)
    middle: float | Fraction = 0
    no_middle: Literal["proportional", "equal"] = "proportional"
    missing: Literal["next", "spread"] = "next"
    called: str = "custom"

    def __post_init__(self) -> None:
        for position in self.shares:
            if position not in POSITIONS:
                raise ValueError(f"{position!r} is not a position; use {', '.join(POSITIONS)}")
        for share in (*self.shares.values(), self.middle):
            if not math.isfinite(share) or share < 0:
                raise ValueError(f"{share!r} is not a share; use numbers of zero or more")
        if self.no_middle not in ("proportional", "equal"):
            raise ValueError(f"no_middle is {self.no_middle!r}; use 'proportional' or 'equal'")
        if self.missing not in ("next", "spread"):
            raise ValueError(f"missing is {self.missing!r}; use 'next' or 'spread'")
        if not any((*self.shares.values(), self.middle)):
            raise ValueError("every share is zero; give at least one position a share")
        if self.parts > LARGEST_SHARE_SUM:
            raise ValueError(
                f"the shares have {self.parts} as their common denominator, more than {LARGEST_SHARE_SUM}; "
                "round them to a tenth of a percent"
            )

    @property
    def name(self) -> str:
        """The model's name in the contract."""
        return self.called

    @property
    def windows(self) -> frozenset[str]:
        """Names of the path columns read."""
        return frozenset(f"{position}_k" for position in self._held if position not in ("first", "last"))

    @property
    def _held(self) -> tuple[str, ...]:
        return tuple(position for position in POSITIONS if self.shares.get(position, 0))

    @property
    def _whole(self) -> dict[str, int]:
        """Shares as the smallest whole numbers in the same proportion."""
        given = {**{position: self.shares[position] for position in self._held}, "middle": self.middle}
        exact = {name: Fraction(str(share)) for name, share in given.items()}
        scale = math.lcm(*(share.denominator for share in exact.values()))
        whole = {name: int(share * scale) for name, share in exact.items()}
        divisor = math.gcd(*whole.values())
        return {name: share // divisor for name, share in whole.items()}

    @property
    def parts(self) -> int:
        """How many times the path's length the shares' denominator can be."""
        return sum(self._whole.values())

    def prepare(self, prefix: str) -> list[dict[str, nw.Expr]]:
        """Give the place of each milestone, then what is fixed and who holds a position up to each touch."""
        places: dict[str, nw.Expr] = {}
        following = nw.col("n")
        for position in reversed(self._held):
            if position in ("first", "last"):
                continue
            place = _between(nw.lit(1.0), nw.col(f"{position}_k"), following)
            places[f"{prefix}_{position}"] = (
                nw.when(nw.col(f"{position}_at").is_null()).then(following).otherwise(place)
            )
            following = places[f"{prefix}_{position}"]
        zero, k, n = nw.lit(0.0), nw.col("k"), nw.col("n")
        whole, before = self._whole, nw.lit(0.0)
        reached: dict[str, list[tuple[nw.Expr, nw.Expr]]] = {"fixed": [], "held": []}
        for position in self._held:
            place, present = self._place(position, prefix), self._present(position)
            new = _flag(place > before)
            share = nw.lit(float(whole[position]))
            if present is not None:
                new = nw.when(present).then(new).otherwise(zero)
                share = nw.when(present).then(share).otherwise(zero)
            reached["fixed"].append((place, share))
            reached["held"].append((place, new))
            before = place if present is None else nw.when(present).then(place).otherwise(before)
        sums = {
            f"{prefix}_{name}_{end}": _sum_up_to(terms, limit)
            for name, terms in reached.items()
            for end, limit in (("before", k - 1.0), ("after", k), ("all", n))
        }
        return [places, sums] if places else [sums]

    def cut(self, prefix: str) -> Cut:
        """Cut at (fixed shares up to k) + (middle touches up to k) x middle share / (middle touches)."""
        k, n, one, zero = nw.col("k"), nw.col("n"), nw.lit(1.0), nw.lit(0.0)
        fixed, held = f"{prefix}_fixed", f"{prefix}_held"
        holders = nw.col(f"{held}_all")
        between = n > holders
        rest = nw.lit(float(self._whole["middle"]))
        if not self._whole["middle"]:
            # Nothing is held and nothing is left for the middle: equal parts are all that remains.
            rest = nw.when(nw.col(f"{fixed}_all") == zero).then(one).otherwise(zero)
        alone = (holders, rest) if self.no_middle == "equal" else (one, zero)
        count = nw.when(between).then(n - holders).otherwise(alone[0])
        lesser = nw.when(between).then(rest).otherwise(alone[1])

        def cumulative(end: str, reached: nw.Expr) -> nw.Expr:
            taken = nw.col(f"{held}_{end}")
            others = nw.when(between).then(reached - taken).otherwise(taken)
            return nw.col(f"{fixed}_{end}") * count + lesser * others

        total = (nw.col(f"{fixed}_all") + lesser) * count
        return Share(cumulative("before", k - one), cumulative("after", k), total, exact=True)

    def _place(self, position: str, prefix: str) -> nw.Expr:
        if position == "first":
            return nw.lit(1.0)
        return nw.col("n") if position == "last" else nw.col(f"{prefix}_{position}")

    def _present(self, position: str) -> nw.Expr | None:
        """Tell where a position exists; None where it always does."""
        if self.missing == "next" or position in ("first", "last"):
            return None
        return ~nw.col(f"{position}_at").is_null()


def _sum_up_to(terms: list[tuple[nw.Expr, nw.Expr]], limit: nw.Expr) -> nw.Expr:
    total = nw.lit(0.0)
    for place, amount in terms:
        total = total + nw.when(place <= limit).then(amount).otherwise(nw.lit(0.0))
    return total


def _flag(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(1.0)).otherwise(nw.lit(0.0))


def _between(low: nw.Expr, value: nw.Expr, high: nw.Expr) -> nw.Expr:
    return nw.when(value > high).then(high).when(value < low).then(low).otherwise(value)


Options = Any  # the keyword arguments no_middle, missing and label of Positions, passed through


def position_based(first: float = 40, last: float = 40, middle: float = 20, **options: Options) -> Positions:
    """Give 40 % to the first touch, 40 % to the last and 20 % to those between.

    Parameters
    ----------
    first, last, middle : float, default 40, 40, 20
        Shares, as parts of their sum.
    **options
        ``no_middle`` and ``label`` as in `Positions`. Two touches get 50/50 under either rule.

    Returns
    -------
    Positions
        The configured model.

    Examples
    --------
    >>> position_based(30, 50, 20).shares
    {'first': 30, 'last': 50}
    """
    return Positions({"first": first, "last": last}, middle=middle, called="position-based", **options)


def u_shaped(first: float = 40, lead: float = 40, middle: float = 20, **options: Options) -> Positions:
    """Give 40 % to the first touch, 40 % to the one that made the lead, 20 % to the others (HubSpot).

    Parameters
    ----------
    first, lead, middle : float, default 40, 40, 20
        Shares, as parts of their sum. Marketo Measure publishes 50, 50 and 0.
    **options
        ``no_middle``, ``missing`` and ``label`` as in `Positions`.

    Returns
    -------
    Positions
        The configured model.

    Examples
    --------
    >>> u_shaped(50, 50, 0, label="u-shaped, Marketo").middle
    0
    """
    return Positions({"first": first, "lead": lead}, middle=middle, called="u-shaped", **options)


def w_shaped(**options: Options) -> Positions:
    """Give 30 % each to the first touch, lead creation and opportunity creation, 10 % to the others.

    Parameters
    ----------
    **options
        ``no_middle``, ``missing`` and ``label`` as in `Positions`.

    Returns
    -------
    Positions
        The configured model.

    Examples
    --------
    >>> w_shaped().parts
    10
    """
    shares = {"first": 30, "lead": 30, "opportunity": 30}
    return Positions(shares, middle=10, called="w-shaped", **options)


def full_path(**options: Options) -> Positions:
    """Give 22.5 % each to first touch, lead, opportunity and last touch, 10 % to the others.

    Parameters
    ----------
    **options
        ``no_middle``, ``missing`` and ``label`` as in `Positions`.

    Returns
    -------
    Positions
        The configured model.

    Examples
    --------
    >>> full_path().parts
    40
    """
    shares = {"first": 22.5, "lead": 22.5, "opportunity": 22.5, "last": 22.5}
    return Positions(shares, middle=10, called="full-path", **options)


def j_shaped(**options: Options) -> Positions:
    """Give 20 % to the first touch, 60 % to the last and 20 % to those between.

    Parameters
    ----------
    **options
        ``no_middle`` and ``label`` as in `Positions`.

    Returns
    -------
    Positions
        The configured model.

    Examples
    --------
    >>> j_shaped(no_middle="equal", label="j-shaped, Amplitude").shown
    'j-shaped, Amplitude'
    """
    return Positions({"first": 20, "last": 60}, middle=20, called="j-shaped", **options)


def inverse_j(**options: Options) -> Positions:
    """Give 60 % to the first touch, 20 % to the last and 20 % to those between.

    Parameters
    ----------
    **options
        ``no_middle`` and ``label`` as in `Positions`.

    Returns
    -------
    Positions
        The configured model.

    Examples
    --------
    >>> inverse_j().name
    'inverse-j'
    """
    return Positions({"first": 60, "last": 20}, middle=20, called="inverse-j", **options)
