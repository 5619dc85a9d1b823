"""How fast the simulator is, as ratios within one run, and how much memory it takes.

    python -m benchmarks.simulator.speed command            touches per processor second of the whole command
    python -m benchmarks.simulator.speed touches            against a bare SimPy loop and a plain heap
    python -m benchmarks.simulator.speed workers            two processes against one
    python -m benchmarks.simulator.speed truth --accounts 100000 [--shapley] [--desk]
    python -m benchmarks.simulator.speed memory             peak memory when writing, by number of companies

Rounds alternate, so that a busy machine disturbs both sides alike; the median of the ratios is reported.
"""

import argparse
import heapq
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simpy

from simulator.cycle import Cycle, at_once
from simulator.market import DAY, World, populate
from simulator.runs import SHARD, mapper
from simulator.scenario import load
from simulator.truth import find, values
from simulator.write import tables, write

EIGHT = "webinar"  # left out where eight campaigns are wanted: the supplier has nine


def world(accounts: int, desk: bool = False, seed: int = 1, name: str = "plain") -> World:
    """One year of a market with eight campaigns; with a desk that grows with the market."""
    size = {"desk.reps": max(1, accounts // 1000), "desk.lines": max(2, accounts // 500)}
    scenario = load(name, (size if desk else {"desk.reps": 0}) | {"sales.people": 0})
    kept = {name: campaign for name, campaign in scenario.campaigns.items() if name != EIGHT}
    return World(scenario.model_copy(update={"campaigns": kept}), accounts, 365, seed)


def clock(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def simpy_loop(events: int) -> None:
    """Let a thousand SimPy processes wait and wait again."""
    environment = simpy.Environment()

    def buyer(number: int):
        for step in range(events // 1000):
            yield environment.timeout(1 + (number * 7 + step) % 13)

    for number in range(1000):
        environment.process(buyer(number))
    environment.run()


def heap_loop(events: int) -> None:
    """Turn a heap of a thousand timers: the floor for any event loop in plain Python."""
    timers = [(float(number), number) for number in range(1000)]
    heapq.heapify(timers)
    for step in range(events):
        at, number = heapq.heappop(timers)
        heapq.heappush(timers, (at + 1 + (number * 7 + step) % 13, number))


def course(market: World) -> None:
    """Simulate the market and stop before anything is observed or written."""
    for first in range(0, market.accounts, SHARD):
        cycle = Cycle(populate(market, first, min(SHARD, market.accounts - first)))
        scale = np.ones(len(market.campaigns))
        outcome, _ = cycle.enquire(scale)
        cycle.finish(scale, outcome, at_once(outcome))


def touches(rounds: int, scenario: str) -> None:
    market = world(20_000, name=scenario)
    with mapper() as spread:
        written = tables(market, spread)["touches"].num_rows
        met = sum(len(populate(market, first, 4000).exposures) for first in range(0, 20_000, 4000))
        names = ("simulated", "simulated, observed, in tables", "bare SimPy loop", "plain heap")
        actions = (
            lambda: course(market),
            lambda: tables(market, spread),
            lambda: simpy_loop(met),
            lambda: heap_loop(met),
        )
        times = [[clock(action) for action in actions] for _ in range(rounds)]
    days = market.closes // DAY
    print(f"{market.accounts:,} companies, {days} days: {met:,} meetings, {written:,} touches seen")
    for position, name in enumerate(names):
        took = statistics.median(row[position] for row in times)
        ratio = statistics.median(row[2] / row[position] for row in times)
        print(f"{name}: {took:.2f} s, {met / took:,.0f} events/s, {ratio:.2f} times bare SimPy")


def workers(rounds: int) -> None:
    market = world(40_000)
    scales = np.ones((64, len(market.campaigns)))
    ratios = []
    with mapper(1) as one, mapper(2) as two:
        values(world(5_000), scales[:2], two)  # both processes have started and imported
        for _ in range(rounds):
            alone = clock(lambda: values(market, scales, one))
            pair = clock(lambda: values(market, scales, two))
            ratios.append(alone / pair)
            print(f"one worker {alone:.2f} s, two {pair:.2f} s, ratio {alone / pair:.2f}", flush=True)
    print(f"two workers are {statistics.median(ratios):.2f} times one; 64 runs of 40,000 companies")


def truth(accounts: int, shapley: bool, desk: bool, processes: int) -> None:
    market = world(accounts, desk)
    with mapper(processes) as spread:
        begin = time.perf_counter()
        report = find(market, spread, exact_shapley=shapley).report
        took = time.perf_counter() - begin
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(
        f"{accounts:,} companies, {len(market.campaigns)} campaigns, {report['runs']} paired runs,"
        f" {'with' if desk else 'without'} a limited desk, {processes} workers: {took:.0f} s;"
        f" peak {own:.2f} GB here, {children:.2f} GB in the largest worker"
    )


def memory() -> None:
    """Write markets of several sizes, each in a process of its own, and report its peak."""
    for accounts in (10_000, 40_000, 160_000):
        code = f"from benchmarks.simulator.speed import write_one; write_one({accounts})"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        print(done.stdout.strip(), flush=True)


def write_one(accounts: int) -> None:
    with tempfile.TemporaryDirectory() as folder, mapper() as spread:
        took = clock(lambda: write(world(accounts), Path(folder), spread))
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{accounts:,} companies written in {took:.1f} s, {size:.0f} MB of files, peak memory {peak:.2f} GB"
    )


def command(rounds: int) -> None:
    """Simulate the supplier's market as shipped, truth included, as users do."""
    for truth in ("removal", "none"):
        speeds = []
        for _ in range(rounds):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            with tempfile.TemporaryDirectory() as folder:
                line = [sys.executable, "-m", "tracking", "simulate", "supplier", "--out", folder]
                done = subprocess.run([*line, "--truth", truth, "--json"], check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            seen = json.loads(done.stdout)["rows"]["touches"]
            speeds.append(seen / took)
            print(f"truth {truth}: {seen:,} touches in {took:.1f} s of processor time", flush=True)
        print(f"truth {truth}: {statistics.median(speeds):,.0f} touches per processor second")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["command", "touches", "workers", "truth", "memory"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--scenario", default="plain", help="for touches; the supplier's has longer cycles")
    parser.add_argument("--shapley", action="store_true")
    parser.add_argument("--desk", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if arguments.what == "command":
        command(arguments.rounds)
    elif arguments.what == "touches":
        touches(arguments.rounds, arguments.scenario)
    elif arguments.what == "workers":
        workers(arguments.rounds)
    elif arguments.what == "truth":
        truth(arguments.accounts, arguments.shapley, arguments.desk, arguments.workers)
    else:
        memory()


if __name__ == "__main__":
    main()
