"""What a report is asked, read from its address, so that each view can be kept, sent and opened again."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, get_args

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from reports.kpis import Period
from reports.trends import Step, preceding, year_before
from tracking.errors import Invalid
from tracking.reporting import roi
from tracking.reporting.deciding import Deciding, current
from tracking.reporting.roi import Question
from tracking.storage.config import LONGEST_LOOKBACK_DAYS, Settings
from tracking.storage.models import AdMaterial, Campaign, NumberAssignment
from tracking.storage.vocabulary import Direction

Args = MultiDict[str, str]
YEARS = range(1900, 2201)
"""Years in which a day of business can lie; beyond, arithmetic with days ends."""
_MOST_DAYS = 365 * 20


@dataclass(frozen=True)
class ReportQuery:
    """A question as the query of an address puts it, and what its form shows."""

    question: Question
    step: Step
    against: str
    channel: str
    direction: str
    campaigns: tuple[str, ...]
    facts: dict[str, Campaign]
    args: Args
    deciding: Deciding
    numbered: frozenset[str] = frozenset()
    """Campaigns whose material has, or has had, a telephone number."""
    problem: Invalid | None = None

    @property
    def period(self) -> Period:
        """Return the days covered."""
        return self.question.period

    @property
    def last_day(self) -> date:
        """Return the last day covered."""
        return self.period.end - timedelta(days=1)

    @property
    def other_period(self) -> Period | None:
        """Return the period to compare with."""
        compared = {"previous": preceding, "year": year_before}.get(self.against)
        return compared(self.period) if compared else None

    @property
    def other_last_day(self) -> date | None:
        """Return the last day of the period to compare with."""
        return self.other_period.end - timedelta(days=1) if self.other_period else None

    @property
    def earlier_periods(self) -> dict[str, tuple[str, Period]]:
        """Return the periods to set this one against, each once, with its heading."""
        last_year = {"year_ago": (gettext("Same period last year"), year_before(self.period))}
        if preceding(self.period) == year_before(self.period):
            return last_year
        return {"before": (gettext("Previous period"), preceding(self.period))} | last_year

    @property
    def filtered(self) -> bool:
        """Tell whether some campaigns are left out."""
        return self.question.campaigns is not None

    @property
    def channels(self) -> list[str]:
        """Return the channels of all campaigns."""
        return sorted({campaign.channel for campaign in self.facts.values()})

    def address(self, **changed: Any) -> dict[str, Any]:
        """Return this query with some values exchanged; None takes one out."""
        now: dict[str, Any] = self.args.to_dict(flat=False)
        now |= {"from" if name == "first" else name: value for name, value in changed.items()}
        return {name: value for name, value in now.items() if value not in (None, "", [])}


def read(
    session: Session, settings: Settings, today: date, args: Args, *, compared: bool = False
) -> ReportQuery:
    """Read a query; what is wrong is named, and the default stands in for all of it.

    Without a choice the model is the one that the installation decides by, or that and those to compare it
    with.
    """
    facts = {campaign.name: campaign for campaign in session.scalars(select(Campaign))}
    deciding = current(session, settings, today)
    numbers = select(Campaign.name).join(AdMaterial).join(NumberAssignment).distinct()
    told = (facts, args, deciding, frozenset(session.scalars(numbers)))
    models = deciding.compared if compared else (deciding.model,)
    try:
        return _read(settings, today, models, *told)
    except Invalid as error:
        period = roi.period_of(settings, today, None, None)
        question = Question(models, period, float(settings.lookback_days))
        return ReportQuery(question, "month", "", "", "", (), *told, error)


def deciding_first(asked: ReportQuery) -> ReportQuery:
    """Return a query in which the model that decides leads, where it is among several.

    Boxes that are ticked come in no order of the user's.
    """
    models = tuple(sorted(asked.question.models, key=lambda name: name != asked.deciding.model))
    return replace(asked, question=replace(asked.question, models=models))


def _read(
    settings: Settings,
    today: date,
    models: tuple[str, ...],
    facts: dict[str, Campaign],
    args: Args,
    deciding: Deciding,
    numbered: frozenset[str],
) -> ReportQuery:
    first, last = (day(name, args) for name in ("from", "to"))
    period = roi.period_of(settings, today, first, last)
    if (period.end - period.start).days > _MOST_DAYS:
        raise Invalid("from", gettext("the period is longer than 20 years; choose a later first day"))
    chosen = tuple(dict.fromkeys(args.getlist("model"))) or models
    if unknown := [name for name in chosen if name not in roi.REPORTED]:
        raise Invalid("model", gettext("%(name)s is not a model; choose one from the list", name=unknown[0]))
    step = args.get("by", "month")
    if step not in get_args(Step):
        raise Invalid("by", gettext("%(name)s is not a period; choose one from the list", name=step))
    against = args.get("against", "")
    if against not in ("", "previous", "year"):
        raise Invalid(
            "against", gettext("%(name)s is not a comparison; choose one from the list", name=against)
        )
    direction, channel = args.get("direction", ""), args.get("channel", "")
    if direction and direction not in set(Direction):
        raise Invalid(
            "direction", gettext("%(name)s is not a direction; choose one from the list", name=direction)
        )
    named = tuple(name for name in args.getlist("campaign") if name)
    for field, wanted, known in (
        ("campaign", named, facts.keys()),
        ("channel", (channel,) if channel else (), {fact.channel for fact in facts.values()}),
    ):
        if unknown := [name for name in wanted if name not in known]:
            raise Invalid(
                field, gettext("%(name)s is not an option; choose one from the list", name=unknown[0][:80])
            )
    chosen_campaigns = None
    if named or channel or direction:
        chosen_campaigns = frozenset(
            name
            for name, fact in facts.items()
            if (not named or name in named)
            and (not channel or fact.channel == channel)
            and (not direction or fact.direction == direction)
        )
    question = Question(chosen, period, _lookback(settings, args), chosen_campaigns)
    told = (facts, args, deciding, numbered)
    return ReportQuery(question, step, against, channel, direction, named, *told)  # type: ignore[arg-type]  # a Step


def _lookback(settings: Settings, args: Args) -> float:
    text = args.get("lookback", "").strip()
    try:
        days = float(text) if text else float(settings.lookback_days)
    except ValueError:
        days = 0.0
    if not 0 < days <= LONGEST_LOOKBACK_DAYS:
        raise Invalid(
            "lookback",
            "must be 1 to %(most)d days, not %(told)r",
            told=text,
            most=LONGEST_LOOKBACK_DAYS,
        )
    return days


def day(name: str, args: Args) -> date | None:
    """Return a day of a query or form, such as from=2026-03-01; None where the field is empty."""
    text = args.get(name, "").strip()
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(name, "%(told)r is not a date; enter it as 2026-03-01", told=text) from None
    if found is not None and found.year not in YEARS:
        first, last = YEARS[0], YEARS[-1]
        raise Invalid(
            name,
            "must be between the years %(first)s and %(last)s, not %(told)s",
            told=text,
            first=first,
            last=last,
        )
    return found
