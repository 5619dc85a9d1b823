"""Whether the advice of `ringtrail market decide` gains margin in fresh worlds whose truth is known.

A supplier's tables make a market. In each fresh world campaigns work by one family of mechanisms with sizes
from the prior; a market is built from its tables and decided on, with that family left out of the weights;
what the advice, and each model's own move, gains is the mean over seeds that nobody decided by. Of each
campaign's effect the range under the beliefs is held against the truth, with that family and without it.

    python -m benchmarks.simulator.robust [--worlds 14] [--first 0] [--accounts 400] [--workers 2]
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from simulator.advise import advise
from simulator.beliefs import ANYWAY, NOTHING, UNSURE, Beliefs
from simulator.chance import uniform_one
from simulator.decide import as_plain, from_plain, try_moves
from simulator.families import FAMILIES, NONE, sizes, solve
from simulator.information import HELD, LARGE, effects
from simulator.market import World
from simulator.moves import tried
from simulator.own import build
from simulator.own_moves import credited
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables

# Seeds by which a move is valued in the true world, and worlds tried per family for the decision: ten go
# through all pairs of answers, as the true worlds do.
SEEDS, DRAWS = 8, 10
# What an order is worth: all are alike, so that gains are counted in orders.
ORDER = 1_000
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


Row = dict[str, Any]


def simulated(number: int, accounts: int) -> Row:
    """Return what was tried for one fresh world, and what moves gain and campaigns cause there, by seed."""
    family = FAMILIES[number % len(FAMILIES)]
    key = 9_000_000 + number
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
        _, margin = credited(data, own.scenario, MODELS)
        worth = own.orders * ORDER
        trial = try_moves(own.scenario, own.orders, worth, margin, here, draws=DRAWS, seed=key)
        amount = trial.amount_minor
        spend = {name: campaign.variable_minor * accounts / 1000 for name, campaign in true.campaigns.items()}
        steps = [
            (giver, taker, amount / max(spend[giver], amount), amount / max(spend[taker], amount))
            for giver, taker in trial.moves
        ]
        found = [tried(World(true, accounts, 365, key + 1 + seed), steps, here) for seed in range(SEEDS)]
    return {
        "family": family,
        "orders": own.orders,
        "trial": as_plain(trial),
        "gained": [each.gained.tolist() for each in found],
        "lost": [dict(zip(true.campaigns, each.lost.tolist(), strict=True)) for each in found],
    }


def judged(row: Row) -> Row:
    """Return what was advised in a world, what it and the models' moves gain there, and which ranges hold."""
    trial, family, orders = from_plain(row["trial"]), row["family"], row["orders"]
    unsure = Beliefs(UNSURE, UNSURE, UNSURE)
    left_out = (family,) if family != NONE else ()
    advice = advise(trial, unsure, without=left_out)
    chosen = advice.row.move if advice.row else None
    gained = np.mean(row["gained"], axis=0) / orders
    place = {move: position for position, move in enumerate(trial.moves)}
    held = [
        {
            "inside": inside,
            "true": (true := float(np.mean([each[effect.campaign] for each in row["lost"]])) / orders),
            "estimate": effect.mean / ORDER / orders,
            "high": effect.high / ORDER / orders,
            "holds": effect.low / ORDER / orders - 1e-9 <= true <= effect.high / ORDER / orders + 1e-9,
        }
        for inside in (True, False)
        for effect in effects(trial, unsure, without=() if inside else (family,))
    ]

    def worth(move: tuple[str, str] | None) -> float:
        return float(gained[place[move]]) if move in place else 0.0

    return {
        "family": family,
        "orders": orders,
        "verdict": advice.verdict,
        "advised": worth(chosen) if advice.verdict == "do" else 0.0,
        "best found": worth(chosen),
        "random": float(gained.mean()) if len(gained) else 0.0,
        "held": held,
    } | {model: worth(trial.by_model.get(model)) for model in MODELS}


def kept(task: tuple[int, int, Path | None]) -> Row:
    """Return what `simulated` does, from a file if it is there."""
    number, accounts, folder = task
    path = folder and folder / f"{accounts}-{number}.json"
    if path and path.exists():
        found: Row = json.loads(path.read_text("utf-8"))
        return found
    row = simulated(number, accounts)
    if path:
        path.write_text(json.dumps(row), "utf-8")
    return row


def main() -> None:
    """Print what was advised in every world and the means over them with paired standard errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=14)
    parser.add_argument("--first", type=int, default=0, help="number of the first world")
    parser.add_argument("--accounts", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder in which worlds once simulated are kept")
    parser.add_argument(
        "--write", action="store_true", help="write how often ranges hold where pages and command read it"
    )
    given = parser.parse_args()
    rows = []
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(given.workers) as pool:
        numbers = range(given.first, given.first + given.worlds)
        tasks = [(number, given.accounts, given.keep) for number in numbers]
        for row in map(judged, pool.map(kept, tasks)):
            rows.append(row)
            print({name: value for name, value in row.items() if name != "held"}, flush=True)
    coverage = _coverage(rows)
    if given.write:
        HELD.write_text(json.dumps(coverage, indent=2) + "\n", "utf-8")
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


def _coverage(rows: list[Row]) -> dict[str, float]:
    """Print how many ranges hold the true effect, with the standard error over worlds; return the shares."""
    told: dict[str, float] = {"markets": len(rows)}
    for within in (True, False):
        for least in (0.0, LARGE):
            shares = [
                [each["holds"] for each in row["held"] if each["inside"] == within and each["true"] >= least]
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
            key = f"{'inside' if within else 'outside'}_{'large' if least else 'all'}"
            told |= {key: round(whole, 4), f"{key}_error": round(float(error), 4), f"{key}_count": count}
            print(
                f"{'within the prior' if within else 'family left out'}, effects from {least:.0%} of the "
                f"orders: {whole:.1%} ± {error:.1%} of {count} ranges in {len(worlds)} worlds",
                flush=True,
            )
    return told


def _mean(gaps: np.ndarray[Any, Any]) -> str:
    return f"{gaps.mean():+.2f} ± {gaps.std(ddof=1) / np.sqrt(len(gaps)):.2f}"


if __name__ == "__main__":
    main()
