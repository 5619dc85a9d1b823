"""Whether the advice of `ringtrail market decide` gains margin in fresh worlds whose truth is known.

A supplier's tables make a market. In each fresh world campaigns work by one family of mechanisms with sizes
from the prior; a market is built from its tables and decided on, with that family left out of the weights;
what the advice, and each model's own move, gains is the mean over seeds that nobody decided by. Of each
campaign's effect the range under the beliefs is held against the truth, with that family and without it.

    python -m benchmarks.simulator.robust [--worlds 14] [--accounts 400] [--workers 2]
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from simulator.advise import advise
from simulator.beliefs import ANYWAY, NOTHING, UNSURE, Beliefs
from simulator.chance import uniform_one
from simulator.decide import gained, try_moves, without_each
from simulator.families import FAMILIES, NONE, sizes, solve
from simulator.information import effects
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
        unsure = Beliefs(UNSURE, UNSURE, UNSURE)
        advice = advise(trial, unsure, without=(family,) if family != NONE else ())
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
        lost = np.mean([without_each(true, accounts, key + 1 + seed, here) for seed in range(SEEDS)], axis=0)
        true_effect = dict(zip(true.campaigns, lost / own.orders, strict=True))
        held = [
            (
                within,
                true_effect[each.campaign],
                each.low / own.orders - 1e-9 <= true_effect[each.campaign] <= each.high / own.orders + 1e-9,
            )
            for within in (True, False)
            for each in effects(trial, unsure, without=() if within else (family,))
        ]

    def worth(move: tuple[str, str] | None) -> float:
        return float(orders[:, place[move]].mean()) / own.orders if move in place else 0.0

    return {
        "family": family,
        "orders": own.orders,
        "verdict": advice.verdict,
        "advised": worth(chosen) if advice.verdict == "do" else 0.0,
        "best found": worth(chosen),
        "random": float(orders.mean()) / own.orders if len(moves) else 0.0,
        "held": held,
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
            print({name: value for name, value in row.items() if name != "held"}, flush=True)
            _coverage(rows)
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


def _coverage(rows: list[dict[str, Any]]) -> None:
    """Print how many ranges hold the true effect, with the standard error over worlds."""
    for within in (True, False):
        for least in (0.0, 0.05):
            shares = [
                [each for inside, effect, each in row["held"] if inside == within and effect >= least]
                for row in rows
            ]
            worlds = [each for each in shares if each]
            count = sum(map(len, worlds))
            if len(worlds) < 2:
                continue
            whole = sum(map(sum, worlds)) / count
            # A world's ranges hold or miss together, so that worlds are what varies.
            gaps = np.array([sum(each) - whole * len(each) for each in worlds])
            error = np.sqrt((gaps**2).sum() * len(gaps) / (len(gaps) - 1)) / count
            print(
                f"{'within the prior' if within else 'family left out'}, effects from {least:.0%} of the "
                f"orders: {whole:.1%} ± {error:.1%} of {count} ranges in {len(worlds)} worlds",
                flush=True,
            )


def _mean(gaps: np.ndarray[Any, Any]) -> str:
    return f"{gaps.mean():+.2f} ± {gaps.std(ddof=1) / np.sqrt(len(gaps)):.2f}"


if __name__ == "__main__":
    main()
