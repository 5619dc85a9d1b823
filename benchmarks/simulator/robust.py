"""Whether the advice of `ringtrail market decide` gains margin in fresh worlds whose truth is known.

A supplier's tables make a market. In each fresh world campaigns work by one family of mechanisms with sizes
from the prior; a market is built from its tables and decided on, with that family left out of the weights;
what the advice, and each model's own move, gains is the mean over seeds that nobody decided by.

    python -m benchmarks.simulator.robust [--worlds 14] [--accounts 400] [--workers 2]
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from simulator.advise import advise
from simulator.beliefs import ANYWAY, NOTHING, UNSURE, Beliefs
from simulator.chance import uniform_one
from simulator.decide import gained, try_moves
from simulator.families import FAMILIES, NONE, sizes, solve
from simulator.market import World
from simulator.own import build
from simulator.own_moves import credited
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables

# Seeds by which a move is valued in the true world, and worlds tried per family for the decision.
SEEDS, DRAWS = 8, 6
MODELS = (
    "first-touch",
    "last-touch",
    "linear",
    "position-based",
    "time-decay",
    "self-reported",
    "hybrid",
    "shapley",
)


def one(number: int, accounts: int) -> dict[str, Any]:
    """Return what was advised in one fresh world and what it, and the models' moves, gain there."""
    family = FAMILIES[number % len(FAMILIES)]
    key = 7_000_000 + number
    with mapper() as here:
        base = build(tables(World(load("supplier"), accounts, 365, 50), here), accounts=accounts)
        scenario = base.scenario
        spans = list(ANYWAY.values()), list(NOTHING.values())
        low, high = spans[0][int(3 * uniform_one(key, 1, "anyway"))]
        few, many = spans[1][int(3 * uniform_one(key, 1, "nothing"))]
        anyway = low + (high - low) * uniform_one(key, 2, "anyway")
        strengths = sizes(scenario, family, key, few + (many - few) * uniform_one(key, 2, "nothing"))
        true = solve(
            scenario, family, strengths, anyway, base.orders, here, accounts=accounts, seed=key
        ).scenario
        data = tables(World(true, accounts, 365, key), here)
        own = build(data, accounts=accounts)
        deals, margin = credited(data, own.scenario, MODELS)
        trial = try_moves(own.scenario, own.orders, own.orders, deals, margin, here, draws=DRAWS, seed=key)
        advice = advise(trial, Beliefs(UNSURE, UNSURE, UNSURE), without=(family,) if family != NONE else ())
        chosen = advice.row.move if advice.row else None
        amount = trial.amount_minor
        moves = trial.moves
        spend = {name: campaign.variable_minor * accounts / 1000 for name, campaign in true.campaigns.items()}
        steps = [
            (giver, taker, amount / max(spend[giver], amount), amount / max(spend[taker], amount))
            for giver, taker in moves
        ]
        orders = np.array([gained(true, accounts, key + 1 + seed, steps, here) for seed in range(SEEDS)])
        place = {move: position for position, move in enumerate(moves)}

    def worth(move: tuple[str, str] | None) -> float:
        return float(orders[:, place[move]].mean()) / own.orders if move in place else 0.0

    return {
        "family": family,
        "orders": own.orders,
        "verdict": advice.verdict,
        "advised": worth(chosen) if advice.verdict == "do" else 0.0,
        "best found": worth(chosen),
        "random": float(orders.mean()) / own.orders if len(moves) else 0.0,
    } | {model: worth(trial.by_model.get(model)) for model in MODELS}


def main() -> None:
    """Print what was advised in every world and the means over them with paired standard errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=14)
    parser.add_argument("--accounts", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(given.workers) as pool:
        for row in pool.map(one, range(given.worlds), [given.accounts] * given.worlds):
            rows.append(row)
            print(row, flush=True)
    said = [row for row in rows if row["verdict"] == "do"]
    print(
        f"\n'do' in {len(said)} of {len(rows)} worlds; it gained in {sum(row['advised'] > 0 for row in said)}"
    )
    print("\n| rule | gain, % of the margin | advised less it | best found less it |\n|---|---|---|---|")
    for name in ("advised", "best found", "random", *MODELS):
        own = np.array([row[name] for row in rows]) * 100
        cells = [_mean(own)] + [
            _mean(np.array([row[of] for row in rows]) * 100 - own) if of != name else ""
            for of in ("advised", "best found")
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def _mean(gaps: np.ndarray[Any, Any]) -> str:
    return f"{gaps.mean():+.2f} ± {gaps.std(ddof=1) / np.sqrt(len(gaps)):.2f}"


if __name__ == "__main__":
    main()
