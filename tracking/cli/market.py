"""A market built from one's own tables on the command line, and which move of budget is good in it."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.evidence import LEAST_DEALS_IN_ALL
from simulator import scenario as scenarios
from simulator.beliefs import QUESTIONS, Beliefs
from simulator.runs import mapper
from tracking.cli import decided
from tracking.cli.installation import Installation, Whole, counted, fail, json_option, pass_installation

if TYPE_CHECKING:
    import pyarrow as pa

    from simulator.advise import Row

_DIRECTORY = click.argument(
    "directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
# What a market built without a table cannot say.
_WITHOUT = {
    "touches": "how many each campaign meets is a guess",
    "answers": "how often callers are asked, and what they answer, is assumed",
    "calls": "everyone is taken to be answered at once",
    "costs": "no budget can be moved, and no meeting is known to be dearer than another",
}
_BETTER = {True: "yes", False: "no", None: "we cannot tell"}


def _tables(directory: Path) -> "dict[str, pa.Table]":
    import pyarrow.parquet as pq

    from attribution import JourneyError, validate
    from simulator.own_reader import TABLES

    paths = [path for name in TABLES if (path := directory / f"{name}.parquet").is_file()]
    if "conversions" not in [path.stem for path in paths]:
        fail(f"{directory} has no conversions.parquet; export the journey tables there as Parquet")
    try:
        return {path.stem: validate(pq.read_table(path), path.stem) for path in paths}
    except JourneyError as error:
        fail(str(error))


@click.command("fit")
@_DIRECTORY
@click.option(
    "--accounts",
    type=Whole(1),
    help="Number of companies in your market (default: twice those seen).",
)
@click.option(
    "--seed", type=Whole(0), default=0, show_default=True, help="Seed; the same seed gives the same result."
)
@click.option(
    "--trials",
    type=Whole(1),
    default=6,
    show_default=True,
    help="Maximum number of optimiser steps.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Scenario file to write."
)
@json_option
@pass_installation
def fit(
    installation: Installation, directory: Path, accounts: int | None, seed: int, trials: int, out: Path
) -> None:
    """Build a market from your own journey tables.

    DIR holds conversions, and of touches, answers, calls and costs what there is, as Parquet. Each value is
    from the data, fitted, or an assumption. Campaign effects cannot be fitted; `market decide` tries many.
    """
    from simulator import fitting, moments, own_file, own_reader

    data = _tables(directory)
    try:
        with mapper() as spread:
            found = fitting.fit(data, spread, accounts=accounts, seed=seed, trials=trials)
    except ValueError as error:
        fail(str(error))
    out.write_text(own_file.as_toml(found.own), encoding="utf-8")
    values = own_file.value_rows(found.own)
    estimates = [
        {
            "parameter": fitting.PARAMETERS[name][0],
            "shift": shift,
            "error": error,
            "identified": "no" if name in found.unidentified else "yes",
        }
        for name, (shift, error) in found.estimates.items()
    ]
    figures = [
        {
            "figure": name,
            "what": (moments.FITTED | moments.HELD_OUT)[name][0],
            "used": used,
            "data": in_data,
            "simulated": simulated if math.isfinite(simulated) else None,
            "off": off if math.isfinite(off) else None,
        }
        for used, group in (("fitted", found.fitted), ("held out", found.held_out))
        for name, (in_data, simulated, off) in group.items()
    ]
    if installation.as_json:
        installation.tell_json(
            {
                "values": values,
                "estimates": estimates,
                "figures": figures,
                "tied": found.tied,
                "left_out": found.left_out,
                "missing": own_reader.missing(data),
                "runs": found.runs,
            }
        )
        return
    heading = {"key": "Value", "value": "Is", "origin": "Where it comes from", "how": "How"}
    taken = [row for row in values if row["origin"] != "assumption" or row["how"]]
    scenario = found.scenario
    installation.show(
        taken,
        heading,
        f"{counted(scenario.accounts, 'company', 'companies')}, {counted(scenario.days, 'day')}, "
        f"{counted(found.own.orders, 'order')}. Wrote {out}; the "
        f"{len(values) - len(taken)} values not listed are assumptions of the scenario supplier.",
    )
    heading = {
        "parameter": "Fitted value",
        "shift": "Shift",
        "error": "Standard error",
        "identified": "Identified",
    }
    for row in estimates:
        row["error"] = fitting.UNTOLD if row["error"] is None else row["error"]
    installation.show(estimates, heading, f"Fitted in {found.runs} simulated markets:")
    heading = {
        "what": "Metric",
        "used": "Use",
        "data": "Data",
        "simulated": "Simulated",
        "off": "Difference (standard errors)",
    }
    installation.show(figures, heading)
    click.echo(_misfits(found.fitted | found.held_out))
    _tell_missing(data)
    for name in found.left_out:
        click.echo(f"Not fitted, since the tables do not tell: {fitting.PARAMETERS[name][0]}.")
    for pair in found.tied:
        click.echo(f"Your data cannot tell {pair[0]} and {pair[1]} apart.")
    for text in own_file.NEVER_IDENTIFIED:
        click.echo(f"Cannot be identified: {text}.")


def _belief(question: str, text: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{question}",
        type=click.Choice(QUESTIONS[question]),
        default=getattr(Beliefs(), question),
        show_default=True,
        help=text,
    )


@click.command("decide")
@_DIRECTORY
@click.argument("market", metavar="MARKET")
@_belief("anyway", "Part of the orders that would come without any advertising.")
@_belief("role", "What campaigns mostly do: open doors, convince step by step, or close.")
@_belief("nothing", "How many campaigns do nothing.")
@click.option(
    "--seed", type=Whole(0), default=1, show_default=True, help="Seed; the same seed gives the same result."
)
@click.option(
    "--draws",
    type=Whole(2),
    default=18,
    show_default=True,
    help="Number of simulated worlds for each family of mechanisms.",
)
@click.option("--workers", type=Whole(1), default=1, show_default=True, help="Number of processes.")
@json_option
@pass_installation
def decide(
    installation: Installation,
    directory: Path,
    market: str,
    anyway: str,
    role: str,
    nothing: str,
    seed: int,
    draws: int,
    workers: int,
) -> None:
    """Find out which move of budget gains margin under most beliefs.

    DIR holds your journey tables as Parquet, MARKET is the file that `market fit` made of them. Every
    model's move and the best found are tried under each family of mechanisms.
    """
    from simulator import advise, fitting, information, own_reader
    from simulator import decide as deciding

    data = _tables(directory)
    try:
        scenario = scenarios.load(Path(market))
        with mapper(workers) as spread:
            trial = deciding.decide(data, scenario, spread, draws=draws + draws % 2, seed=seed)
            figures = fitting.describe(data, scenario, spread)
    except (ValueError, scenarios.ScenarioError) as error:
        fail(str(error))
    advice = advise.advise(trial, Beliefs(anyway, role, nothing))
    others = [advise.advise(trial, each) for each in advice.beliefs.others()]
    effects = information.effects(trial, advice.beliefs)
    differing = information.otherwise(trial, advice.beliefs)
    pauses = information.pauses(trial, advice.beliefs)
    if installation.as_json:
        installation.tell_json(
            {
                "better_than_leaving": advice.better_than_leaving,
                "verdict": advice.verdict,
                "move": advice.row.move if advice.row else None,
                "rows": [_plain(row) for row in advice.rows],
                "weights": advice.weights,
                "misfits": fitting.poor(figures),
                "missing": own_reader.missing(data),
                "beliefs": vars(advice.beliefs),
                "effects": [
                    vars(each)
                    | {
                        end: vars(one.beliefs) | {"mean": one.mean}
                        for end, one in zip(("lowest", "highest"), differing[each.campaign], strict=True)
                    }
                    for each in effects
                ],
                "pauses": [
                    vars(each) | {"gain": vars(each.gain), "worth_it": each.worth_it} for each in pauses
                ],
                "others": [vars(each.beliefs) | {"verdict": each.verdict} for each in others],
                "trial": deciding.as_plain(trial),
            }
        )
        return
    few = (won := _won(data)) < LEAST_DEALS_IN_ALL
    better = "too little to tell" if few else _BETTER[advice.better_than_leaving]
    click.echo(f"Better than leaving the budget: {better}.")
    if few:
        deals = counted(won, "deal")
        click.echo(f"Your data hold {deals}; no move is judged by fewer than {LEAST_DEALS_IN_ALL:.0f}.")
    click.echo(_misfits(figures))
    _tell_missing(data)
    currency = scenario.currency
    if advice.row is None:
        click.echo("Fewer than two campaigns have movable costs and tracked results: no budget can be moved.")
    else:
        decided.show_moves(installation, trial, advice, others, currency, few=few)
    if effects:
        decided.show_effects(installation, effects, differing, advice.beliefs, currency)
    if pauses:
        decided.show_pauses(installation, pauses, currency, few=few)
    for names, why in (
        (trial.fixed, "fixed costs only, such as bookings"),
        (trial.small, "movable costs below the amount"),
        (trial.unpriced, "no cost entered"),
        (trial.untracked, "nothing tracked"),
    ):
        if names:
            click.echo(f"Left out of moves, {why}: {', '.join(names)}.")


def _tell_missing(data: "Mapping[str, pa.Table]") -> None:
    """Say what cannot be told for want of a table."""
    from simulator.own_reader import missing

    for name in missing(data):
        click.echo(f"There are no {name}: {_WITHOUT[name]}.")


def _won(data: "Mapping[str, pa.Table]") -> int:
    """Count the won deals in the tables."""
    table = data["conversions"]
    if "goal" not in table.column_names:
        return int(table.num_rows)
    return sum(goal in ("won", None) for goal in table["goal"].to_pylist())


def _misfits(figures: Mapping[str, tuple[float, float, float]]) -> str:
    """Say in which figures a market does not describe the data."""
    from simulator import fitting, moments

    named = [(moments.FITTED | moments.HELD_OUT)[name][0] for name in fitting.poor(figures)]
    bound = f"{fitting.POOR:.0f} standard errors"
    if not named:
        return f"The market describes your data: no figure is more than {bound} off."
    return f"The market does not describe your data in, more than {bound} off: {'; '.join(named)}."


def _plain(row: "Row") -> dict[str, Any]:
    return {
        "move": row.move,
        "models": row.models,
        "by_family": {family: vars(gain) for family, gain in row.by_family.items()},
        "overall": vars(row.overall),
        "regret": row.regret,
        "supported": row.supported,
        "verdict": row.verdict,
    }
