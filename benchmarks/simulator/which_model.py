"""Which model in which world: scores every model in every shipped world at several numbers of deals.

Run with ``python -m benchmarks.simulator.which_model``; it rewrites the tables in docs/which-model.md and
takes some ten minutes on one core. Everything is seeded: the same code gives the same tables.
"""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

import numpy as np

from simulator.market import World
from simulator.runs import Mapper, mapper
from simulator.scenario import load
from simulator.score import SCORED, Score, compare, credits, moves
from simulator.truth import find
from simulator.write import tables

WORLDS = (
    "one-touch",
    "last-wins",
    "first-opens",
    "slow-drip",
    "relay",
    "offline",
    "forgetful",
    "supplier",
    "placebo",
)
# Deals in the window, and markets drawn for each: few deals need more markets for a steady mean.
SIZES = {100: 6, 300: 4, 1_000: 2, 10_000: 1}
POPULATION = 20_000
LEGEND = (
    "Cells: share of the margin given to the wrong place / margin lost by the move;"
    " the last two columns are for 10,000 deals."
)
DOCUMENT = Path(__file__).parents[2] / "docs" / "which-model.md"


def study(name: str, spread: Mapper) -> tuple[dict[int, dict[str, list[Score]]], float]:
    """Score all models in one world against what its campaigns cause in a large population."""
    # Nobody waits at the telephone here: the worlds differ in how campaigns work, not in how calls are
    # answered.
    scenario = load(name, {"desk.reps": 0})
    large = World(scenario, POPULATION, scenario.days, seed=1_000)
    report = find(large, spread, permutations=16).report
    gains = moves(large, spread)
    margin = report["all_campaigns"]["margin_minor"]
    per_account = report["all_campaigns"]["orders"] / POPULATION
    scores: dict[int, dict[str, list[Score]]] = {}
    for deals, markets in SIZES.items():
        scores[deals] = {model: [] for model in SCORED}
        for seed in range(markets):
            world = World(scenario, math.ceil(deals / per_account), scenario.days, seed)
            found = credits(tables(world, spread), SCORED)
            for model, credit in found.items():
                # Shares are what is compared, so a sample's credits are blown up to the population's margin.
                scale = margin / max(1, sum(credit.values()))
                blown = {campaign: round(amount * scale) for campaign, amount in credit.items()}
                scores[deals][model].append(compare(model, blown, report, large, gains))
        print(f"{name}: {deals} deals done", flush=True)
    return scores, margin


def mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def lost(scores: list[Score], margin: float) -> float:
    return mean([(score.regret_minor or 0) / margin for score in scores])


def table(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in body])


def overview(
    results: dict[str, tuple[dict[int, dict[str, list[Score]]], float]], deals: int, regret: bool
) -> str:
    """Lay out one measure of all models in all worlds; the least of each world is set in bold."""
    rows = [["model", *results]]
    columns = {}
    for name, (scores, margin) in results.items():
        wrong = {model: mean([each.total_variation for each in scores[deals][model]]) for model in SCORED}
        missed = {model: lost(scores[deals][model], margin) for model in SCORED}
        columns[name] = missed if regret else wrong
    for model in SCORED:
        cells = []
        for column in columns.values():
            text = f"{column[model]:.1%}"
            cells.append(f"**{text}**" if column[model] <= min(column.values()) + 0.0005 else text)
        rows.append([model, *cells])
    return table(rows)


def detail(scores: dict[int, dict[str, list[Score]]], margin: float) -> str:
    rows = [["model", *(f"{deals:,} deals" for deals in scores), "agreement of ranks", "given to campaigns"]]
    largest = max(scores)
    for model in SCORED:
        cells = [
            f"{mean([s.total_variation for s in by_model[model]]):.0%} / {lost(by_model[model], margin):.1%}"
            for by_model in scores.values()
        ]
        ranks = mean([s.rank_agreement for s in scores[largest][model] if s.rank_agreement is not None])
        credited = mean([s.credited for s in scores[largest][model]])
        rows.append([model, *cells, "–" if math.isnan(ranks) else f"{ranks:.2f}", f"{credited:.0%}"])
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", nargs="*", default=WORLDS)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with mapper(arguments.workers) as spread:
        results = {name: study(name, spread) for name in arguments.worlds}
    parts = [
        "### Share of the margin given to the wrong place, 1,000 deals",
        overview(results, 1_000, regret=False),
        "### Margin lost by moving a fifth of the budget as the model says, 300 deals",
        overview(results, 300, regret=True),
        "### Margin lost by moving a fifth of the budget as the model says, 10,000 deals",
        overview(results, 10_000, regret=True),
    ]
    for name, (scores, margin) in results.items():
        caused = next(iter(scores[10_000].values()))[0].caused
        parts += [
            f"### {name}",
            f"{load(name).description}. Campaigns really caused {caused:.0%} of the margin. {LEGEND}",
            detail(scores, margin),
        ]
    text = "\n\n".join(parts)
    document = (
        DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else "<!-- tables -->\n<!-- end -->\n"
    )
    document = re.sub(
        r"<!-- tables -->.*<!-- end -->",
        lambda _: f"<!-- tables -->\n\n{text}\n\n<!-- end -->",
        document,
        flags=re.S,
    )
    DOCUMENT.write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
