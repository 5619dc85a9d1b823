"""Attribution models against a simulated market on the command line."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attribution import JourneyError
from simulator import study
from simulator.expectation import SEEDS
from tracking.cli.installation import Installation, Number, Whole, fail, json_option, pass_installation

if TYPE_CHECKING:
    from simulator.expectation import Followed


@click.command("score")
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--lookback",
    type=Number(0, min_open=True),
    default=365.0,
    show_default=True,
    help="Lookback window in days.",
)
@click.option(
    "--regret/--no-regret",
    default=True,
    show_default=True,
    help="Run the market again for each suggested budget move.",
)
@click.option(
    "--intervals",
    is_flag=True,
    help="Check by resampling how many of a model's 90% intervals contain the true value (slow).",
)
@click.option(
    "--seeds",
    type=Whole(1),
    default=SEEDS,
    show_default=True,
    help="Number of seeds over which truth and moves are averaged; 1: this market alone, without moves.",
)
@click.option("--workers", type=Whole(1), default=1, show_default=True, help="Number of processes.")
@json_option
@pass_installation
def score(
    installation: Installation,
    directory: Path,
    lookback: float,
    regret: bool,
    intervals: bool,
    seeds: int,
    workers: int,
) -> None:
    """Score every attribution model on a simulated market with known effects.

    DIR is the output folder of `simulate`. Shares are of gross margin. Regret is the margin lost by moving a
    fifth of the variable budget as the model suggests, compared with the best move; gain is compared with
    leaving the budget. Both are means over seeds on which neither move was chosen, with standard errors. The
    truth is the mean over all seeds. Rows in brackets need no model.
    """
    try:
        report, scores, nulls = study.score(
            directory,
            lookback_days=lookback,
            seeds=seeds,
            regret=regret,
            resampled=intervals,
            workers=workers,
        )
    except (FileNotFoundError, JourneyError) as error:
        # With few companies a market may hold nothing that a model could learn from.
        fail(str(error))
    told = report.get("expectation", {}).get("seeds", 1)
    truth = _truth(report)
    if installation.as_json:
        installation.tell_json(
            {
                "allocation": scores[0].allocation,
                "shapley": report["shapley"],
                "seeds": told,
                "truth": truth,
                "models": [asdict(each) for each in scores],
                "nulls": [asdict(each) for each in nulls],
            }
        )
        return
    caused, currency = scores[0].caused, report["currency"]
    by = {
        "shapley": f"Shapley values, {report['shapley']}",
        "scaled removal": "removals scaled to their joint effect, since no Shapley values were simulated",
    }[scores[0].allocation]
    over = f"mean over {told} seeds" if told > 1 else "one seed"
    click.echo(f"The campaigns caused {caused:.1%} of the margin, {over}, divided among them by {by}:")
    installation.show(truth, {"campaign": "Campaign", "share": "True share", "error": "Standard error"})
    click.echo("Results by model:")
    rows: list[dict[str, Any]] = [
        {
            "model": each.model,
            "wrong": f"{each.total_variation:.1%}",
            "mean": f"{each.share_error:.1%}",
            "credited": f"{each.credited:.1%}",
            "ranks": each.rank_agreement,
            "log": each.log_error,
            "move": " → ".join(each.move) if each.move else None,
            **_money(each.followed),
            "covered": None if each.covered is None else f"{each.covered:.0%}",
        }
        for each in scores
    ]
    rows += [
        {
            "model": _NULLS[each.name],
            "wrong": None if each.total_variation is None else f"{each.total_variation:.1%}",
            **_money(each.followed),
        }
        for each in nulls
    ]
    columns = {
        "model": "Model",
        "wrong": "Misattributed margin",
        "mean": "Average error",
        "credited": "Credited to campaigns",
        "ranks": "Rank agreement",
        "log": "Log error of ROI",
    }
    # What was not asked for has no column.
    moved = scores[0].followed is not None
    if moved:
        columns |= {
            "move": "Suggested budget move",
            "gain": f"Gain, {currency}",
            "regret": f"Regret, {currency}",
        }
    if intervals:
        columns["covered"] = "Intervals containing the true value"
    installation.show(rows, columns)
    if moved:
        click.echo(_against_leaving({each.model: each.followed for each in scores}))
    channels = list(scores[0].by_channel)
    signed = [
        {"model": each.model} | {name: f"{each.by_channel[name] * 100:+.1f}" for name in channels}
        for each in scores
    ]
    title = "Credited minus true share of the margin by channel, in percentage points (above 0 = too much):"
    installation.show(signed, {"model": "Model"} | {name: name for name in channels}, title)


_NULLS = {
    "leave": "(leave the budget as it is)",
    "random": "(a random move)",
    "spend": "(by share of spend)",
}


def _truth(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each campaign's true share of the margin, with its standard error over seeds."""
    from simulator.score import true_errors, true_margin, true_whole

    whole, errors = true_whole(report), true_errors(report)
    return [
        {
            "campaign": name,
            "share": f"{margin / whole:.1%}",
            "error": None if errors is None else f"{errors[name] / whole:.1%}",
        }
        for name, margin in true_margin(report).items()
    ]


def _money(followed: "Followed | None") -> dict[str, str | None]:
    if followed is None:
        return {}
    pairs = {"gain": (followed.gain, followed.gain_se), "regret": (followed.regret, followed.regret_se)}
    return {
        name: f"{value / 100:,.0f}" + ("" if error is None else f" ± {error / 100:,.0f}")
        for name, (value, error) in pairs.items()
    }


def _against_leaving(found: Mapping[str, "Followed | None"]) -> str:
    """Say which models' moves are known to gain, or not to, on seeds on which they were not chosen."""
    better = [model for model, each in found.items() if each and each.beats_leaving]
    worse = [model for model, each in found.items() if each and each.beats_leaving is False]
    unclear = [model for model, each in found.items() if each and each.beats_leaving is None]
    parts = [("yes", better), ("no", worse), ("cannot be told", unclear)]
    listed = "; ".join(f"{word}: {', '.join(models)}" for word, models in parts if models)
    return f"Does the model's move beat leaving the budget as it is? {listed[0].upper()}{listed[1:]}."
