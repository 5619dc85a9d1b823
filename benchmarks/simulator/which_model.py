"""Which model in which world: scores every model in every shipped world at several numbers of deals.

Run with ``python -m benchmarks.simulator.which_model``; it rewrites simulator/which_model.json and, from it,
docs/data/which-model.csv and the table of docs/which-model.md. Everything is seeded: the same code gives the
same figures. With names of worlds only these are run again.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from simulator import which_model
from simulator.chance import Floats
from simulator.expectation import averaged, best_elsewhere
from simulator.market import World
from simulator.moves import Move, elsewhere, moves, worth
from simulator.nulls import nulls
from simulator.runs import mapper
from simulator.scenario import load, names
from simulator.score import SCORED, Score, compare, credits, true_errors
from simulator.truth import find
from simulator.write import tables

# Deals in the window, and markets drawn for each: few deals need more markets for a steady mean.
SIZES = {100: 12, 300: 8, 1_000: 4}
POPULATION = 5_000
PERMUTATIONS = 6
# Populations over which the truth is averaged, and in which moves are found and valued.
TRUTHS, SEEDS = 4, 6
Known = tuple[dict[str, Any] | None, dict[Move, int]]
TABLE = Path(__file__).parents[2] / "docs" / "data" / "which-model.csv"
DOCUMENT = Path(__file__).parents[2] / "docs" / "which-model.md"
# Deals of the table in the document.
OVERVIEW = 100
FIGURES = Path(which_model.__file__).with_suffix(".json")


def study(task: tuple[str, list[Known]]) -> tuple[str, dict[str, Any]]:
    """Score all models in one world against what its campaigns cause in large populations."""
    name, populations = task
    large = _population(name)
    scenario = large.scenario
    found = [report for report, _ in populations if report]
    gains = [moved for _, moved in populations]
    report = found[0] | {"expectation": averaged(found)}
    expected = report["expectation"]
    margin = expected["window"]["margin_minor"]
    found_best = [best_elsewhere(gains, seed) for seed in range(SEEDS)]
    per_account = expected["window"]["orders"] / POPULATION
    deals: dict[str, dict[str, Any]] = {}
    with mapper() as here:
        for size, markets in SIZES.items():
            scores: dict[str, list[Score]] = {model: [] for model in SCORED}
            for seed in range(markets):
                world = World(scenario, math.ceil(size / per_account), scenario.days, seed)
                for model, credit in credits(tables(world, here), SCORED).items():
                    # Shares are compared, so a sample's credits are blown up to the population's margin.
                    scale = report["window"]["margin_minor"] / max(1, sum(credit.values()))
                    blown = {campaign: round(amount * scale) for campaign, amount in credit.items()}
                    scores[model].append(compare(model, blown, report, large))
            deals[str(size)] = {
                model: summary(each, [one.move for one in each], gains, found_best, margin)
                for model, each in scores.items()
            }
    return name, {
        "description": scenario.description,
        "caused": round(expected["incremental"]["margin_minor"] / margin, 4),
        "caused_se": round(expected["incremental"]["margin_minor_se"] / margin, 4),
        "truth_se": round(max((true_errors(report) or {}).values(), default=0.0) / margin, 4),
        "nulls": rules(large, report, gains, found_best, margin),
        "deals": deals,
    }


def _population(name: str, number: int = 0) -> World:
    # Nobody waits at the telephone here: the worlds differ in how campaigns work, not in how calls are
    # answered.
    scenario = load(name, {"desk.reps": 0})
    large = World(scenario, POPULATION, scenario.days, seed=1_000)
    return elsewhere(large, number) if number else large


def known(task: tuple[str, int]) -> Known:
    """Find the truth of a world in one population, if it is one of the first, and what every move gains."""
    name, number = task
    world = _population(name, number)
    players = len(world.campaigns)
    # All coalitions where they are fewer runs than the orders of joining would be.
    exact = 2**players <= PERMUTATIONS * players
    with mapper() as here:
        report = None
        if number < TRUTHS:
            permutations = 0 if exact else PERMUTATIONS
            report = find(world, here, permutations=permutations, exact_shapley=exact, causes=False).report
        return report, moves(world, here)


def rules(
    large: World,
    report: dict[str, Any],
    gains: list[dict[Move, int]],
    found_best: list[float],
    margin: float,
) -> dict[str, dict[str, float | None]]:
    """Say what rules without a model put in the wrong place, gain and lose; and what the best move gains."""
    wrong = {each.name: each.total_variation for each in nulls(large, report)}
    average = [sum(each.values()) / len(each) if each else 0.0 for each in gains]
    none = [0.0] * SEEDS
    return {
        name: {"wrong": _rounded(wrong.get(name))} | _money([own], found_best, margin)
        for name, own in (("leave", none), ("random", average), ("spend", none), ("best", found_best))
    }


def summary(
    scores: list[Score],
    advised: Sequence[Move | None],
    gains: list[dict[Move, int]],
    found_best: list[float],
    margin: float,
) -> dict[str, float | None]:
    """Summarise a model over the markets drawn."""
    wrong = np.array([each.total_variation for each in scores])
    ranks = [each.rank_agreement for each in scores if each.rank_agreement is not None]
    gained = [[worth(each, move) for each in gains] for move in advised]
    return {
        "wrong": _rounded(float(wrong.mean())),
        "wrong_se": _rounded(_error(wrong)),
        **_money(gained, found_best, margin),
        "ranks": round(float(np.mean(ranks)), 2) if ranks else None,
        "credited": _rounded(float(np.mean([each.credited for each in scores]))),
    }


def _money(gained: list[list[float]], found_best: list[float], margin: float) -> dict[str, float | None]:
    """Return gain over leaving and loss against the best move, with errors over markets and populations."""
    own = np.array(gained) / margin
    lost = np.array(found_best) / margin - own
    return {
        "gain": _rounded(float(own.mean())),
        "gain_se": _rounded(_error_both(own)),
        "lost": _rounded(float(lost.mean())),
        "lost_se": _rounded(_error_both(lost)),
    }


def _error(column: Floats) -> float:
    return float(column.std(ddof=1) / math.sqrt(len(column))) if len(column) > 1 else 0.0


def _error_both(table: Floats) -> float:
    return math.hypot(_error(table.mean(axis=0)), _error(table.mean(axis=1)))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def table(worlds: dict[str, Any]) -> str:
    """Write the figures as CSV, a row per world, number of deals and model or rule without one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    measures = ("wrong", "wrong_se", "gain", "gain_se", "lost", "lost_se", "ranks", "credited")
    writer.writerow(["world", "caused", "deals", "model", *measures])
    for name, world in worlds.items():
        for deals, models in world["deals"].items():
            rules = {f"({rule})": row for rule, row in world["nulls"].items()}
            for model, row in {**models, **rules}.items():
                writer.writerow([name, world["caused"], deals, model, *(row.get(each) for each in measures)])
    return text.getvalue()


def overview(deals: int) -> str:
    """Write the table of the document: every model and every rule without one, with so many deals."""
    models, rules = which_model.trust(deals), which_model.rules()
    beats, worlds = which_model.worlds_better_than_leaving(deals), len(which_model.study()["worlds"]) - 1
    rows = [
        (
            each.model + (" *" if each.near else ""),
            _percent(each.mean.wrong, each.mean.wrong_se),
            _percent(each.worst.wrong),
            _percent(each.mean.gain, each.mean.gain_se),
            _percent(each.usual.wrong, each.usual.wrong_se),
            _percent(each.usual.gain, each.usual.gain_se),
            f"{beats[each.model]} of {worlds}",
        )
        for each in models
    ]
    words = {
        "leave": "*leave the budget*",
        "random": "*a random move*",
        "spend": "*by share of spend*",
        "best": "*best move, found elsewhere*",
    }
    rows += [
        (
            words[rule.name],
            "–" if rule.mean_wrong is None else _percent(rule.mean_wrong),
            "–" if rule.worst_wrong is None else _percent(rule.worst_wrong),
            _percent(rule.mean, rule.mean_se),
            "–" if rule.usual_wrong is None else _percent(rule.usual_wrong),
            _percent(rule.usual, rule.usual_se),
            "–",
        )
        for rule in rules
    ]
    heads = (
        "model",
        "wrong place",
        "in the worst world",
        "gain over leaving",
        "supplier: wrong place",
        "supplier: gain",
        "beats leaving in",
    )
    lines = [f"| {' | '.join(line)} |\n" for line in (heads, *rows)]
    return lines[0] + "|---" * len(heads) + "|\n" + "".join(lines[1:])


def _percent(value: float, error: float = 0.0) -> str:
    return f"{100 * value:.1f}" + (f" ± {100 * error:.1f}" if error else "") + " %"


def main() -> None:
    """Study the worlds and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", nargs="*", help="all shipped worlds by default")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    # What the tracker sees changes nothing that happens: worlds that differ in that alone share their truth.
    alike: dict[str, list[str]] = {}
    for name in arguments.worlds or names():
        key = load(name).model_dump_json(exclude={"name", "description", "observer"})
        alike.setdefault(key, []).append(name)
    # The supplier's market takes longest.
    groups = sorted(alike.values(), key=lambda group: which_model.USUAL not in group)
    begun = time.monotonic()
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        populations = pool.map(known, [(group[0], number) for group in groups for number in range(SEEDS)])
        waiting = []
        for group in groups:
            held = [next(populations) for _ in range(SEEDS)]
            waiting += [pool.submit(study, (name, held)) for name in group]
        for each in waiting:
            name, found = each.result()
            # World by world, so that a run that is broken off keeps what it found.
            keep({name: found})
            print(f"{name}: {(time.monotonic() - begun) / 60:.1f} minutes", flush=True)


def keep(found: dict[str, Any]) -> None:
    """Write worlds' figures into the file, and the table anew."""
    held = json.loads(FIGURES.read_text(encoding="utf-8"))["worlds"] | found
    # Where everything and nothing is right stand at the ends.
    order = sorted(
        names(), key=lambda each: (each != "one-touch", each == "placebo", each == "supplier", each)
    )
    worlds = {each: held[each] for each in order if each in held}
    figures = {
        "made_by": "python -m benchmarks.simulator.which_model",
        "accounts": POPULATION,
        "permutations": PERMUTATIONS,
        "truths": TRUTHS,
        "seeds": SEEDS,
        "markets": {str(size): markets for size, markets in SIZES.items()},
        "worlds": worlds,
    }
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    TABLE.write_text(table(worlds), encoding="utf-8")
    if len(worlds) == len(names()):
        which_model.study.cache_clear()
        text = DOCUMENT.read_text(encoding="utf-8")
        before, _, rest = text.partition("| model |")
        after = rest[rest.index("\n\n") :]
        DOCUMENT.write_text(before + overview(OVERVIEW).rstrip() + after, encoding="utf-8")


if __name__ == "__main__":
    main()
