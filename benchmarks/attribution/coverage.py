"""How often 90 % intervals hold the model's own long-run credit, and how wide they are beside a bootstrap's.

python -m benchmarks.attribution.coverage [--markets 60]

The world is not the simulator's: six channels, paths of random length, a deal worth more after some first
channels. Every market draws its accounts anew; the long run is one market of 100,000 deals.
"""

import argparse

import numpy as np
import pyarrow as pa

from attribution import attribute
from attribution.uncertainty import Draws, draws

MODELS = ["first-touch", "linear", "markov", "shapley-coalitions"]
DEALS = (40, 150, 500)
VALUES = {
    "even (sigma 1)": (1.0, 0.0),
    "uneven (sigma 1.5)": (1.5, 0.0),
    "mixed (1 in 10 is e^2.5 larger)": (1.0, 2.5),
}
CHANNELS = ("fair", "search", "mail", "print", "partner", "social")
BEGIN = (0.30, 0.22, 0.18, 0.14, 0.10, 0.06)
GO_ON = (0.25, 0.20, 0.20, 0.15, 0.10, 0.10)
PULL = (0.30, 0.20, 0.10, 0.20, 0.40, 0.10)
WORTH = (0.6, 0.2, 0.0, -0.2, -0.4, 0.8)
"""Of the first channel: what it adds to the logarithm of the value."""
WON = 0.2


def market(deals: float, law: tuple[float, float], seed: int) -> tuple[pa.Table, pa.Table]:
    """Draw the touches and orders of one market."""
    rng = np.random.default_rng(seed)
    sigma, large = law
    size = rng.poisson(deals / WON)
    length = rng.geometric(0.4, size)
    owner = np.repeat(np.arange(size), length)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    first, later = (rng.choice(len(CHANNELS), len(owner), p=chance) for chance in (BEGIN, GO_ON))
    channel = np.where(place == 0, first, later)
    # Buyers are won by what they met; the pull is scaled so that one in five is.
    odds = 1 - np.multiply.reduceat(1 - np.array(PULL)[channel], np.cumsum(length) - length)
    won = np.flatnonzero(rng.random(size) < odds * WON / odds.mean())
    log = np.array(WORTH)[channel[place == 0]][won] + sigma * rng.normal(size=len(won))
    log += large * (rng.random(len(won)) < 0.1)
    names = [f"a{i}" for i in range(size)]
    at = pa.array(place * 86_400_000_000, pa.timestamp("us", "UTC"))
    account = pa.array(names).take(pa.array(owner))
    touches = pa.table(
        {
            "touch_id": pa.array([f"t{i}" for i in range(len(owner))]),
            "account_id": account,
            "occurred_at": at,
            "campaign": pa.array(CHANNELS).take(pa.array(channel)),
            "channel": pa.array(CHANNELS).take(pa.array(channel)),
            "kind": pa.repeat(pa.scalar("event"), len(owner)),
        }
    )
    orders = pa.table(
        {
            "conversion_id": [names[i] for i in won],
            "account_id": [names[i] for i in won],
            "converted_at": pa.array([10**15] * len(won), pa.timestamp("us", "UTC")),
            "value_minor": pa.array(np.maximum(1, np.rint(np.exp(log) * 100_000)).astype(np.int64)),
            "currency": pa.repeat(pa.scalar("EUR"), len(won)),
        }
    )
    return touches, orders


def bootstrap(touches: pa.Table, orders: pa.Table, seed: int) -> dict[str, tuple[float, float]]:
    """Give the percentile interval of a plain bootstrap, for the first touch, by channel."""
    first = dict(zip(*(reversed(touches[n].to_pylist()) for n in ("account_id", "channel")), strict=True))
    channel = np.array([CHANNELS.index(first[account]) for account in orders["account_id"].to_pylist()])
    times = np.random.default_rng(seed).poisson(1.0, (200, orders.num_rows))
    amount = times * orders["value_minor"].to_numpy()
    sums = np.stack([amount[:, channel == c].sum(axis=1) for c in range(len(CHANNELS))])
    low, high = np.quantile(sums, [0.05, 0.95], axis=1)
    return {name: (low[c], high[c]) for c, name in enumerate(CHANNELS)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--markets", type=int, default=60)
    arguments = parser.parse_args()
    print("| values | deals | model | held | interval, of the long run |\n|---|---|---|---|---|")
    for label, law in VALUES.items():
        large = market(100_000, law, 1_000_000)
        total = large[1].num_rows
        long_run = {
            (row["model"], row["channel"]): row["credit_minor"] / total
            for row in attribute(*large, MODELS, by="channel").to_pylist()
        }
        for deals in DEALS:
            held: dict[str, list[bool]] = {name: [] for name in [*MODELS, "first-touch, plain bootstrap"]}
            width: dict[str, list[float]] = {name: [] for name in held}
            for seed in range(arguments.markets):
                some = market(deals, law, seed)
                found: Draws = draws(*some, MODELS, by="channel", replicates=200, seed=seed)
                ends = {
                    (row["model"], row["channel"]): (row["credit_low"], row["credit_high"])
                    for row in found.intervals(0.9).to_pylist()
                }
                plain = bootstrap(*some, seed)
                ends |= {("first-touch, plain bootstrap", name): plain[name] for name in CHANNELS}
                for (model, name), (low, high) in ends.items():
                    if name not in CHANNELS:
                        continue
                    true = long_run[model.split(",")[0], name] * deals
                    held[model].append(low <= true <= high)
                    width[model].append((high - low) / true)
            for model, mine in held.items():
                print(f"| {label} | {deals} | {model} | {np.mean(mine):.0%} of {len(mine)} "
                      f"| {np.median(width[model]):.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
