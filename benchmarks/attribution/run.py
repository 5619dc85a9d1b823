"""Measure the engine against DuckDB itself and other engines: ``python -m benchmarks.attribution.run``.

Every task runs in a process of its own, the tasks of a comparison take turns, and the medians are compared:
other work on the machine then hits all alike. RINGTRAIL_PEERS_PYTHON names the interpreter that has the peers
and pyspark installed; by default the one that runs this.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.attribution.data import make

PEERS = os.environ.get("RINGTRAIL_PEERS_PYTHON", sys.executable)


def measure(
    tasks: list[str], folder: Path, size: tuple[int, int, int], runs: int
) -> dict[str, dict[str, float]]:
    files = make(folder, *size)
    found: dict[str, list[dict[str, float]]] = {task: [] for task in tasks}
    for _ in range(runs):
        for task in tasks:
            command = [
                PEERS,
                "-W",
                "ignore",
                "-m",
                "benchmarks.attribution.tasks",
                task,
                str(folder),
                *map(str, files),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
            if done.returncode:
                print(f"{task}: not measured: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
                continue
            found[task].append(json.loads(done.stdout.strip().splitlines()[-1]))
    return {
        task: {
            figure: statistics.median(run[figure] for run in some) for figure in ("seconds", "cpu", "peak_mb")
        }
        for task, some in found.items()
        if some
    }


def show(title: str, results: dict[str, dict[str, float]], against: str) -> None:
    print(f"\n### {title}\n\n| task | seconds | ratio | processor s | ratio | peak MB |")
    print("|---|---|---|---|---|---|")
    base = results.get(against, {})
    for task, figures in results.items():
        pairs = [
            f"{figures[name]:.2f} | {figures[name] / base.get(name, float('nan')):.3g}"
            for name in ("seconds", "cpu")
        ]
        print(f"| {task} | {' | '.join(pairs)} | {figures['peak_mb']:.0f} |", flush=True)


SUITES = {
    "rules": (
        "10 M touches, 250,000 conversions, five rule models",
        ["duckdb join and sort", "ringtrail five rules", "ringtrail five rules, credits to Parquet"],
        (10_000_000, 250_000, 250_000),
        3,
    ),
    "peers": (
        "1.2 M touches, 200,000 journeys, against the Polars peer",
        [
            "ringtrail linear, position, decay, markov",
            "marketing-attribution-models linear, position, decay, markov",
            "marketing-attribution-models linear, position, decay, markov, from Parquet",
            "ringtrail markov",
            "marketing-attribution-models markov",
            "marketing-attribution-models markov, from Parquet",
        ],
        (1_200_000, 200_000, 50_000),
        3,
    ),
    "markov": (
        "378,000 touches, 88,000 journeys, Markov by order",
        [
            "mta-audit markov",
            "mta-audit markov, from Parquet",
            *(f"ringtrail markov order {k}" for k in (1, 2, 3, 4)),
        ],
        (378_000, 88_000, 20_000),
        3,
    ),
    "shapley": (
        "coalition Shapley by number of channels",
        [f"shapley coalitions of {n}" for n in (8, 12, 16, 20)],
        (1_000, 100, 100),
        3,
    ),
    "spark 1 M": (
        "1 M touches, 25,000 conversions, Spark",
        ["ringtrail five rules", "ringtrail five rules on spark"],
        (1_000_000, 25_000, 25_000),
        3,
    ),
    "spark 10 M": (
        "10 M touches, 250,000 conversions, Spark",
        ["ringtrail five rules", "ringtrail five rules on spark"],
        (10_000_000, 250_000, 250_000),
        1,
    ),
    "large, a tenth": (
        "10 M touches, 250,000 conversions, to compare with 100 M",
        ["duckdb join and sort, 10 GB", "ringtrail five rules, 10 GB"],
        (10_000_000, 250_000, 250_000),
        1,
    ),
    "large": (
        "100 M touches, 2.5 M conversions",
        ["duckdb join and sort, 10 GB", "ringtrail five rules, 10 GB"],
        (100_000_000, 2_500_000, 2_500_000),
        1,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "suites", nargs="*", choices=[[], *SUITES], default=[s for s in SUITES if not s.startswith("large")]
    )
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks"))
    arguments = parser.parse_args()
    for suite in arguments.suites:
        title, tasks, size, runs = SUITES[suite]
        show(title, measure(tasks, arguments.folder.resolve(), size, runs), tasks[0])


if __name__ == "__main__":
    main()
