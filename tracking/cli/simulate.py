"""The simulated market on the command line."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from simulator import scenario as scenarios
from simulator import study
from simulator.market import World
from simulator.truth import EXACT
from tracking.cli.installation import Installation, Whole, fail, json_option, pass_installation


def _settings(pairs: Sequence[str]) -> dict[str, object]:
    settings: dict[str, object] = {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        try:
            settings[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            fail(f"--set {pair!r} is not KEY=VALUE with a TOML value, such as desk.reps=4")
    return settings


@click.command("simulate")
@click.argument("scenario", required=False)
@click.option("--list", "listing", is_flag=True, help="List the built-in scenarios.")
@click.option("--accounts", type=Whole(1), help="Number of buying companies (default: from the scenario).")
@click.option(
    "--days",
    type=Whole(1),
    help="Length of the reporting period in days (default: from the scenario).",
)
@click.option(
    "--seed", type=Whole(0), default=1, show_default=True, help="Seed; the same seed gives the same files."
)
@click.option(
    "--workers",
    type=Whole(1),
    default=1,
    show_default=True,
    help="Number of processes, or of Spark cores.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="Where to run the simulation.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Output folder.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the scenario, such as desk.reps=4 (repeatable).",
)
@click.option(
    "--truth",
    type=click.Choice(["removal", "shapley", "none"]),
    default="shapley",
    show_default=True,
    help="How to measure the true effect of each campaign; removal leaves out Shapley values (fewer runs).",
)
@click.option(
    "--permutations",
    type=Whole(2),
    default=study.PERMUTATIONS,
    show_default=True,
    help=f"Number of sampled orders for shapley with more than {EXACT} campaigns.",
)
@click.option(
    "--seeds",
    type=Whole(1),
    default=1,
    show_default=True,
    help="Also average the true effects over this number of seeds, with standard errors.",
)
@json_option
@pass_installation
def simulate(
    installation: Installation,
    scenario: str | None,
    listing: bool,
    accounts: int | None,
    days: int | None,
    seed: int,
    workers: int,
    engine: Any,
    out: Path | None,
    settings: tuple[str, ...],
    truth: Any,
    permutations: int,
    seeds: int,
) -> None:
    """Simulate a market and write both the tracked data and the true effects.

    SCENARIO is a name from --list or a TOML file. The output is the journey tables as Parquet, companies and
    contacts, truth.json with the effect of each campaign, and truth_deals.parquet with a label per deal and
    campaign.
    """
    if listing:
        rows = [{"name": name, "about": scenarios.load(name).description} for name in scenarios.names()]
        if installation.as_json:
            installation.tell_json(rows)
        else:
            # One a line, whatever the width: for people and for grep.
            width = max(len(row["name"]) for row in rows)
            for row in rows:
                click.echo(f"{row['name']:<{width}}  {row['about']}")
        return
    if scenario is None or out is None:
        fail("name a scenario and --out DIR, as in: simulate supplier --out market; see --list")
    try:
        parameters = scenarios.load(scenario, _settings(settings))
    except scenarios.ScenarioError as error:
        fail(str(error))
    world = World(parameters, accounts or parameters.accounts, days or parameters.days, seed)
    try:
        done = study.simulate(
            world,
            out,
            truth=truth,
            permutations=permutations,
            seeds=seeds,
            workers=workers,
            engine=engine,
        )
    except (RuntimeError, scenarios.ScenarioError) as error:
        fail(str(error))
    if done.report is None:
        installation.tell(f"{_sum(done.rows)} in {out}", rows=done.rows)
    elif installation.as_json:
        installation.tell_json({"rows": done.rows, "truth": done.report})
    else:
        click.echo(f"{_sum(done.rows)} in {out}")
        _show_truth(installation, done.report)


def _sum(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in rows.items())


def _show_truth(installation: Installation, report: dict[str, Any]) -> None:
    whole, caused, currency = report["window"], report["incremental"], report["currency"]
    click.echo(
        f"{whole['orders']:,} orders worth {whole['revenue_minor'] / 100:,.2f} {currency} in the window. "
        f"The spend of the window causes {caused['orders']:,} worth {caused['revenue_minor'] / 100:,.2f}, "
        f"counted until {report['tail_days']} days after it."
    )
    ending = report["last_quarter_share_of_margin"]
    if ending is not None and ending > _RUN_OUT:
        click.echo(
            f"{ending:.0%} of it still comes in the last quarter of these days: give the scenario more "
            "tail_days."
        )
    rows = [
        {
            "campaign": name,
            "spend": sum(entry["spend_minor"].values()) / 100,
            "fair": entry["shapley"]["margin_minor"] / 100 if "shapley" in entry else None,
            "margin": entry["removal"]["margin_minor"] / 100,
            "error": entry["removal_margin_se_minor"] / 100,
            "alone": entry["first_in"]["margin_minor"] / 100,
            "needed": entry["deals"]["needed"],
            "earlier": entry["deals"]["earlier"],
            "roi": _roi(entry, report["allocation"]),
            "next": _with_error(entry),
        }
        for name, entry in report["campaigns"].items()
    ]
    fair = {"fair": "Shapley value"} if report["allocation"] == "shapley" else {}
    columns = {
        "campaign": "Campaign",
        "spend": "Cost",
        **fair,
        "margin": "Margin lost without it",
        "error": "Standard error",
        "alone": "Margin it brings alone",
        "needed": "Deals it caused",
        "earlier": "Only came earlier",
        "roi": f"True ROI ({_ALLOCATIONS[report['allocation']]})",
        "next": "Return of the next 1.00",
    }
    installation.show(rows, columns, f"True effect of each campaign, gross margin in {currency}:")
    click.echo(
        f"Shapley values: {report['shapley']}. Margin lost without it (removal) is what stopping a campaign "
        "loses; standard error and deals go by it. Alone (first-in) is compared with no campaign at all."
    )
    if "expectation" in report:
        average = report["expectation"]
        by = report["allocation"]
        spread = [
            {
                "campaign": name,
                "mean": each[by]["margin_minor"] / 100,
                "error": each[by]["margin_minor_se"] / 100,
            }
            for name, each in average["campaigns"].items()
        ]
        title = f"Average over {average['seeds']} seeds, {_ALLOCATIONS[by]}, gross margin in {currency}:"
        installation.show(
            spread, {"campaign": "Campaign", "mean": "True effect", "error": "Standard error"}, title
        )
    for name, entry in report["campaigns"].items():
        if entry.get("marginal_reason"):
            click.echo(f"{name}: the return of the next 1.00 is not known: {entry['marginal_reason']}.")
        for allocation, causes in entry.get("below_zero", {}).items():
            click.echo(f"{name}, {_ALLOCATIONS[allocation]}: {_causes(entry[allocation], causes)}.")


_RUN_OUT = 0.1
"""Up to so much of an effect in the last quarter of the tail, it counts as having run out."""
_ALLOCATIONS = {"shapley": "Shapley value", "removal": "removal", "first_in": "first-in"}


def _causes(effect: dict[str, Any], causes: dict[str, int]) -> str:
    """Say what part of an effect below 0 waiting explains, and what is left."""
    return (
        f"{effect['margin_minor'] / 100:+,.2f}, of which {causes['waiting'] / 100:+,.2f} because others wait "
        f"or go unanswered, and {causes['answered_at_once'] / 100:+,.2f} with nobody waiting"
    )


def _roi(entry: dict[str, Any], allocation: str) -> float | None:
    cost = sum(entry["spend_minor"].values())
    return (entry[allocation]["margin_minor"] - cost) / cost if cost else None


def _with_error(entry: dict[str, Any]) -> str | None:
    found = entry.get("marginal_margin_per_spend")
    if found is None:
        return None
    return f"{found:.2f} ± {entry['marginal_margin_per_spend_se']:.2f} (±{entry['marginal_step']:.0%})"
