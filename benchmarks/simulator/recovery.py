"""Whether `ringtrail market fit` finds the values again of markets whose values are known.

Markets of about 100, 300 and 1,000 orders are simulated from one built market with its values shifted, their
tables are fitted, and every estimate that has a standard error is compared with the shift in it (z-scores).

    python -m benchmarks.simulator.recovery [--markets 6] [--workers 2] [--accounts 200 600 2000]
"""

import argparse
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from simulator.fitting import PARAMETERS, fit, shifted
from simulator.market import World
from simulator.own import build
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables

SHIFTS = {"phone": 0.3, "qualify": 0.4, "decision": 0.3, "lifetime": 0.3, "repeat": -0.3, "customers": 0.3}


def logit(share: float) -> float:
    """Return a share on the logistic scale."""
    return float(np.log(share / (1 - share)))


def one(task: tuple[int, int]) -> dict[str, float]:
    """Return the z-score of every value fitted to one market, and of what it found it by."""
    accounts, seed = task
    with mapper() as spread:
        seen = tables(World(load("plain"), accounts, 365, 900), spread)
        known = build(seen, accounts=accounts).scenario
        # Half as many needs, about as many orders as the market it was built from.
        known = shifted(known, SHIFTS | {"needs": -0.7})
        data = tables(World(known, accounts, 365, seed), spread)
        found = fit(data, spread, accounts=accounts, trials=4)
    (true,), (need,) = known.needs.values(), found.scenario.needs.values()
    gaps = {
        "needs": np.log(need.per_year / true.per_year),
        "phone": logit(found.scenario.contact.phone) - logit(known.contact.phone),
        "qualify": logit(need.qualify_rate) - logit(true.qualify_rate),
        "decision": np.log(need.decision_days / true.decision_days),
        "lifetime": np.log(need.lifetime_days / true.lifetime_days),
        "repeat": np.log(need.repeat_per_year / true.repeat_per_year),
        "customers": np.log(found.scenario.desk.customer_calls_per_day / known.desk.customer_calls_per_day),
    }
    errors = {name: error for name, (_, error) in found.estimates.items() if error is not None}
    return {name: float(gaps[name] / error) for name, error in errors.items()} | {
        "orders": float(found.own.orders)
    }


def main() -> None:
    """Print mean and spread of the z-scores per number of orders and value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--accounts", type=int, nargs="+", default=(200, 600, 2000), help="companies")
    given = parser.parse_args()
    print("| orders | value | mean z | root mean square z | beyond 2 |\n|---|---|---|---|---|")
    with ProcessPoolExecutor(given.workers) as pool:
        for accounts in given.accounts:
            rows = list(pool.map(one, [(accounts, 10 + number) for number in range(given.markets)]))
            orders = np.mean([row["orders"] for row in rows])
            for name in PARAMETERS:
                z = np.array([row[name] for row in rows if name in row])
                if len(z):
                    print(
                        f"| {orders:.0f} | {name} | {z.mean():+.2f} | {np.sqrt((z**2).mean()):.2f} |"
                        f" {(np.abs(z) > 2).sum()} of {len(z)} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
