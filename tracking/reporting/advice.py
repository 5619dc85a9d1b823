"""What a comparison advises: which campaign leads, what to do with each, and what such advice is worth."""

from collections.abc import Sequence
from typing import Any

from flask_babel import gettext

from reports.advice import FEW, Advice, Verdict, advise
from simulator import which_model
from tracking.language import formatting
from tracking.language.words import model_word
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison

_SALES = frozenset({"leads", "qualified leads", "customers", "deals", "revenue", "calls"})
_FEW_DEALS = 300
"""The number of deals for which the simulator's findings are shown: a supplier has few."""
_APART = 0.5
"""Chances under two models that differ by so much are a disagreement (an assumption)."""


def best(found: Comparison) -> dict[str, Any]:
    """Return which campaign each model puts first, and how sure that is."""
    first = found.drawn.best()
    sides: dict[str, list[str]] = {}
    for model, (campaign, _) in first.items():
        sides.setdefault(campaign, []).append(model)
    sure = min((share for _, share in first.values()), default=None)
    return {"sides": sides, "sure": sure}


def split(found: Comparison) -> set[str]:
    """Return the campaigns that pay under some models and not under others."""
    signs: dict[str, set[bool]] = {}
    for row in found.table.to_pylist():
        if row["roi"] is not None and not row["campaign"].startswith("("):
            signs.setdefault(row["campaign"], set()).add(row["roi"] >= 0)
    return {campaign for campaign, met in signs.items() if len(met) > 1}


def judged(found: Comparison, query: ReportQuery) -> list[Advice]:
    """Return what to do with each campaign; one that does not aim at sales is not judged by them."""
    deals: dict[str, dict[str, float]] = {}
    for row in found.table.to_pylist():
        deals.setdefault(row["campaign"], {})[row["model"]] = row["deals"]
    other = frozenset(
        name
        for name, fact in query.facts.items()
        if fact.targets and not _SALES & {measure.strip().lower() for measure in fact.targets}
    )
    return advise(found.drawn, deals, found.maturity.campaigns, other)


def verdict_words() -> dict[str, str]:
    """Return what each advice is called."""
    return {
        Verdict.invest: gettext("invest"),
        Verdict.keep: gettext("keep"),
        Verdict.reconsider: gettext("reconsider"),
        Verdict.stop: gettext("stop"),
        Verdict.wait: gettext("wait"),
        Verdict.elsewhere: gettext("by its targets"),
        Verdict.unknown: gettext("no cost known"),
    }


def reason(advice: Advice) -> str:
    """Return why a campaign is judged so, as one sentence."""
    said = {
        Verdict.unknown: gettext("Without a cost there is no return to judge."),
        Verdict.elsewhere: gettext("It does not aim at sales; see its targets among the key figures."),
        Verdict.invest: gettext(
            "It pays under every model, and likely earns more on its cost than the campaigns together. "
            "Add a little, then look."
        ),
        Verdict.keep: gettext("It likely pays under every model."),
        Verdict.stop: gettext("Under no model does it earn its cost, even with what is still to come."),
    }
    if advice.verdict in said:
        return str(said[advice.verdict])
    if advice.verdict is Verdict.wait:
        return str(
            gettext(
                "%(share)s of the revenue of its leads is still to come: too early to tell.",
                share=formatting.share(advice.to_come),
            )
        )
    if advice.most - advice.least >= _APART:
        return str(gettext("The models disagree on whether it pays."))
    if advice.deals < FEW:
        return str(gettext("With so few deals credited nothing surer can be said."))
    return str(gettext("Chance leaves it open whether it pays."))


def worth(models: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Return per model what the simulator found: margin misplaced, margin lost, most lost anywhere."""
    found = {each.model: each for each in which_model.trust(_FEW_DEALS)}
    return {
        model: (found[model].usual.wrong, found[model].usual.lost, found[model].worst.lost)
        for model in models
        if model in found
    }


def worth_words(model: str) -> list[str]:
    """Return what the simulator found advice by a model to be worth, or that it has not studied it."""
    sentences = [
        gettext(
            "In simulated markets, where the truth is known, moving a fifth of the budget as the model "
            "%(model)s says left out %(lost)s of the margin that the best move would have brought, and "
            "%(worst)s in the least favourable market. That is a finding about made-up markets, not about "
            "ours.",
            model=model_word(model),
            lost=formatting.share(lost),
            worst=formatting.share(worst),
        )
        for _, lost, worst in worth([model]).values()
    ]
    return sentences or [
        gettext("Not covered by the study in simulated markets: %(models)s.", models=model_word(model))
    ]
