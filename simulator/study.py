"""A simulated market as a folder: make it with its truth, score models on it, tell how far it is, stop.

This is what a background job calls; the command line calls the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from simulator.expectation import SEEDS, expect, over_seeds
from simulator.market import World
from simulator.runs import Engine, OnProgress, mapper
from simulator.truth import EXACT, find
from simulator.write import write, write_truth

if TYPE_CHECKING:
    from simulator.nulls import Null
    from simulator.score import Score

STEPS: Final = ("tables", "truth", "moves", "models", "intervals")
_REPLICATES: Final = 200
# Orders of joining for Shapley values: with nine campaigns some 95 runs of the market instead of 20.
PERMUTATIONS: Final = 16
TRUTH_FILES: Final = ("truth.json", "truth_deals.parquet")

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Simulated:
    """A market that was written to a folder.

    Attributes
    ----------
    world : World
        What was run.
    rows : dict of str to int
        Rows per table.
    report : dict or None
        What `truth.json` holds; None if no truth was asked for.
    """

    world: World
    rows: dict[str, int]
    report: dict[str, Any] | None


class Scored(NamedTuple):
    """What `score` found: the truth, the models, and the rules without a model that they have to beat."""

    report: dict[str, Any]
    scores: list[Score]
    nulls: list[Null]


def _ignore(_step: str, _share: float) -> None: ...


def _of(step: str, progress: Progress) -> OnProgress:
    return lambda share: progress(step, share)


def _part(on_progress: OnProgress, begins: float, ends: float) -> OnProgress:
    return lambda share: on_progress(begins + (ends - begins) * share)


def simulate(
    world: World,
    directory: Path,
    *,
    truth: Literal["removal", "shapley", "none"] = "shapley",
    permutations: int = PERMUTATIONS,
    seeds: int = 1,
    workers: int = 1,
    engine: Engine = "local",
    progress: Progress = _ignore,
) -> Simulated:
    """Simulate a market into a folder: what its tracker saw, and what each campaign caused.

    Parameters
    ----------
    world : World
        Scenario, companies, days and seed.
    directory : Path
        Where to write; made if need be. Files of the same names are replaced once all of them are whole.
    truth : {"removal", "shapley", "none"}, default "shapley"
        What to find out about each campaign: Shapley values, removals and what each brings alone; the same
        without Shapley values; or nothing.
    permutations : int, default `PERMUTATIONS`
        Orders of joining sampled for Shapley values where campaigns are more than `simulator.truth.EXACT`.
    seeds : int, default 1
        Markets over which the truth is averaged as well, each with its own seed; with 2 or more `truth.json`
        has an ``expectation`` with standard errors, see `simulator.expectation.expect`.
    workers : int, default 1
        Processes, or Spark cores.
    engine : {"local", "spark"}, default "local"
        Where to run it; the files are the same.
    progress : callable, optional
        Is given one of `STEPS` and the share of it done, 0 to 1, in this process. To stop, raise from it: the
        exception comes out of this function, and the folder stays as it was.

    Returns
    -------
    Simulated
        Rows written, and the truth.

    Raises
    ------
    RuntimeError
        If Spark is asked for and pyspark is not installed.
    """
    exact = truth == "shapley" and len(world.campaigns) <= EXACT
    sampled = permutations if truth == "shapley" and not exact else 0
    report = None
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=directory, prefix=".unfinished-") as unfinished:
        folder = Path(unfinished)
        with mapper(workers, engine) as spread:
            rows = write(world, folder, spread, _of("tables", progress))
            if truth != "none":
                on_progress = _part(_of("truth", progress), 0.0, 1.0 / seeds)
                found = find(
                    world,
                    spread,
                    permutations=sampled,
                    exact_shapley=exact,
                    marginal=True,
                    on_progress=on_progress,
                )
                report = found.report
                if seeds > 1:
                    report["expectation"] = expect(
                        world,
                        spread,
                        seeds,
                        permutations=sampled,
                        exact_shapley=exact,
                        first=report,
                        on_progress=_part(_of("truth", progress), 1.0 / seeds, 1.0),
                    )
                write_truth(world, found, folder)
        # A truth from an earlier run would not be that of these tables.
        for name in TRUTH_FILES:
            (directory / name).unlink(missing_ok=True)
        for path in sorted(folder.iterdir()):
            os.replace(path, directory / path.name)
    return Simulated(world, rows, report)


def score(
    directory: Path,
    *,
    lookback_days: float | None = 365.0,
    seeds: int = SEEDS,
    regret: bool = True,
    resampled: bool = False,
    workers: int = 1,
    progress: Progress = _ignore,
) -> Scored:
    """Score every model on a market that `simulate` wrote with its truth.

    Parameters
    ----------
    directory : Path
        Where it was written.
    lookback_days : float or None, default 365
        How far back a touch earns credit, in days.
    seeds : int, default `SEEDS`
        Over how many seeds the truth is averaged and moves are tried, with the market's own; with 1 the truth
        is that of this market alone, and there are no moves.
    regret : bool, default True
        Whether to run the market on every seed again for every move of budget, which takes longest.
    resampled : bool, default False
        Whether to draw the buyers anew, to see how many of each model's 90 % intervals hold the truth.
    workers : int, default 1
        Processes.
    progress : callable, optional
        As for `simulate`, with the steps ``"moves"``, ``"models"`` and ``"intervals"``.

    Returns
    -------
    Scored
        What `truth.json` holds, a score per model with the nearest to the truth first, and the rules without
        a model.

    Raises
    ------
    FileNotFoundError
        If the directory lacks a file; the message says which command writes it.
    """
    # The engine, which simulating does without, takes longer to load than all else here.
    from simulator import score as scoring
    from simulator.coverage import holding, intervals
    from simulator.nulls import nulls

    world, tables, report = scoring.read(directory)
    with mapper(workers) as spread:
        report, gains = over_seeds(
            world, report, spread, seeds, regret=regret, on_progress=_of("moves", progress)
        )
    progress("models", 0.0)
    scores = scoring.score(world, tables, report, lookback_days=lookback_days, gains=gains)
    progress("models", 1.0)
    if resampled:
        true = scoring.true_margin(report)
        for place, each in enumerate(scores):
            ends = intervals(tables, [each.model], _REPLICATES, world.seed, 0.9)
            scores[place] = replace(each, covered=holding(ends, each.model, true))
            progress("intervals", (place + 1) / len(scores))
    return Scored(report, scores, nulls(world, report, gains))
