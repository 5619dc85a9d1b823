"""What is ordered: the order that a won need brings, and the repeat orders that follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.chance import Flags, Floats, Integers, exponential, lognormal, ragged, uniform
from simulator.hazard import NEVER
from simulator.market import DAY, YEAR_DAYS, Shard

# Repeat orders considered per won need; with the smallest sensible chance of leaving more are never reached
# in a window.
_REPEATS: Final = 24


@dataclass(frozen=True)
class Reorders:
    """Repeat orders asked for, one per position, won or lost. Moments are seconds of activity time."""

    need: Integers
    repeat: Integers  # 1 for the first after the order that won the need
    asked_at: Integers
    won: Flags
    by_phone: Flags  # else they leave no trace before the order


@dataclass(frozen=True)
class Orders:
    """Orders, one per position, repeat orders after the first of their need."""

    need: Integers
    repeat: Integers  # 0 for the order that won the need
    at: Integers  # seconds of activity time
    value_minor: Integers
    margin_minor: Integers
    asked_at: Integers  # when a repeat order was asked for by telephone, else NEVER
    reorders: Reorders


def make_orders(shard: Shard, won: Integers, growth: Floats) -> Orders:
    """List all orders up to the end of the world.

    Parameters
    ----------
    shard : Shard
        Companies and needs.
    won : ndarray of int64
        Per need when it was won, `NEVER` if it was not.
    growth : ndarray of float64
        Per need by what share the order is larger than it would be.

    Returns
    -------
    Orders
        First orders in the order of needs, then repeat orders that were won.

    Notes
    -----
    A lost repeat order does not end the relation: the next one may be won.
    """
    needs, seed, ends = shard.needs, shard.world.seed, shard.world.ends
    kinds = list(shard.world.scenario.needs.values())
    rows = np.flatnonzero(won < NEVER)
    account, index, kind = needs.account[rows], needs.index[rows], needs.kind[rows]
    value = lognormal(
        uniform(seed, account, "order.value", index),
        np.array([each.value_minor for each in kinds])[kind],
        np.array([each.value_sigma for each in kinds])[kind],
    )
    value = value * (1.0 + growth[rows])
    leave = np.array([each.repeat_end for each in kinds])[kind]
    rate = np.array([each.repeat_per_year for each in kinds])[kind]
    stays = np.log(uniform(seed, account, "order.stays", index))
    with np.errstate(divide="ignore"):
        again = np.where(rate > 0, np.minimum(_REPEATS, np.floor(stays / np.log1p(-leave))), 0).astype(
            np.int64
        )
    owner, repeat = ragged(again)
    key = index[owner] * _REPEATS + repeat
    gap = exponential(uniform(seed, account[owner], "order.gap", key)) * YEAR_DAYS * DAY / rate[owner]
    gap = np.rint(gap).astype(np.int64) + 1
    total = np.cumsum(gap)
    before = np.concatenate(([0], total))[np.cumsum(again) - again]
    at = won[rows][owner] + total - before[owner]
    # A repeat order varies half as much around the first as first orders do among companies. Assumption.
    spread = np.array([each.value_sigma for each in kinds])[kind] / 2
    worth = value[owner] * lognormal(uniform(seed, account[owner], "order.again", key), 1.0, spread[owner])
    in_time = at < ends
    # Asked for between the order before and this one, at most a quote's time ahead.
    quote = np.array([each.quote_days for each in kinds])[kind][owner] * DAY
    ahead = np.floor(uniform(seed, account[owner], "order.asked", key) * np.minimum(quote, gap)).astype(
        np.int64
    )
    kept = np.array([each.repeat_win for each in kinds])[kind][owner]
    got = uniform(seed, account[owner], "order.kept", key) < kept
    rings = np.array([each.repeat_phone for each in kinds])[kind][owner]
    phone = uniform(seed, account[owner], "order.phone", key) < rings
    reorders = Reorders(*(column[in_time] for column in (rows[owner], repeat + 1, at - ahead, got, phone)))
    theirs = in_time & got
    need = np.concatenate((rows, rows[owner][theirs]))
    minor = np.maximum(1, np.rint(np.concatenate((value, worth[theirs])))).astype(np.int64)
    margin = np.rint(minor * np.array([each.margin for each in kinds])[needs.kind[need]]).astype(np.int64)
    number = np.concatenate((np.zeros(len(rows), dtype=np.int64), repeat[theirs] + 1))
    asked = np.where(phone, at - ahead, NEVER)[theirs]
    return Orders(
        need,
        number,
        np.concatenate((won[rows], at[theirs])),
        minor,
        margin,
        np.concatenate((np.full(len(rows), NEVER), asked)),
        reorders,
    )
