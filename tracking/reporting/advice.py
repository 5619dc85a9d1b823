"""What a comparison advises: which campaign leads, what to do with each, and what such advice is worth."""

from collections.abc import Mapping, Sequence

from babel.lists import format_list
from flask_babel import get_locale, gettext, ngettext

from reports.advice import LIKELY, SURE, Advice, Verdict, advise
from reports.evidence import LEAST_DEALS, LEAST_DEALS_IN_ALL, Standing
from reports.roi import TOTAL
from reports.targets import measures
from simulator import which_model
from tracking.language import formatting
from tracking.language.words import model_word
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison

_SALES = frozenset({"leads", "qualified leads", "customers", "deals", "revenue", "calls"})
_MOST_NAMES = 3
_FEW_DEALS = 300
"""The number of deals for which the simulator's findings are shown: a supplier has few."""


def judged(found: Comparison, query: ReportQuery) -> list[Advice]:
    """Return what to do with each campaign; one that does not aim at sales is not judged by them.

    Every page judges by the models of the usual comparison, besides those that it shows: a campaign has the
    same verdict on each.
    """
    models = tuple(dict.fromkeys((*found.question.models, *query.deciding.compared)))
    whole = found if models == found.question.models else found.under(models)
    deals: dict[str, dict[str, float]] = {}
    for row in whole.table.to_pylist():
        deals.setdefault(row["campaign"], {})[row["model"]] = row["deals"]
    other = frozenset(
        name for name, fact in query.facts.items() if fact.targets and not _SALES & measures(fact.targets)
    )
    return advise(whole.drawn, deals, whole.maturity.campaigns, whole.evidence, other)


def summary(found: Comparison, judged: Sequence[Advice]) -> list[str]:
    """Return what to do, and what that rests on, the same wherever it is said.

    The first sentence is what is to be decided, or why nothing can be. The others say what all campaigns
    together returned, and what the comparison comes to.
    """
    concluded = _conclusion(found, judged)
    first = _headline(found, judged) or concluded.pop(0)
    return [first, *_returned(found), *concluded]


def _headline(found: Comparison, judged: Sequence[Advice]) -> str:
    more, less = _named(judged, Verdict.invest), _named(judged, Verdict.stop)
    if more and less:
        return str(gettext("Spend a little more on %(more)s, and stop %(less)s", more=more, less=less))
    if more:
        return str(gettext("Spend a little more on %(names)s", names=more))
    if less:
        return str(gettext("Stop %(names)s", names=less))
    if not judged:
        return str(gettext("No campaigns to assess in this period. Add your campaign costs."))
    if found.evidence.whole() is Standing.enough and _named(judged, Verdict.keep):
        return str(gettext("Leave the budget unchanged for now"))
    return ""


def _named(judged: Sequence[Advice], verdict: Verdict) -> str:
    names = [each.campaign for each in judged if each.verdict is verdict]
    if len(names) > _MOST_NAMES + 1:
        rest = len(names) - _MOST_NAMES
        names = [*names[:_MOST_NAMES], ngettext("%(num)d more", "%(num)d more", rest)]
    return str(format_list(names, locale=get_locale())) if names else ""


def _returned(found: Comparison) -> list[str]:
    """Return what each 1 of advertising returned and between what that likely lies, where it can be told."""
    total = found.lines[TOTAL][found.models[0]]
    if found.evidence.whole() is not Standing.enough or total["roi"] is None:
        return []
    one, back, low, high = (
        formatting.per_unit(None if end is None else end + 1, total["currency"])
        for end in (0, total["roi"], total["roi_low"], total["roi_high"])
    )
    return [
        gettext(
            "Each %(one)s of advertising returned %(back)s, likely between %(low)s and %(high)s.",
            one=one,
            back=back,
            low=low,
            high=high,
        )
    ]


def _conclusion(found: Comparison, judged: Sequence[Advice]) -> list[str]:
    """Return what a comparison comes to, in sentences that claim no more than the data bear."""
    whole = found.evidence.whole()
    if whole is Standing.nothing:
        sentences = [
            gettext(
                "We cannot tell which campaigns pay off: no revenue is connected to a campaign. "
                "Add deals under the names of the companies that called."
            )
        ]
    elif whole is Standing.few_in_all:
        sentences = [
            gettext(
                "Too early to tell which campaigns pay off: %(deals)s deals are connected to "
                "campaigns, %(least)s are needed.",
                deals=formatting.count(found.evidence.coverage.deals.connected),
                least=formatting.count(LEAST_DEALS_IN_ALL),
            )
        ]
    else:
        sentences = _first(found, judged)
        if few := [each.campaign for each in judged if each.standing is Standing.few_deals]:
            sentences.append(
                gettext(
                    "Not compared, because they have fewer than %(least)s credited deals: %(names)s.",
                    least=formatting.count(LEAST_DEALS),
                    names=", ".join(few),
                )
            )
        if split := [each.campaign for each in judged if each.verdict is Verdict.reconsider]:
            sentences.append(
                ngettext(
                    "%(names)s pays off only under some models.",
                    "%(names)s pay off only under some models.",
                    len(split),
                    names=", ".join(split),
                )
            )
    if unseen := [each.campaign for each in judged if each.standing is Standing.unconnected]:
        sentences.append(
            gettext(
                "Cannot tell, because nothing connects them to a call: %(names)s.", names=", ".join(unseen)
            )
        )
    return [str(sentence) for sentence in sentences]


def _first(found: Comparison, judged: Sequence[Advice]) -> list[str]:
    """Return which campaigns have the highest ROI under which models, where that can be told."""
    best = found.drawn.best({each.campaign for each in judged if each.standing is Standing.enough})
    if not best:
        return [
            gettext(
                "Too early to tell which campaign has the highest ROI: at least two campaigns need "
                "%(least)s credited deals each.",
                least=formatting.count(LEAST_DEALS),
            )
        ]
    first = {campaign for campaigns, _ in best.values() for campaign in campaigns}
    early = [each.campaign for each in judged if each.verdict is Verdict.wait and each.campaign in first]
    if early:
        # Nothing leads of which its own row says that it is too early to tell.
        return [
            gettext(
                "Too early to tell which campaign has the highest ROI: the result of %(names)s "
                "may be chance.",
                names=", ".join(early),
            )
        ]
    sides: dict[tuple[str, ...], list[str]] = {}
    for model, (campaigns, _) in best.items():
        sides.setdefault(campaigns, []).append(model)
    sure = min(share for _, share in best.values())
    words = {campaigns: _together(campaigns) for campaigns in sides}
    if sure < LIKELY:
        ahead = "; ".join(f"{words[each]} ({', '.join(map(model_word, sides[each]))})" for each in sides)
        return [
            gettext(
                "The highest ROI is too close to call. Ahead: %(sides)s, by no more than chance could "
                "explain.",
                sides=ahead,
            )
        ]
    if len(best) == 1:
        return [
            gettext(
                "%(campaign)s has the highest ROI under %(model)s, with %(share)s certainty.",
                model=model_word(next(iter(best))),
                campaign=next(iter(words.values())),
                share=formatting.share(sure),
            )
        ]
    if len(sides) == 1:
        return [
            gettext(
                "%(campaign)s has the highest ROI whichever model you choose, with at least %(share)s "
                "certainty.",
                campaign=next(iter(words.values())),
                share=formatting.share(sure),
            )
        ]
    return [
        gettext(
            "The model you choose changes the answer. Highest ROI: %(sides)s. Each is at least %(share)s "
            "certain.",
            sides="; ".join(f"{words[each]} ({', '.join(map(model_word, sides[each]))})" for each in sides),
            share=formatting.share(sure),
        )
    ]


def _together(campaigns: Sequence[str]) -> str:
    if len(campaigns) == 1:
        return campaigns[0]
    return str(gettext("%(names)s (tied)", names=", ".join(campaigns)))


def verdict_words() -> dict[str, str]:
    """Return what each advice is called."""
    return {
        Verdict.invest: gettext("Increase"),
        Verdict.keep: gettext("Keep"),
        Verdict.reconsider: gettext("Review"),
        Verdict.stop: gettext("Stop"),
        Verdict.wait: gettext("Too early to tell"),
        Verdict.unconnected: gettext("Cannot tell"),
        Verdict.elsewhere: gettext("Judge by targets"),
        Verdict.unknown: gettext("Cost missing"),
    }


def reason(advice: Advice, numbered: frozenset[str]) -> str:
    """Return why a campaign is judged so, as one or two sentences, the second with the next step."""
    said: Mapping[Verdict, str] = {
        Verdict.unknown: gettext("Add its cost to calculate a return."),
        Verdict.elsewhere: gettext("Its goal is not sales. See its targets under KPIs."),
        Verdict.invest: gettext(
            "Every model credits it with more than it cost, and probably with more per 1 spent "
            "than all campaigns together. Add a little, then check the result."
        ),
        Verdict.keep: gettext(
            "Every model credits it with more than it cost, by more than chance can explain."
        ),
        Verdict.reconsider: gettext("The models disagree on whether it pays off."),
        Verdict.stop: gettext(
            "Every model credits it with less than it cost, even after adding unconnected revenue, "
            "orders still expected and an allowance for chance."
        ),
    }
    if advice.verdict in said:
        return str(said[advice.verdict])
    if advice.verdict is Verdict.unconnected or advice.standing is Standing.nothing:
        return _missing(advice, numbered)
    if advice.standing is Standing.few_in_all:
        return str(
            gettext(
                "Too few deals are connected to campaigns; at least %(least)s are needed to rate them.",
                least=formatting.count(LEAST_DEALS_IN_ALL),
            )
        )
    if advice.standing is Standing.few_deals:
        return str(
            gettext(
                "%(deals)s deals are credited to it; %(least)s are needed.",
                deals=formatting.count(advice.deals),
                least=formatting.count(LEAST_DEALS),
            )
        )
    if advice.least is not None and advice.least >= SURE:
        return str(
            gettext(
                "One of the models credits only %(deals)s deals to it; %(least)s are needed.",
                deals=formatting.count(advice.fewest),
                least=formatting.count(LEAST_DEALS),
            )
        )
    if advice.to_come:
        return str(
            gettext(
                "It may be chance. Of the first orders of its leads, %(share)s are still expected.",
                share=formatting.share(advice.to_come),
            )
        )
    return str(gettext("Chance alone could reverse the result."))


def _missing(advice: Advice, numbered: frozenset[str]) -> str:
    if advice.standing is Standing.nothing:
        return str(
            gettext(
                "No revenue is connected to any campaign. Add deals under the names of the "
                "companies that called."
            )
        )
    if advice.campaign in numbered:
        return str(
            gettext(
                "Nothing connects it to a call: its number has never been called. Call it once to test it."
            )
        )
    return str(gettext("Nothing connects it to a call. Give its assets their own phone number."))


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
            "In simulated markets, where the true effect is known, we moved a fifth of the budget by "
            "the %(model)s model. It missed %(lost)s of the margin the best move would have added "
            "(%(worst)s in the worst market). This is a result about simulated markets, not about "
            "ours.",
            model=model_word(model),
            lost=formatting.share(lost),
            worst=formatting.share(worst),
        )
        for _, lost, worst in worth([model]).values()
    ]
    return sentences or [gettext("Not tested in simulated markets: %(models)s.", models=model_word(model))]
