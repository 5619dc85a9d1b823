"""What came of `ringtrail market decide` as tables: moves, effects and tests."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from simulator.beliefs import Beliefs
from tracking.cli.installation import Installation

if TYPE_CHECKING:
    from simulator.advise import Advice, Gain, Row
    from simulator.decide import Trial
    from simulator.information import Effect, Otherwise, Pause

_VERDICTS = {
    "do": "do it",
    "test": "gains under some beliefs only",
    "leave": "leave it",
    "unclear": "cannot tell",
}
_WORTH = {True: "yes", False: "no", None: "cannot tell"}


def show_moves(
    installation: Installation,
    trial: "Trial",
    advice: "Advice",
    others: "list[Advice]",
    currency: str,
    *,
    few: bool,
) -> None:
    """Show what each move gains, under these beliefs and others."""
    if advice.row is None:
        return
    amount = trial.amount_minor / 100
    click.echo(f"Each move shifts {amount:,.2f} {currency}. Best found: {_name(advice.row)}.")
    installation.show(
        [
            {
                "move": _name(row),
                "models": ", ".join(row.models),
                **{family: _gain(gain) for family, gain in row.by_family.items()},
                "overall": _gain(row.overall),
                "regret": max(row.regret.values()) / 100,
                "verdict": _VERDICTS["unclear" if few else row.verdict],
            }
            for row in advice.rows
        ],
        {
            "move": "Move",
            "models": "Of models",
            **{family: f"{family} ({weight:.0%})" for family, weight in advice.weights.items()},
            "overall": "Overall",
            "regret": "Largest regret",
            "verdict": "Verdict",
        },
        f"Margin gained by each move under each family (its weight), {currency}; leaving it gains 0:",
    )
    installation.show(
        [
            {
                "beliefs": ", ".join(f"{name} {told}" for name, told in vars(each.beliefs).items()),
                "move": _name(each.row) if each.row else None,
                "gain": _gain(each.row.overall) if each.row else None,
                "verdict": _VERDICTS["unclear" if few else each.verdict],
            }
            for each in others
        ],
        {"beliefs": "If you believed", "move": "Best found", "gain": "Gain", "verdict": "Verdict"},
        "Under other beliefs:",
    )


def show_effects(
    installation: Installation,
    effects: "list[Effect]",
    differing: "Mapping[str, tuple[Otherwise, Otherwise]]",
    beliefs: Beliefs,
    currency: str,
) -> None:
    """Show what each campaign may cause, and what that would be under another answer."""
    from simulator.information import held

    told = held()
    installation.show(
        [
            {
                "campaign": each.campaign if each.tracked else f"{each.campaign} (nothing tracked)",
                "mean": f"{each.mean / 100:,.0f}",
                "range": f"{each.low / 100:,.0f} to {each.high / 100:,.0f}",
                **{
                    end: _otherwise(one, beliefs)
                    for end, one in zip(("lowest", "highest"), differing[each.campaign], strict=True)
                },
            }
            for each in effects
        ],
        {
            "campaign": "Campaign",
            "mean": "Estimate",
            "range": "Range of 90 %",
            "lowest": "Lowest, if you believed",
            "highest": "Highest, if you believed",
        },
        f"Margin lost in a year without each campaign, under these beliefs, {currency}. A range that begins "
        "at 0 means that the campaign may do nothing. In "
        f"{told['markets']} other simulated markets such ranges held {told['inside_all']:.0%} of all true "
        f"effects and {told['inside_large']:.0%} of the large ones; {told['outside_large']:.0%} of the "
        "large ones where campaigns worked in a way that had no weight:",
    )


def show_pauses(installation: Installation, pauses: "list[Pause]", currency: str, *, few: bool) -> None:
    """Show what a pause of each campaign would be worth."""
    installation.show(
        [
            {
                "campaign": each.campaign,
                "weeks": each.weeks,
                "gain": _gain(each.gain),
                "cost": f"{each.cost / 100:,.0f}" if each.cost >= 0 else f"saves {-each.cost / 100:,.0f}",
                "worth": _WORTH[None if few else each.worth_it],
            }
            for each in pauses
        ],
        {
            "campaign": "Pause",
            "weeks": "Weeks",
            "gain": "Value of the result",
            "cost": "Cost of the test",
            "worth": "Worth it",
        },
        f"Which test would change the decision most, {currency}; not testing costs and gains 0, and a pause "
        "saves movable costs:",
    )
    if not few and all(each.worth_it is False for each in pauses):
        click.echo("No test would change the decision enough to pay.")


def _name(row: "Row") -> str:
    return "a random move" if row.move is None else " to ".join(row.move)


def _gain(gain: "Gain") -> str:
    return f"{gain.mean / 100:+,.0f}" + ("" if gain.error is None else f" ± {gain.error / 100:,.0f}")


def _otherwise(one: "Otherwise", beliefs: Beliefs) -> str:
    """Say an estimate and the one answer that makes it differ."""
    told = [
        f"{name} {answer}" for name, answer in vars(one.beliefs).items() if answer != getattr(beliefs, name)
    ]
    return f"{one.mean / 100:,.0f}: {', '.join(told)}"
