"""Through which number or link an enquiry arrives, and what its caller says when asked.

The buyer met some campaigns. What the tracker can credit is only the number that was dialled or the link that
was followed: often the material met last, sometimes an old catalogue, sometimes a search for the brand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.chance import Flags, Floats, Integers, choose, exponential, ragged, uniform, words
from simulator.cycle import MODES, PHONE, Enquiries
from simulator.market import DAY, Shard, World

FORM, MESSAGE = MODES.index("form"), MODES.index("message")
# What traffic without a campaign is called in the tables; numbered from the number of campaigns on.
OTHER_CAMPAIGNS: Final = ("(direct)", "(brand search)", "(organic search)", "(never ran)")
OTHER_CHANNELS: Final = ("direct", "brand search", "organic search", "television")
DIRECT, BRAND, ORGANIC, DECOY = range(4)
# Answers that name no campaign: numbered below zero.
INTERNET, COLLEAGUE = -2, -3
# A buyer remembers the campaigns of a year. Assumption.
_MEMORY: Final = 365 * DAY
_BIG: Final = np.int64(2**34)


@dataclass(frozen=True)
class Memory:
    """What the companies behind some enquiries had met: positions of meetings, -1 if none."""

    first: Integers
    last: Integers
    older: Integers
    salient: Integers


def remember(shard: Shard, active: Flags, enquiries: Enquiries) -> Memory:
    """Look up for each enquiry what its company had met in the year before."""
    exposures, seed = shard.exposures, shard.world.seed
    weights = np.array([campaign.salience for campaign in shard.world.scenario.campaigns.values()] or [0.0])
    # What has no weight in memory is neither named nor dialled.
    rows = np.flatnonzero(active & (weights[exposures.campaign] > 0))
    rows = rows[np.lexsort((exposures.campaign[rows], exposures.at[rows], exposures.owner[rows]))]
    keys = exposures.owner[rows] * _BIG + exposures.at[rows]
    owner = enquiries.account - shard.accounts[0]
    begin = np.searchsorted(keys, owner * _BIG + np.maximum(0, enquiries.at - _MEMORY), side="left")
    end = np.searchsorted(keys, owner * _BIG + enquiries.at, side="right")
    count = end - begin
    met = count > 0
    # Each meeting has a lot of its own in each enquiry, so that one more does not draw the others anew.
    enquiry, index = ragged(count)
    position = begin[enquiry] + index
    lot = _lots(shard, rows)[position]
    key = enquiries.key[enquiry]

    def least(draws: Floats) -> Integers:
        found: Integers = begin.copy()
        if met.any():
            lowest = np.minimum.reduceat(draws, (np.cumsum(count) - count)[met])
            drawn = np.flatnonzero(draws == np.repeat(lowest, count[met]))[::-1]
            found[enquiry[drawn]] = position[drawn]
        return found

    older = least(uniform(seed, lot, "see.older", key))
    weight = weights[exposures.campaign[rows[position]]]
    salient = least(exponential(uniform(seed, lot, "see.salient", key)) / weight)

    def meeting(position: Integers) -> Integers:
        found = np.full(len(owner), -1, dtype=np.int64)
        found[met] = rows[position[met]]
        return found

    return Memory(meeting(begin), meeting(end - 1), meeting(older), meeting(salient))


def _lots(shard: Shard, rows: Integers) -> Integers:
    """Return a number for each of some meetings that no other meeting changes."""
    exposures, seed = shard.exposures, shard.world.seed
    lots = np.zeros(len(rows), dtype=np.int64)
    for position, name in enumerate(shard.world.campaigns):
        own = np.flatnonzero(exposures.campaign[rows] == position)
        account, key = exposures.account[rows[own]], exposures.key[rows[own]]
        lots[own] = words(seed, account, f"see.memory.{name}", key).astype(np.int64)
    return lots


def pick(seed: int, account: Integers, concern: str, key: Integers, names: list[str]) -> Integers:
    """Choose for each key one of some names, evenly; a name more takes some choices and changes no others.

    Parameters
    ----------
    seed, account, concern, key
        Whose choice it is, as for `simulator.chance.uniform`.
    names : list of str
        What is chosen from, not empty.

    Returns
    -------
    ndarray of int64
        Positions in `names`.
    """
    draws = [uniform(seed, account, f"{concern}.{name}", key) for name in names]
    return np.asarray(np.argmax(draws, axis=0), dtype=np.int64)


def arrive(shard: Shard, enquiries: Enquiries, memory: Memory) -> Integers:
    """Return through what each enquiry is seen to arrive.

    Parameters
    ----------
    shard : Shard
        The companies.
    enquiries : Enquiries
        First contacts.
    memory : Memory
        What their companies had met.

    Returns
    -------
    ndarray of int64
        Position of the campaign, or the number of campaigns plus a position in `OTHER_CAMPAIGNS`.

    Notes
    -----
    Callers who saw a number on the web site may yet be taken for another visitor: see `simulator.pool`.
    """
    scenario, seed = shard.world.scenario, shard.world.seed
    observer, campaigns = scenario.observer, list(scenario.campaigns.values())
    account, key = enquiries.account, enquiries.key
    nothing = len(campaigns)
    route = observer.via
    weights = (route.material, route.older_material, route.brand_search, route.direct)
    way = choose(uniform(seed, account, "see.way", key), weights)
    number = np.array([*({"own": 0, "pool": 1, "none": 2}[c.number] for c in campaigns), 2])
    linked = np.array(
        [*(c.number == "pool" or (c.response_kind == "visit" and c.response > 0) for c in campaigns), False]
    )
    exposure = np.where(way == 0, memory.last, memory.older)
    named = np.concatenate((shard.exposures.campaign, [nothing]))[exposure]
    source = np.full(len(account), nothing + DIRECT)
    from_material = (way <= 1) & (memory.last >= 0)
    by_phone, by_form, by_message = (enquiries.mode == mode for mode in (PHONE, FORM, MESSAGE))
    carries = (
        (by_phone & (number[named] < 2)) | (by_form & linked[named]) | (by_message & (number[named] == 0))
    )
    source = np.where(from_material & carries, named, source)
    source = np.where((way == 2) & (memory.last >= 0), nothing + BRAND, source)
    unprompted = (memory.last < 0) & (uniform(seed, account, "see.organic", key) < observer.organic_web)
    source = np.where(unprompted, nothing + ORGANIC, source)
    lost = by_form & (uniform(seed, account, "see.form_cookie", key) < observer.cookie_loss)
    return np.where(lost, nothing + DIRECT, source)


def source_names(world: World) -> list[str]:
    """Return the names of campaigns and of traffic without one, by source position."""
    return [*world.campaigns, *OTHER_CAMPAIGNS]


def site_sources(world: World) -> Integers:
    """Return the sources whose visitors come to the web site and are shown a number from the pool."""
    campaigns = list(world.scenario.campaigns.values())
    own = [position for position, campaign in enumerate(campaigns) if campaign.number == "pool"]
    return np.array([*own, len(campaigns) + BRAND, len(campaigns) + ORGANIC], dtype=np.int64)


def tell(shard: Shard, enquiries: Enquiries, memory: Memory) -> tuple[Flags, Flags, Integers]:
    """Return who was asked, who declined, and what the others said.

    Parameters
    ----------
    shard : Shard
        The companies.
    enquiries : Enquiries
        First contacts, all of them taken up.
    memory : Memory
        What their companies had met.

    Returns
    -------
    asked, declined : ndarray of bool
        Whether the rep asked, and whether the caller then declined.
    said : ndarray of int64
        Position of the campaign, the number of campaigns plus `DECOY`, `INTERNET`, `COLLEAGUE`, or -1 for "do
        not know".
    """
    scenario, seed = shard.world.scenario, shard.world.seed
    answers, count = scenario.observer.answers, len(scenario.campaigns)
    account, key = enquiries.account, enquiries.key
    asked = uniform(seed, account, "tell.asked", key) < answers.asked
    declined = asked & (uniform(seed, account, "tell.declined", key) < answers.declined)
    weights = (answers.first, answers.last, answers.salient, answers.internet, answers.decoy, answers.unknown)
    kind = choose(uniform(seed, account, "tell.kind", key), weights)
    campaign = np.concatenate((shard.exposures.campaign, [COLLEAGUE]))
    said = np.select(
        [kind == 0, kind == 1, kind == 2, kind == 3, kind == 4],
        [
            campaign[memory.first],
            campaign[memory.last],
            campaign[memory.salient],
            np.full(len(account), INTERNET),
            np.full(len(account), count + DECOY),
        ],
        default=-1,
    )
    return asked, declined, said
