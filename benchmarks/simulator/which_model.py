"""Which model in which world: scores every model in every shipped world at several numbers of deals.

Run with ``python -m benchmarks.simulator.which_model``; it rewrites simulator/which_model.json and, from it,
docs/data/which-model.csv. Everything is seeded: the same code gives the same figures. With names of worlds
only these are run again; ``--nulls`` finds only what rules without a model do, which needs no markets.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from simulator import which_model
from simulator.market import World
from simulator.moves import Move, elsewhere, moves
from simulator.nulls import nulls
from simulator.runs import Mapper, mapper
from simulator.scenario import load, names
from simulator.score import SCORED, Score, compare, credits
from simulator.truth import find
from simulator.write import tables

# Deals in the window, and markets drawn for each: few deals need more markets for a steady mean.
SIZES = {100: 4, 300: 2, 1_000: 1}
POPULATION = 4_000
PERMUTATIONS = 8
# Populations in which the move that is best in the first one is valued again.
ELSEWHERE = 2
TABLE = Path(__file__).parents[2] / "docs" / "data" / "which-model.csv"
FIGURES = Path(which_model.__file__).with_suffix(".json")


def study(name: str, spread: Mapper) -> dict[str, Any]:
    """Score all models in one world against what its campaigns cause in a large population."""
    # Nobody waits at the telephone here: the worlds differ in how campaigns work, not in how calls are
    # answered.
    scenario = load(name, {"desk.reps": 0})
    large = World(scenario, POPULATION, scenario.days, seed=1_000)
    report, gains = known(large, spread)
    margin = report["window"]["margin_minor"]
    per_account = report["window"]["orders"] / POPULATION
    without = rules(large, spread)
    deals: dict[str, dict[str, Any]] = {}
    caused = 0.0
    for size, markets in SIZES.items():
        scores: dict[str, list[Score]] = {model: [] for model in SCORED}
        for seed in range(markets):
            world = World(scenario, math.ceil(size / per_account), scenario.days, seed)
            found = credits(tables(world, spread), SCORED)
            for model, credit in found.items():
                # Shares are what is compared, so a sample's credits are blown up to the population's margin.
                scale = margin / max(1, sum(credit.values()))
                blown = {campaign: round(amount * scale) for campaign, amount in credit.items()}
                scores[model].append(compare(model, blown, report, large, gains))
        caused = scores[SCORED[0]][0].caused
        deals[str(size)] = {model: summary(each, margin) for model, each in scores.items()}
        print(f"{name}: {size} deals done", flush=True)
    return {
        "description": scenario.description,
        "caused": round(caused, 4),
        "nulls": without,
        "deals": deals,
    }


_KNOWN: dict[str, tuple[dict[str, Any], dict[Move, int]]] = {}


def known(large: World, spread: Mapper) -> tuple[dict[str, Any], dict[Move, int]]:
    """Find the truth of a population and what every move of budget gains in it."""
    # What the tracker sees changes nothing that happens: worlds that differ in that alone share their truth.
    world = large.scenario.model_dump_json(exclude={"name", "description", "observer"})
    if world not in _KNOWN:
        players = len(large.campaigns)
        # All coalitions where they are fewer runs than the orders of joining would be.
        exact = 2**players <= PERMUTATIONS * players
        permutations = 0 if exact else PERMUTATIONS
        found = find(large, spread, permutations=permutations, exact_shapley=exact)
        _KNOWN[world] = found.report, _gains(large, spread)
    return _KNOWN[world]


def rules(large: World, spread: Mapper) -> dict[str, dict[str, float | None]]:
    """Say what rules without a model put in the wrong place and lose in a population."""
    report, gains = known(large, spread)
    margin = report["window"]["margin_minor"]
    others = [_gains(elsewhere(large, number), spread) for number in range(1, ELSEWHERE + 1)]
    found = [nulls(large, report, gains, each) for each in others]
    return {
        first.name: {
            "wrong": None if first.total_variation is None else round(first.total_variation, 4),
            "lost": round((first.regret_minor or 0.0) / margin, 4),
            "lost_elsewhere": round(float(np.mean(lost)), 4),
            "lost_elsewhere_se": round(float(np.std(lost, ddof=1) / math.sqrt(len(lost))), 4),
        }
        for first, *more in zip(*found, strict=True)
        for lost in [[(each.regret_elsewhere_minor or 0.0) / margin for each in (first, *more)]]
    }


_GAINS: dict[str, dict[Move, int]] = {}


def _gains(large: World, spread: Mapper) -> dict[Move, int]:
    world = large.scenario.model_dump_json(exclude={"name", "description", "observer"}) + str(large.seed)
    if world not in _GAINS:
        _GAINS[world] = moves(large, spread)
    return _GAINS[world]


def summary(scores: list[Score], margin: float) -> dict[str, float | None]:
    wrong = [each.total_variation for each in scores]
    ranks = [each.rank_agreement for each in scores if each.rank_agreement is not None]
    return {
        "wrong": round(float(np.mean(wrong)), 4),
        "wrong_se": round(float(np.std(wrong, ddof=1) / math.sqrt(len(wrong))), 4)
        if len(wrong) > 1
        else None,
        "lost": round(float(np.mean([(each.regret_minor or 0) / margin for each in scores])), 4),
        "ranks": round(float(np.mean(ranks)), 2) if ranks else None,
        "credited": round(float(np.mean([each.credited for each in scores])), 4),
    }


def table(worlds: dict[str, Any]) -> str:
    """Write the figures as CSV, a row per world, number of deals and model."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    measures = ("wrong", "wrong_se", "lost", "ranks", "credited")
    writer.writerow(["world", "caused", "deals", "model", *measures])
    for name, world in worlds.items():
        for deals, models in world["deals"].items():
            for model, row in models.items():
                writer.writerow([name, world["caused"], deals, model, *(row[each] for each in measures)])
    return text.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", nargs="*", help="all shipped worlds by default")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--nulls", action="store_true", help="only the rules without a model")
    arguments = parser.parse_args()
    with mapper(arguments.workers) as spread:
        for name in arguments.worlds or names():
            # World by world, so that a run that is broken off keeps what it found.
            keep(name, nulls_only(name, spread) if arguments.nulls else study(name, spread))


def nulls_only(name: str, spread: Mapper) -> dict[str, Any]:
    """Return a world's figures as they stand, with what rules without a model do found anew."""
    scenario = load(name, {"desk.reps": 0})
    held: dict[str, Any] = which_model.study()["worlds"][name]
    return held | {"nulls": rules(World(scenario, POPULATION, scenario.days, seed=1_000), spread)}


def keep(name: str, found: dict[str, Any]) -> None:
    """Write a world's figures into the file, and the table anew."""
    held = json.loads(FIGURES.read_text(encoding="utf-8"))["worlds"] | {name: found}
    # Where everything and nothing is right stand at the ends.
    order = sorted(
        names(), key=lambda each: (each != "one-touch", each == "placebo", each == "supplier", each)
    )
    worlds = {each: held[each] for each in order if each in held}
    figures = {
        "made_by": "python -m benchmarks.simulator.which_model",
        "accounts": POPULATION,
        "permutations": PERMUTATIONS,
        "elsewhere": ELSEWHERE,
        "markets": {str(size): markets for size, markets in SIZES.items()},
        "worlds": worlds,
    }
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    TABLE.write_text(table(worlds), encoding="utf-8")


if __name__ == "__main__":
    main()
