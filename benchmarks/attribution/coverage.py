"""How often 90 % intervals of fitted models hold the model's own long-run credit, refitted and not.

python -m benchmarks.attribution.coverage [--markets 150] [--accounts 150]

Every market draws its accounts anew from the same population, whose journeys are those of the tests. The long
run is the mean over all markets.
"""

import argparse

import numpy as np
from attribution.backends import open_backend
from attribution.results import by_account

from attribution import attribute
from attribution.models import fit, resolve
from attribution.paths import Journeys
from attribution.refit import refits
from attribution.sources import read
from attribution.uncertainty import draw
from tests.attribution.market import market

MODELS = ["linear", "markov", "shapley-coalitions"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--markets", type=int, default=150)
    parser.add_argument("--accounts", type=int, default=150)
    arguments = parser.parse_args()
    chosen = resolve(MODELS)
    points, found = [], []
    for seed in range(arguments.markets):
        some = market(int(np.random.default_rng(seed).poisson(arguments.accounts)), seed)
        points.append(
            {
                (row["model"], row["channel"]): row["credit_minor"]
                for row in attribute(some.touches, some.conversions, chosen, by="channel").to_pylist()
            }
        )
        with open_backend("duckdb") as backend:
            sources = [read(some.touches, "touches"), read(some.conversions, "conversions")]
            journeys = Journeys(backend, sources, None)
            rows = by_account(journeys, [fit(model, journeys) for model in chosen], "channel")
            anew = refits(journeys, chosen, "channel")
        for how, refitted in (("fit kept", {}), ("fitted anew", anew)):
            drawn = draw(rows, MODELS, "channel", 200, seed, refitted=refitted)
            found += [(how, row) for row in drawn.intervals().to_pylist()]
    keys = sorted({key for point in points for key in point})
    long_run = {key: float(np.mean([point.get(key, 0) for point in points])) for key in keys}
    for how in ("fit kept", "fitted anew"):
        for model in MODELS:
            mine = [row for h, row in found if h == how and row["model"] == model]
            held = [
                row["credit_low"] <= long_run[model, row["channel"]] <= row["credit_high"] for row in mine
            ]
            width = np.mean([row["credit_high"] - row["credit_low"] for row in mine])
            print(f"{model}, {how}: {np.mean(held):.1%} of {len(held)}, mean width {width / 100:.0f}")


if __name__ == "__main__":
    main()
