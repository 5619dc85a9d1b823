"""Whether credits tell how strongly a meeting with a campaign works, in worlds where that is known.

In each world campaigns work by one family with sizes from the prior, and the model that is the right reading
in that family credits the orders of its tables. The logarithm of deals credited for each meeting is held
against the logarithm of the true size, both less what a meeting costs; and the true sizes against what they
would be if the credits were a measurement with no error but chance.

    python -m benchmarks.simulator.credits [--worlds 26] [--accounts 1000] [--workers 2]
"""

import argparse
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pyarrow as pa

from simulator.beliefs import ANYWAY, NOTHING
from simulator.chance import uniform_one
from simulator.families import EFFECTIVE, SIGMA, log_prices, meetings, sizes, solve, untracked
from simulator.market import World
from simulator.own import build
from simulator.own_moves import credited
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables

# All orders are alike, so that deals are credited.
ORDER = 1_000
# The right reading of the tables if buyers buy that way. Where the work is unseen, sizes follow from what is
# tracked, and nothing is compared.
RIGHT: Mapping[str, str] = {
    "introduction": "first-touch",
    "last push": "last-touch",
    "committee": "linear",
    "fading": "time-decay",
    "step by step": "position-based",
}


def one(task: tuple[int, int]) -> list[tuple[str, float, float, float]]:
    """Return per campaign with an effect its name, true size, credits for each meeting and their variance."""
    number, accounts = task
    family, key = EFFECTIVE[number % len(EFFECTIVE)], 8_500_000 + number
    if family not in RIGHT:
        return []
    with mapper() as here:
        base = build(tables(World(load("supplier"), accounts, 365, 50), here), accounts=accounts)
        low, high = list(ANYWAY.values())[int(3 * uniform_one(key, 1, "anyway"))]
        few, many = list(NOTHING.values())[int(3 * uniform_one(key, 1, "nothing"))]
        nothing = few + (many - few) * uniform_one(key, 2, "nothing")
        anyway = low + (high - low) * uniform_one(key, 2, "anyway")
        true = sizes(base.scenario, family, key, nothing)
        believed = solve(base.scenario, family, true, anyway, base.orders, here, accounts=400, seed=key)
        data = tables(World(believed.scenario, accounts, 365, key), here)
        own = build(data, accounts=accounts)
        won = data["conversions"]
        place = won.schema.get_field_index("margin_minor")
        alike = won.set_column(place, "margin_minor", pa.array([ORDER] * len(won)))
        _, margin = credited(data | {"conversions": alike}, own.scenario, (RIGHT[family],))
    credit, scenario = margin[RIGHT[family]], own.scenario
    met = {name: max(1e-6, meetings(scenario, name)) for name in scenario.campaigns}
    prices = log_prices(scenario, met)
    seen = [name for name in scenario.campaigns if name not in untracked(scenario)]
    # Half a deal each, so that a campaign with none is small and not impossible.
    deals = {name: credit.get(name, 0.0) / ORDER + 0.5 for name in seen}
    rates = {name: np.log(deals[name] / met[name]) for name in seen}
    middle = np.mean(list(rates.values()))
    return [
        (name, np.log(true[name]) - prices[name], rates[name] - middle - prices[name], 1 / deals[name])
        for name in seen
        if true[name]
    ]


def main() -> None:
    """Print how credits and sizes go together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", type=int, default=26)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with ProcessPoolExecutor(given.workers) as pool:
        found = list(pool.map(one, [(number, given.accounts) for number in range(given.worlds)]))
    rows = [row for world in found for row in world]
    size, rate, error = (np.array([row[place] for row in rows]) for place in (1, 2, 3))
    trust = SIGMA**2 / (SIGMA**2 + error)
    beyond = (size - trust * rate) ** 2 / (SIGMA**2 * (1 - trust))
    print(
        f"{len(rows)} campaigns with an effect in {sum(map(bool, found))} markets: correlation of size and "
        f"credits {np.corrcoef(size, rate)[0, 1]:+.2f}; mean square of standardised errors "
        f"{beyond.mean():.1f} if credits are leaned on, {(size**2).mean() / SIGMA**2:.1f} by the prior alone"
    )


if __name__ == "__main__":
    main()
