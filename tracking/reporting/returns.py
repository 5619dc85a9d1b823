"""What each 1 that a campaign cost brought back: the rows of the ROI page, the first page and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from flask_babel import gettext

from attribution import UNATTRIBUTED
from reports.advice import Advice, Verdict
from reports.evidence import Standing
from reports.roi import OVERHEAD, TOTAL, UNKNOWN
from reports.scale import Span, place, steps_of, written
from tracking.language import formatting
from tracking.language.words import line_words, model_word
from tracking.reporting import advice, roi
from tracking.reporting.questions import ReportQuery
from tracking.reporting.roi import Comparison
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings

_MOST_DEALS = 5
_NO_CAMPAIGN = (UNKNOWN, OVERHEAD, UNATTRIBUTED)


@dataclass(frozen=True, slots=True)
class Return:
    """What each 1 that a campaign cost brought back: under the model in front, and under the others."""

    campaign: str
    channel: str | None
    model: str
    cost_minor: int
    revenue_minor: int
    leads: float
    span: Span
    others: list[tuple[str, float]]
    verdict: Verdict | None
    currency: str

    @property
    def back(self) -> str:
        """Return in words what each 1 brought back; where it is too early to tell, between what it lies."""
        if self.verdict is Verdict.unconnected:
            return str(gettext("not connected"))
        return words(self.span, self.currency)

    @property
    def told(self) -> str:
        """Return what the picture shows, in words."""
        name = line_words().get(self.campaign, self.campaign)
        if self.span.back is None and self.span.low is None:
            return str(gettext("%(campaign)s: return unknown", campaign=name))
        shown = [(model, formatting.per_unit(back, self.currency)) for model, back in self.others]
        parts = ", ".join(f"{model_word(model)} {back}" for model, back in [(self.model, self.back), *shown])
        return f"{name}: {parts}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one campaign in a period, and what is to be done with it."""

    line: Return
    advice: Advice
    reason: str
    row: Mapping[str, Any]
    deals: list[dict[str, Any]]
    """The latest of the deals of which a share is credited to it."""
    shared: int
    """How many such deals there are."""


def of_campaign(
    settings: Settings, snapshot: Snapshot, asked: ReportQuery, name: str, *, at: datetime
) -> Result | None:
    """Return what came of a campaign under the model that decides; None where nothing is known of it."""
    question = replace(asked.question, models=(asked.deciding.model,))
    found = roi.compare(snapshot, settings, question, at=at)
    judged = advice.judged(found, asked)
    own = next((each for each in judged if each.campaign == name), None)
    line = next((row for row in returns(found, judged, settings.currency) if row.campaign == name), None)
    if own is None or line is None:
        return None
    shared = roi.behind(snapshot, settings, question, "won", name)
    deals = shared.slice(0, _MOST_DEALS).to_pylist()
    reason = advice.reason(own, asked.numbered)
    return Result(line, own, reason, found.lines[name][line.model], deals, shared.num_rows)


def scale_of(rows: Sequence[Return]) -> dict[str, Any]:
    """Return what a page draws rows on: the marks of the scale, and where a return lies on it."""
    steps = steps_of(row.span for row in rows)
    return {"steps": steps, "written": written(steps), "place": partial(place, steps=steps)}


def words(span: Span, currency: str) -> str:
    """Return a return in words: its figure, or where only its interval is known, both ends of that."""
    if span.back is None and span.low is not None and span.high is not None:
        low, high = (formatting.per_unit(end, currency) for end in (span.low, span.high))
        return f"{low} – {high}"
    return formatting.per_unit(span.back, currency)


def returns(found: Comparison, judged: Sequence[Advice], currency: str) -> list[Return]:
    """Return the campaigns, what belongs to none, and the total, which is the sum of all of them.

    The best return under the model in front is first. Campaigns of which it is too early to tell come after
    those, the costliest first, without a figure and a place among the others; then those of which nothing is
    known. What belongs to no campaign has no return.
    """
    verdicts = {each.campaign: each.verdict for each in judged}
    # What aims at something else than sales is not judged by its return, but has no more of one for that.
    unsure = {
        each.campaign
        for each in judged
        if each.verdict is Verdict.wait
        or (each.verdict is Verdict.elsewhere and each.standing is not Standing.enough)
    }
    unsold = {each.campaign for each in judged if each.standing is Standing.nothing}
    whole = found.evidence.whole()
    if whole is Standing.nothing:
        unsold.add(TOTAL)
    front, rows = found.models[0], []
    for campaign, by_model in found.lines.items():
        first = by_model.get(front)
        if first is None:
            continue
        verdict = verdicts.get(campaign)
        back = {model: row["roi"] + 1 for model, row in by_model.items() if row and row["roi"] is not None}
        low, high = (None if first[name] is None else first[name] + 1 for name in ("roi_low", "roi_high"))
        early = campaign in unsure
        if campaign == TOTAL and whole is not Standing.enough:
            # A range of so few deals would promise more than it holds.
            low, high = None, None
        nothing = verdict is Verdict.unconnected or campaign in {*_NO_CAMPAIGN, *unsold}
        span = Span(
            None if early or nothing else back.get(front), *((None, None) if nothing else (low, high))
        )
        others = [(model, back[model]) for model in found.models[1:] if model in back]
        rows.append(
            Return(
                campaign=campaign,
                channel=first["channel"],
                model=front,
                cost_minor=first["cost_minor"],
                revenue_minor=first["revenue_minor"],
                leads=first["leads"],
                span=span,
                others=[] if early or nothing else others,
                verdict=verdict,
                currency=currency,
            )
        )

    def order(row: Return) -> tuple[bool, int, bool, bool, float]:
        return (
            row.campaign == TOTAL,
            _NO_CAMPAIGN.index(row.campaign) + 1 if row.campaign in _NO_CAMPAIGN else 0,
            row.verdict is Verdict.unconnected,
            row.span.back is None,
            -row.cost_minor if row.span.back is None else -row.span.back,
        )

    return sorted(rows, key=order)
