"""Customers who ask for a repeat order by telephone, as the tracker sees them.

They ring the salesperson whom they know, on the main number: such calls take up nobody at the desk.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from simulator.chance import Floats, uniform
from simulator.desk import ANSWERED, CUSTOMER, Calls, talk_seconds
from simulator.hazard import NEVER
from simulator.market import Shard, Week
from simulator.orders import Reorders
from simulator.sources import DIRECT
from simulator.tables import CALL, Touches, call_table

# Above the numbers of all calls that pass the desk; room for 4,096 needs a company and 32 orders each.
_NUMBERS: Final = 2**50


def observe_reorders(shard: Shard, reorders: Reorders) -> tuple[Touches, pa.Table]:
    """Write down the calls in which customers ask for a repeat order.

    Parameters
    ----------
    shard : Shard
        The companies.
    reorders : Reorders
        What they ask for.

    Returns
    -------
    touches : Touches
        One for each reported call, on the main number.
    calls : pyarrow.Table
        ``calls`` of the journey contract.
    """
    world, needs = shard.world, shard.needs
    account = needs.account[reorders.need]
    key = needs.index[reorders.need] * 32 + reorders.repeat
    at = Week(world).wall(reorders.asked_at)

    def draw(concern: str) -> Floats:
        return uniform(world.seed, account, f"again.{concern}", key)

    reported = draw("webhook") >= world.scenario.observer.lost_webhooks
    rows = np.flatnonzero(reorders.by_phone & reported & (at < world.closes))
    person = np.floor(draw("who") * shard.group[needs.owner[reorders.need]]).astype(np.int64)
    zero = np.zeros(len(rows), dtype=np.int64)
    touches = Touches(
        account[rows],
        np.ones(len(rows), dtype=bool),
        person[rows],
        at[rows],
        zero + len(world.campaigns) + DIRECT,
        zero + CALL,
        _NUMBERS + account[rows] * 4096 * 32 + key[rows],
    )
    calls = Calls(
        zero - 1,
        account[rows],
        key[rows],
        zero + CUSTOMER,
        zero,
        at[rows],
        zero + ANSWERED,
        zero,
        talk_seconds(world.scenario.desk, draw("talk")[rows]),
        zero + NEVER,
    )
    everyone = np.arange(len(rows))
    none = np.zeros(len(rows), dtype=bool)
    # A customer who orders again is a good lead, whether we get the order or not.
    return touches, call_table(world, touches, calls, everyone, none, zero + 1, none)
