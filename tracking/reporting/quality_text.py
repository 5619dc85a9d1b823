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
        _("Eligible calls where the caller was not asked how they heard about us"),
        _(
            "Self-reported and hybrid models have fewer answers to work with, and you cannot check "
            "the tracked source against what buyers say."
        ),
    ),
    "unknown_numbers": (
        _("Calls to numbers that are not in the inventory"),
        _("They count as unknown source. No campaign gets credit for them or for deals that followed."),
    ),
    "nobodys_numbers": (
        _("Calls to tracking numbers that were not assigned at the time"),
        _("They count as unknown source. A released number may still be printed on old material."),
    ),
    "unsure_visitor": (
        _("Calls to website numbers whose source is only likely or unknown"),
        _("A likely source counts for its campaign, an unknown one for none. A larger pool helps."),
    ),
    "printed_pool": (
        _("Calls to website numbers that no visitor had been shown"),
        _("They count as unknown source. A pool number may be printed or fixed in a page."),
    ),
    "silent_site": (
        _("Websites that show no numbers although they usually have visitors"),
        _("Calls from them count as main line. Check that the pages still carry the snippet."),
    ),
    "main_line": (
        _("Calls to the main line"),
        _("These calls are not credited to any campaign. Only asking the callers shows what made them call."),
    ),
    "still_ringing": (
        _("Expired assets that still get calls"),
        _("The campaign is still credited correctly, but the number cannot be reused yet."),
    ),
    "nameless": (
        _("Companies in this period known only by phone number"),
        _(
            "Deals entered under the company name are not matched to these calls, so revenue may "
            "be unattributed and leads counted twice."
        ),
    ),
    "alike": (
        _("Possible duplicates: companies with the same name or domain"),
        _(
            "If they are the same company, its journey is split: credit goes to the wrong "
            "campaigns and customers are counted twice."
        ),
    ),
    "unconnected": (
        _("Campaigns with a cost but no connection to a call"),
        _("We cannot tell whether they pay off: no number, touch or answer leads to them."),
    ),
    "no_cost": (
        _("Campaigns with calls, leads or deals but no cost"),
        _("They have no ROI, and the total looks better than it is."),
    ),
    "cost_gaps": (
        _("Campaigns with costs for only part of their run"),
        _(
            "More than a month of their run has no cost. Unless nothing was spent, their ROI looks "
            "better than it is."
        ),
    ),
    "stale": (
        _("Imports older than five weeks"),
        _("Newer calls, deals or costs may be missing, so the latest months look worse than they are."),
    ),
    "unattributed": (
        _("Won deals without a touch in the lookback window"),
        _("Their revenue is not credited to any campaign, so ROI looks lower than it is."),
    ),
    "no_rate": (
        _("Won deals and costs without an exchange rate for their date"),
        _(
            "Reports are not available until you add a rate. Amounts in different currencies are "
            "never added together."
        ),
    ),
    "not_understood": (
        _("Phone system events that could not be read"),
        _(
            "Calls may be missing or incomplete. The events are stored; use `ringtrail inbox "
            "replay` to retry them."
        ),
    ),
    "failed_jobs": (
        _("Jobs that failed in the last 30 days"),
        _("Data from failed imports is missing from the reports."),
    ),
    "failed_schedules": (
        _("Scheduled reports that could not be sent"),
        _("Recipients did not get the report. The data itself is correct."),
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
                "%(share)s of revenue is not credited to any campaign, so ROI looks lower than it is.",
                share=formatting.share(finding.share),
            )
        )
    return str(_WORDS[finding.kind][1])


def _amount(finding: Finding) -> str:
    if finding.count is None:
        return str(gettext("not available yet"))
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
