"""How good the data are, in words: what is missing or doubtful, how much, and what that does to figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from tracking.language import formatting
from tracking.language.translate import translated
from tracking.language.words import import_kind_words
from tracking.reporting.quality import MOST, Finding

_NAMED = 5
# Of each kind of finding: what it is, and what it does to the figures.
_WORDS: Mapping[str, tuple[str, str]] = {
    "unasked": (
        _("Qualifying calls in which nobody asked where the caller heard of us"),
        _(
            "What buyers say themselves is missing: self-reported and hybrid attribution rest on fewer "
            "answers, and nothing tells whether the tracked source is right."
        ),
    ),
    "unknown_numbers": (
        _("Calls to numbers that are not in the inventory"),
        _("They count as of unknown source: no campaign is credited with them or with what followed."),
    ),
    "nobodys_numbers": (
        _("Calls to numbers of ours that were on no material when they rang"),
        _("They count as of unknown source. A number at rest may still stand on old material."),
    ),
    "main_line": (
        _("Calls that came by the main line"),
        _(
            "No number tells what made these buyers call; what they say when asked is all there is. Their "
            "calls are credited to no campaign."
        ),
    ),
    "still_ringing": (
        _("Material that has expired and still rings"),
        _("Its campaign is still credited, rightly; but its number cannot be given to anything else."),
    ),
    "nameless": (
        _("Companies of the period that are known only by a caller's number"),
        _(
            "A deal entered under the company's name does not find these calls: its revenue may be "
            "unattributed, and leads are counted twice."
        ),
    ),
    "alike": (
        _("Names and domains that several companies share which are not merged"),
        _(
            "If they are one company, its journey is cut in pieces: credit goes astray, customers count"
            " twice."
        ),
    ),
    "unconnected": (
        _("Campaigns with a cost that nothing connects to a call"),
        _("Whether they pay cannot be told: no number, touch or answer leads to them."),
    ),
    "no_cost": (
        _("Campaigns with calls, leads or deals and no cost in the period"),
        _("They have no ROI, and the total looks better than it is."),
    ),
    "cost_gaps": (
        _("Campaigns with costs for a part of their days only"),
        _(
            "More than a month of the days on which they ran lies outside all their costs: their ROI "
            "looks better than it is, unless nothing was spent."
        ),
    ),
    "stale": (
        _("Imports that have not been repeated for five weeks"),
        _("Calls, deals or costs since then may be missing: the latest months look poorer than they are."),
    ),
    "unattributed": (
        _("Deals won of whose buyers no touch is recorded in the window"),
        _("Their revenue is credited to no campaign: every ROI is lower than it might be."),
    ),
    "no_rate": (
        _("Won deals and costs in a currency without an exchange rate on their day"),
        _("No report can be made before there is a rate: amounts are never added up across currencies."),
    ),
    "not_understood": (
        _("Reports of the telephone system that could not be understood"),
        _(
            "Calls may be missing or incomplete. The reports are kept; `ringtrail inbox` shows and "
            "retries them."
        ),
    ),
    "failed_jobs": (
        _("Jobs that failed in the last 30 days"),
        _("What an import would have brought is not in the figures."),
    ),
    "failed_schedules": (
        _("Scheduled reports that could not be sent"),
        _("Whoever relies on the mail sees no figures; the figures themselves are right."),
    ),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A finding in words."""

    finding: Finding
    what: str
    amount: str
    effect: str

    @property
    def bad(self) -> bool:
        """Tell whether there is anything to mend."""
        return self.finding.count != 0

    def sentence(self) -> str:
        """Return the line as one sentence, for a report."""
        return str(
            gettext(
                "%(what)s: %(amount)s. %(effect)s", what=self.what, amount=self.amount, effect=self.effect
            )
        )


def in_words(findings: Iterable[Finding]) -> list[Line]:
    """Put findings into words, what is wrong first."""
    lines = [Line(each, str(_WORDS[each.kind][0]), _amount(each), _effect(each)) for each in findings]
    return sorted(lines, key=lambda line: not line.bad)


def _effect(finding: Finding) -> str:
    if finding.share:
        return str(
            gettext(
                "%(share)s of the revenue is credited to no campaign: every ROI is lower than it might be.",
                share=formatting.share(finding.share),
            )
        )
    return str(_WORDS[finding.kind][1])


def _amount(finding: Finding) -> str:
    if finding.count is None:
        return str(gettext("not known yet"))
    if finding.more:
        return str(gettext("more than %(count)s", count=formatting.count(MOST)))
    number = formatting.count(finding.count)
    if finding.of:
        number = gettext("%(count)s of %(all)s", count=number, all=formatting.count(finding.of))
    if finding.kind == "main_line" and finding.of:
        number += f" ({formatting.share(finding.count / finding.of)})"
    names = finding.names
    if finding.kind == "stale":
        known = import_kind_words()
        names = tuple(known.get(name, name) for name in names)
    if names:
        shown = ", ".join(translated(name) for name in names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
        return str(gettext("%(count)s: %(names)s", count=number, names=shown))
    return number
