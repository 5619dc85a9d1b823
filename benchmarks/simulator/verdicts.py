"""How often a verdict on a campaign is wrong: where the thresholds of reports.evidence come from.

Run with ``python -m benchmarks.simulator.verdicts``; it prints the tables of docs/verdicts.md. Everything is
seeded: the same code gives the same figures.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from reports import advice, evidence
from reports.advice import PAYS, Verdict, advise
from reports.daily import Activity, credit_by_day
from reports.evidence import Evidence, Standing, connected, coverage, is_campaign
from reports.intervals import resampled
from reports.kpis import Period
from reports.maturity import buying_times, still_to_come
from reports.roi import credited, summed
from simulator.market import World
from simulator.runs import Mapper, mapper
from simulator.scenario import load
from simulator.score import HALF_LIFE_DAYS
from simulator.truth import spend_minor
from simulator.write import tables

MODELS = ("first-touch", "last-touch", "linear", "position-based", "time-decay")
ROBUST = ("position-based", "time-decay", "linear")
SIZES = {60: 80, 100: 60, 300: 30, 1_000: 15}
POPULATION = 30_000
LOOKBACK_DAYS = 365.0


@dataclass(frozen=True)
class Journeys:
    """What the tracker saw of a market, with no cost but those that are tried."""

    touches: pa.Table
    conversions: pa.Table
    costs: pa.Table
    answers: pa.Table
    calls: pa.Table


@dataclass(frozen=True)
class Market:
    """One simulated market and what the models credit in it."""

    journeys: Journeys
    activity: Activity
    rows: pa.Table
    period: Period

    def lines(self, model: str) -> list[dict[str, object]]:
        """Return the lines of a report under a model."""
        daily = {model: credit_by_day(self.rows, self.period.zone)}
        return summed(daily, self.activity, self.period, currency="EUR").to_pylist()


def market(world: World, spread: Mapper) -> Market:
    """Simulate a market and share its orders."""
    seen = tables(world, spread)
    costs = seen["costs"]
    period = Period(
        pc.min(costs["period_start"]).as_py(), pc.max(costs["period_end"]).as_py(), ZoneInfo("UTC")
    )
    journeys = Journeys(
        seen["touches"], seen["conversions"], costs.slice(0, 0), seen["answers"], seen["calls"]
    )
    rows = credited(journeys, MODELS, lookback_days=LOOKBACK_DAYS, half_life_days=HALF_LIFE_DAYS)
    return Market(journeys, Activity.of(journeys, period.zone), rows, period)


def judge(one: Market, models: Sequence[str], costs: dict[str, int]) -> Iterator[tuple[Verdict, Standing]]:
    """Give the verdict on each campaign with such costs, and whether the gate lets it be judged."""
    lines = {model: {line["campaign"]: line for line in one.lines(model)} for model in models}
    deals: dict[str, dict[str, float]] = {}
    for model, found in lines.items():
        for name, line in found.items():
            deals.setdefault(str(name), {})[model] = float(line["deals"])  # type: ignore[arg-type]
    for name in costs:
        for model in models:
            deals.setdefault(name, {}).setdefault(model, 0.0)
    drawn = resampled(dict.fromkeys(models, one.rows), one.period, costs)
    coming = still_to_come(
        buying_times(one.journeys.conversions),
        one.rows,
        models[0],
        one.period,
        one.period.until,
        replicates=50,
    )
    known = Evidence(coverage(lines[models[0]].values()), connected(one.activity.observed, one.period.end))
    for each in advise(drawn, deals, coming.campaigns, known):
        if each.campaign in costs:
            yield each.verdict, each.standing


def long_run(name: str, spread: Mapper) -> tuple[dict[str, dict[str, float]], float]:
    """Return what each model credits each campaign with per order in the long run, and orders a company."""
    scenario = load(name, {"desk.reps": 0})
    large = market(World(scenario, POPULATION, scenario.days, seed=1_000), spread)
    found, orders = {}, 1.0
    for model in MODELS:
        lines = large.lines(model)
        orders = float(next(line["deals"] for line in lines if line["campaign"] == "(total)"))  # type: ignore[arg-type]
        found[model] = {
            str(line["campaign"]): float(line["revenue_minor"]) / orders  # type: ignore[arg-type]
            for line in lines
            if is_campaign(str(line["campaign"])) and line["revenue_minor"]
        }
    return found, orders / POPULATION


@dataclass
class Tally:
    """How many campaigns got which verdict."""

    all: int = 0
    gated: int = 0
    pays: int = 0
    stops: int = 0

    def add(self, found: Iterator[tuple[Verdict, Standing]]) -> None:
        """Count verdicts."""
        for verdict, standing in found:
            self.all += 1
            self.gated += standing is Standing.enough
            self.pays += verdict in PAYS
            self.stops += verdict is Verdict.stop

    def row(self) -> str:
        """Return the line of a table."""

        def part(count: int, of: int) -> str:
            return f"{count / of:.1%}" if of else "-"

        wrong = self.pays + self.stops
        return " | ".join(
            (str(self.all), str(self.gated), part(self.pays, self.all), part(self.stops, self.all),
             part(wrong, self.all), part(self.pays, self.gated))
        )  # fmt: skip


HEAD = "campaigns | past the gate | pays | does not pay | either | pays, of those past the gate"


def returns(name: str, worth: Sequence[float], spread: Mapper, choices: dict[str, Sequence[str]]) -> None:
    """Print the verdicts where each campaign's long-run return on its cost is what is given."""
    known, per_account = long_run(name, spread)
    scenario = load(name, {"desk.reps": 0})
    tallies = {(size, label, each): Tally() for size in SIZES for label in choices for each in worth}
    for size, markets in SIZES.items():
        for seed in range(markets):
            world = World(scenario, math.ceil(size / per_account), scenario.days, seed)
            one = market(world, spread)
            for label, models in choices.items():
                for each in worth:
                    costs = {
                        campaign: round(amount * size / each) for campaign, amount in known[models[0]].items()
                    }
                    tallies[size, label, each].add(judge(one, models, costs))
    print(f"\n{name}: deals | models | back for each 1 spent, in the long run | {HEAD}")
    for (size, label, each), tally in tallies.items():
        print(f"{size} | {label} | {each:g} | {tally.row()}", flush=True)


def face_value(spread: Mapper) -> None:
    """Print what is credited in the world in which campaigns do nothing, at the budgets of the scenario."""
    scenario = load("placebo", {"desk.reps": 0})
    print(f"\nplacebo at its own costs: companies | orders | {HEAD}")
    for accounts in (150, 500, scenario.accounts):
        tally, orders = Tally(), 0.0
        for seed in range(10):
            world = World(scenario, accounts, scenario.days, seed)
            one = market(world, spread)
            spent = {
                name: sum(parts) for name, parts in zip(world.campaigns, spend_minor(world), strict=True)
            }
            orders += float(one.lines("linear")[-1]["deals"]) / 10  # type: ignore[arg-type]
            tally.add(judge(one, ROBUST, spent))
        print(f"{accounts} | {orders:.0f} | {tally.row()}", flush=True)


def thresholds(spread: Mapper) -> None:
    """Print what other thresholds would have given, where all campaigns break even."""
    known, per_account = long_run("placebo", spread)
    scenario = load("placebo", {"desk.reps": 0})
    found: Counter[tuple[float, float, str]] = Counter()
    for size, markets in SIZES.items():
        for seed in range(markets):
            one = market(World(scenario, math.ceil(size / per_account), scenario.days, seed), spread)
            for model in ("first-touch", "last-touch", "linear", "position-based"):
                costs = {campaign: round(amount * size) for campaign, amount in known[model].items()}
                lines = {line["campaign"]: line for line in one.lines(model)}
                drawn = resampled({model: one.rows}, one.period, costs)
                for campaign in costs:
                    deals = float(lines.get(campaign, {"deals": 0.0})["deals"])  # type: ignore[arg-type]
                    chance = drawn.chance(model, campaign, 0.0)
                    for least in (2, 5, 10, 20):
                        for sure in (0.7, 0.8, 0.9, 0.95):
                            found[least, sure, "of"] += deals >= least
                            found[least, sure, "pays"] += deals >= least and chance >= sure
    print("\nleast deals | least chance | campaigns | wrongly said to pay")
    for least, sure, what in sorted(found):
        if what == "of":
            count = found[least, sure, "of"]
            print(f"{least:g} | {sure:g} | {count} | {found[least, sure, 'pays'] / max(count, 1):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=["thresholds", "null", "power", "placebo"], default=None)
    arguments = parser.parse_args()
    print(
        f"least deals {evidence.LEAST_DEALS:g}, in all {evidence.LEAST_DEALS_IN_ALL:g}, least chance "
        f"{advice.SURE:g}, unseen deals {evidence.UNSEEN_DEALS:g}"
    )
    single = {model: (model,) for model in MODELS}
    together = {" + ".join(ROBUST): ROBUST}
    with mapper(arguments.workers) as spread:
        if arguments.only in (None, "thresholds"):
            thresholds(spread)
        if arguments.only in (None, "null"):
            returns("placebo", (1.0,), spread, single | together)
        if arguments.only in (None, "power"):
            returns("plain", (0.2, 0.5, 2.0, 5.0), spread, together)
        if arguments.only in (None, "placebo"):
            face_value(spread)


if __name__ == "__main__":
    main()
