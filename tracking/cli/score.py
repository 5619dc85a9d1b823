"""Attribution models against a simulated market on the command line."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from attribution import JourneyError
from simulator import study
from tracking.cli.installation import Installation, Number, fail, json_option, pass_installation


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
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Number of processes.")
@json_option
@pass_installation
def score(
    installation: Installation, directory: Path, lookback: float, regret: bool, intervals: bool, workers: int
) -> None:
    """Score every attribution model on a simulated market with known effects.

    DIR is the output folder of `simulate`. Shares are of gross margin. Regret is the margin lost by moving a
    fifth of the variable budget as the model suggests, compared with the best move; on another seed, in a
    market in which that move was not chosen. Rows in brackets need no model.
    """
    try:
        report, scores, nulls = study.score(
            directory, lookback_days=lookback, regret=regret, resampled=intervals, workers=workers
        )
    except (FileNotFoundError, JourneyError) as error:
        # With few companies a market may hold nothing that a model could learn from.
        fail(str(error))
    if installation.as_json:
        installation.tell_json(
            {
                "allocation": scores[0].allocation,
                "shapley": report["shapley"],
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
    click.echo(
        f"The campaigns caused {caused:.1%} of the margin, divided among them by {by}. Results by model:"
    )
    rows: list[dict[str, Any]] = [
        {
            "model": each.model,
            "wrong": f"{each.total_variation:.1%}",
            "mean": f"{each.share_error:.1%}",
            "credited": f"{each.credited:.1%}",
            "ranks": each.rank_agreement,
            "log": each.log_error,
            "move": " → ".join(each.move) if each.move else None,
            "regret": None if each.regret_minor is None else each.regret_minor / 100,
            "afar": None if each.regret_elsewhere_minor is None else each.regret_elsewhere_minor / 100,
            "covered": None if each.covered is None else f"{each.covered:.0%}",
        }
        for each in scores
    ]
    rows += [
        {
            "model": _NULLS[each.name],
            "wrong": None if each.total_variation is None else f"{each.total_variation:.1%}",
            "regret": None if each.regret_minor is None else each.regret_minor / 100,
            "afar": None if each.regret_elsewhere_minor is None else each.regret_elsewhere_minor / 100,
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
    if regret:
        columns |= {
            "move": "Suggested budget move",
            "regret": f"Regret, {currency}",
            "afar": "Regret on another seed",
        }
    if intervals:
        columns["covered"] = "Intervals containing the true value"
    installation.show(rows, columns)
    if regret:
        click.echo(
            _against_leaving([each.model for each in scores if each.beats_leaving is False], len(scores))
        )
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


def _against_leaving(worse: Sequence[str], of: int) -> str:
    if not worse:
        return "On another seed every model's move beats leaving the budget as it is."
    named = "no model's move beats" if len(worse) == of else f"the moves of {', '.join(worse)} do not beat"
    return f"On another seed {named} leaving the budget as it is."
