"""Names and telephone numbers for simulated companies and the people in their buying groups.

Names come from Faker's lists through a keyed choice, so that a company is called the same in every run.
Numbers come only from ranges set aside for fiction; there are few of those, so in a large market several
people share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from faker import Faker

from simulator.chance import Integers, choose, ragged, uniform
from simulator.market import Shard

ROLES: Final = ("engineer", "purchasing", "plant manager", "finance", "maintenance")
_POOL: Final = 400


@dataclass(frozen=True)
class _Country:
    locale: str
    legal: str
    prefix: str
    first: int
    digits: int
    count: int


# Ranges for fiction: Sweden (PTS), United Kingdom (Ofcom), Germany (Bundesnetzagentur), North America
# (NANPA).
_COUNTRIES: Final = (
    _Country("sv_SE", "AB", "+467017406", 5, 2, 95),
    _Country("en_GB", "Ltd", "+442079460", 0, 3, 1000),
    _Country("de_DE", "GmbH", "+493023125", 0, 3, 1000),
    _Country("en_US", "Inc", "+1202555", 100, 4, 100),
)
_WEIGHTS: Final = (0.3, 0.2, 0.35, 0.15)


@lru_cache(maxsize=1)
def _pools() -> list[tuple[list[str], list[str]]]:
    pools = []
    for country in _COUNTRIES:
        faker = Faker(country.locale)
        faker.seed_instance(1)
        pools.append(([faker.first_name() for _ in range(_POOL)], [faker.last_name() for _ in range(_POOL)]))
    return pools


def _number(country: int, position: int) -> str:
    where = _COUNTRIES[country]
    return f"{where.prefix}{where.first + position % where.count:0{where.digits}d}"


def account_ids(accounts: Integers) -> pa.Array:
    """Return company ids as they stand in the tables, ``a0``, ``a1``, ..."""
    return pc.binary_join_element_wise("a", pc.cast(pa.array(accounts), pa.string()), "")


def contact_ids(accounts: Integers, person: Integers) -> pa.Array:
    """Return ids of people as they stand in the tables, ``a0-p0``, ``a0-p1``, ..."""
    return pc.binary_join_element_wise(account_ids(accounts), pc.cast(pa.array(person), pa.string()), "-p")


def directory(shard: Shard) -> tuple[pa.Table, pa.Table]:
    """Name the companies of a shard and their people.

    Parameters
    ----------
    shard : Shard
        The companies.

    Returns
    -------
    accounts : pyarrow.Table
        ``account_id``, ``name``, ``industry``, ``region``, ``size``, ``switchboard`` (a number in E.164).
    contacts : pyarrow.Table
        ``contact_id``, ``account_id``, ``name``, ``role``, ``phone`` (a number in E.164).

    Notes
    -----
    Names and numbers may occur more than once; only the ids are unique.
    """
    seed, ids = shard.world.seed, shard.accounts
    market = shard.world.scenario.market
    pools = _pools()
    country = choose(uniform(seed, ids, "name.country"), _WEIGHTS)
    owner_name = np.floor(uniform(seed, ids, "name.company") * _POOL).astype(np.int64)
    industries, regions, sizes = list(market.industries), list(market.regions), list(market.sizes)
    names = [
        f"{pools[land][1][pick]} {industries[branch].replace('_', ' ').title()} {_COUNTRIES[land].legal}"
        for land, pick, branch in zip(
            country.tolist(), owner_name.tolist(), shard.industry.tolist(), strict=True
        )
    ]
    board = np.floor(uniform(seed, ids, "name.switchboard") * 1000).astype(np.int64)
    accounts = pa.table(
        {
            "account_id": account_ids(ids),
            "name": pa.array(names, pa.string()),
            "industry": pa.array(industries).take(pa.array(shard.industry)),
            "region": pa.array(regions).take(pa.array(shard.region)),
            "size": pa.array(sizes).take(pa.array(shard.size)),
            "switchboard": [_number(*pair) for pair in zip(country.tolist(), board.tolist(), strict=True)],
        }
    )
    owner, person = ragged(shard.group)
    account = ids[owner]
    first = np.floor(uniform(seed, account, "name.first", person) * _POOL).astype(np.int64)
    last = np.floor(uniform(seed, account, "name.last", person) * _POOL).astype(np.int64)
    line = np.floor(uniform(seed, account, "name.phone", person) * 1000).astype(np.int64)
    land = country[owner].tolist()
    contacts = pa.table(
        {
            "contact_id": contact_ids(account, person),
            "account_id": account_ids(account),
            "name": [
                f"{pools[c][0][f]} {pools[c][1][name]}"
                for c, f, name in zip(land, first.tolist(), last.tolist(), strict=True)
            ],
            "role": pa.array(ROLES).take(pa.array(person % len(ROLES))),
            "phone": [_number(*pair) for pair in zip(land, line.tolist(), strict=True)],
        }
    )
    return accounts, contacts
