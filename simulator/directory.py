"""Names and telephone numbers for simulated companies and the people in their buying groups.

Names come from Faker, drawn once into a pool, through a keyed choice, so that a company is called the same in
every run.
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

from simulator.chance import Floats, Integers, choose, ragged, uniform
from simulator.market import Shard
from simulator.ranges import ROLES

# First and last names in the list per country.
NAMES: Final = 400


@dataclass(frozen=True)
class Country:
    """Where names, legal forms and telephone numbers come from.

    Attributes
    ----------
    locale : str
        Faker's name for it.
    legal : str
        What stands behind a company's name.
    prefix : str
        What the numbers set aside for fiction begin with.
    first, digits, count : int
        The least number behind the prefix, its digits, and how many numbers there are.
    """

    locale: str
    legal: str
    prefix: str
    first: int
    digits: int
    count: int


# Ranges for fiction: Sweden (PTS), United Kingdom (Ofcom), Germany (Bundesnetzagentur), North America
# (NANPA).
COUNTRIES: Final = (
    Country("sv_SE", "AB", "+467017406", 5, 2, 95),
    Country("en_GB", "Ltd", "+442079460", 0, 3, 1000),
    Country("de_DE", "GmbH", "+493023125", 0, 3, 1000),
    Country("en_US", "Inc", "+1202555", 100, 4, 100),
)
_WEIGHTS: Final = (0.3, 0.2, 0.35, 0.15)


@lru_cache(maxsize=1)
def _names() -> tuple[pa.Array, pa.Array]:
    """Return first and last names, those of the countries after each other."""
    # Here, since whatever draws no names does without the half second that it takes to load.
    from faker import Faker

    first: list[str] = []
    last: list[str] = []
    for country in COUNTRIES:
        faker = Faker(country.locale)
        faker.seed_instance(1)
        first += [faker.first_name() for _ in range(NAMES)]
        # Of "auch Schlauchin", which stands so in a list, a name remains.
        last += [faker.last_name().removeprefix("auch ") for _ in range(NAMES)]
    return pa.array(first), pa.array(last)


@lru_cache(maxsize=1)
def _numbers() -> pa.Array:
    """Return the telephone numbers for fiction, the ranges of the countries after each other."""
    return pa.array(
        f"{each.prefix}{each.first + position:0{each.digits}d}"
        for each in COUNTRIES
        for position in range(each.count)
    )


def _pick(country: Integers, share: Floats) -> Integers:
    return country * NAMES + np.floor(share * NAMES).astype(np.int64)


def _dial(country: Integers, share: Floats) -> pa.Array:
    counts = np.array([each.count for each in COUNTRIES])
    begins = np.cumsum(counts) - counts
    return _numbers().take(pa.array(begins[country] + np.floor(share * counts[country]).astype(np.int64)))


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
    first_names, last_names = _names()
    country = choose(uniform(seed, ids, "name.country"), _WEIGHTS)
    industries, regions, sizes = list(market.industries), list(market.regions), list(market.sizes)
    branch = pa.array(shard.industry)
    trades = pa.array([industry.replace("_", " ").title() for industry in industries])
    legal = pa.array([each.legal for each in COUNTRIES])
    family = last_names.take(pa.array(_pick(country, uniform(seed, ids, "name.company"))))
    accounts = pa.table(
        {
            "account_id": account_ids(ids),
            "name": pc.binary_join_element_wise(
                family, trades.take(branch), legal.take(pa.array(country)), " "
            ),
            "industry": pa.array(industries).take(branch),
            "region": pa.array(regions).take(pa.array(shard.region)),
            "size": pa.array(sizes).take(pa.array(shard.size)),
            "switchboard": _dial(country, uniform(seed, ids, "name.switchboard")),
        }
    )
    owner, person = ragged(shard.group)
    account, land = ids[owner], country[owner]
    given = first_names.take(pa.array(_pick(land, uniform(seed, account, "name.first", person))))
    surname = last_names.take(pa.array(_pick(land, uniform(seed, account, "name.last", person))))
    contacts = pa.table(
        {
            "contact_id": contact_ids(account, person),
            "account_id": account_ids(account),
            "name": pc.binary_join_element_wise(given, surname, " "),
            "role": pa.array(ROLES).take(pa.array(person % len(ROLES))),
            "phone": _dial(land, uniform(seed, account, "name.phone", person)),
        }
    )
    return accounts, contacts
