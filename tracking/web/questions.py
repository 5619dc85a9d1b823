"""What a report is asked, read from its address, so that each view can be kept, sent and opened again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, get_args

import pyarrow as pa
from babel.dates import get_day_names, get_month_names
from babel.numbers import get_decimal_symbol, get_group_symbol, get_minus_sign_symbol
from flask import request
from flask_babel import get_locale, gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from attribution import UNATTRIBUTED
from reports.kpis import Period
from reports.roi import OVERHEAD, TOTAL, UNKNOWN
from reports.trends import Step, beginning, following, preceding, year_before
from tracking.errors import Invalid
from tracking.language import translate
from tracking.reporting import roi
from tracking.reporting.roi import Question
from tracking.storage import money
from tracking.storage.config import LONGEST_LOOKBACK_DAYS, Settings
from tracking.storage.models import Campaign
from tracking.storage.vocabulary import Direction

Args = MultiDict[str, str]
SHOWN_MODELS = ("first-touch", "last-touch", "linear")
_MOST_DAYS = 365 * 20


@dataclass(frozen=True)
class Asked:
    """A question as the address puts it, and what its form shows."""

    question: Question
    step: Step
    against: str
    channel: str
    direction: str
    campaigns: tuple[str, ...]
    facts: dict[str, Campaign]
    problem: Invalid | None

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
        last_year = {"year_ago": (gettext("Same days last year"), year_before(self.period))}
        if preceding(self.period) == year_before(self.period):
            return last_year
        return {"before": (gettext("As many days before"), preceding(self.period))} | last_year

    @property
    def filtered(self) -> bool:
        """Tell whether some campaigns are left out."""
        return self.question.campaigns is not None

    @property
    def channels(self) -> list[str]:
        """Return the channels of all campaigns."""
        return sorted({campaign.channel for campaign in self.facts.values()})

    def address(self, **changed: Any) -> dict[str, Any]:
        """Return the query of this page with some values exchanged; None takes one out."""
        now: dict[str, Any] = request.args.to_dict(flat=False)
        now |= {"from" if name == "first" else name: value for name, value in changed.items()}
        return {name: value for name, value in now.items() if value not in (None, "", [])}


def read(
    session: Session,
    settings: Settings,
    today: date,
    *,
    models: tuple[str, ...] = SHOWN_MODELS,
    args: Args | None = None,
) -> Asked:
    """Read the question of the address; what is wrong is named, and the default stands in for all of it.

    Whoever asks without a page gives the query itself as ``args``.
    """
    args = request.args if args is None else args
    facts = {campaign.name: campaign for campaign in session.scalars(select(Campaign))}
    try:
        return _read(settings, today, models, facts, args)
    except Invalid as error:
        period = roi.period_of(settings, today, None, None)
        question = Question(models, period, float(settings.lookback_days))
        return Asked(question, "month", "", "", "", (), facts, error)


def _read(
    settings: Settings, today: date, models: tuple[str, ...], facts: dict[str, Campaign], args: Args
) -> Asked:
    first, last = (day_from_query(name, args) for name in ("from", "to"))
    period = roi.period_of(settings, today, first, last)
    if (period.end - period.start).days > _MOST_DAYS:
        raise Invalid("from", gettext("the period has more than twenty years; choose a later first day"))
    chosen = tuple(dict.fromkeys(args.getlist("model"))) or models
    if unknown := [name for name in chosen if name not in roi.REPORTED]:
        raise Invalid(
            "model", gettext("%(name)s is no attribution model; choose from the list", name=unknown[0])
        )
    step = args.get("by", "month")
    if step not in get_args(Step):
        raise Invalid("by", gettext("%(name)s is no span of time; choose from the list", name=step))
    against = args.get("against", "")
    if against not in ("", "previous", "year"):
        raise Invalid(
            "against", gettext("%(name)s is no period to compare with; choose from the list", name=against)
        )
    direction, channel = args.get("direction", ""), args.get("channel", "")
    if direction and direction not in set(Direction):
        raise Invalid("direction", gettext("%(name)s is no direction; choose from the list", name=direction))
    named = tuple(name for name in args.getlist("campaign") if name)
    kept = None
    if named or channel or direction:
        kept = frozenset(
            name
            for name, fact in facts.items()
            if (not named or name in named)
            and (not channel or fact.channel == channel)
            and (not direction or fact.direction == direction)
        )
    question = Question(chosen, period, _lookback(settings, args), kept)
    return Asked(question, step, against, channel, direction, named, facts, None)  # type: ignore[arg-type]  # a Step


def _lookback(settings: Settings, args: Args) -> float:
    text = args.get("lookback", "").strip()
    try:
        days = float(text) if text else float(settings.lookback_days)
    except ValueError:
        days = 0.0
    if not 0 < days <= LONGEST_LOOKBACK_DAYS:
        raise Invalid(
            "lookback",
            "%(told)r is no number of days from 1 to %(most)d; write 365",
            told=text,
            most=LONGEST_LOOKBACK_DAYS,
        )
    return days


def day_from_query(name: str, args: Args | None = None) -> date | None:
    """Return a day of the address, such as ?from=2026-03-01; None where it names none."""
    text = (request.args if args is None else args).get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(name, "%(told)r is not a day; write it as 2026-03-01", told=text) from None


def line_words() -> dict[str, str]:
    """Return what lines in brackets are called."""
    return {
        TOTAL: gettext("(total)"),
        UNKNOWN: gettext("(unknown source)"),
        OVERHEAD: gettext("(overhead)"),
        UNATTRIBUTED: gettext("(unattributed)"),
    }


def chart_words() -> dict[str, str]:
    """Return the words that charts use."""
    return {name: translate.model_word(name) for name in roi.REPORTED} | {
        "Campaign": gettext("Campaign"),
        "Model": gettext("Model"),
        "ROI": gettext("ROI"),
        "Revenue": gettext("Revenue"),
        "Revenue so far": gettext("Revenue so far"),
        "Still to come": gettext("Still to come"),
        "from": gettext("from"),
        "to": gettext("to"),
        "value": gettext("value"),
        "series": gettext("series"),
        "what happened": gettext("what happened"),
    }


def chart_locale() -> dict[str, Any]:
    """Return how charts write numbers and days in the user's language."""
    locale = get_locale()
    days, short_days = get_day_names("wide", locale=locale), get_day_names("abbreviated", locale=locale)
    months = get_month_names("wide", "stand-alone", locale)
    short = get_month_names("abbreviated", "stand-alone", locale)
    week = (6, 0, 1, 2, 3, 4, 5)
    return {
        "number": {
            "decimal": get_decimal_symbol(locale),
            "thousands": get_group_symbol(locale),
            "grouping": [3],
            "currency": ["", ""],
            "percent": "\N{NO-BREAK SPACE}%",
            "minus": get_minus_sign_symbol(locale),
        },
        "time": {
            "dateTime": "%Y-%m-%d %H:%M",
            "date": "%Y-%m-%d",
            "time": "%H:%M",
            "periods": ["", ""],
            "days": [days[d] for d in week],
            "shortDays": [short_days[d] for d in week],
            "months": [months[m] for m in range(1, 13)],
            "shortMonths": [short[m] for m in range(1, 13)],
        },
    }


def is_whole(row: Mapping[str, Any], step: Step) -> bool:
    """Tell whether a row of a trend covers all of its week, month, quarter or year."""
    start, end = row["start"], row["end"]
    return bool(beginning(start, step) == start and following(start, step) == end)


def series(table: pa.Table, names: list[tuple[str, str]], currency: str, step: Step) -> pa.Table:
    """Return columns of a trend as rows for a chart: amounts in whole units of money, one series a column."""
    rows = []
    for row in table.to_pylist():
        whole = is_whole(row, step)
        for column, label in names:
            value = row[column]
            if column.endswith("_minor"):
                value = float(money.to_major(value, currency))
            figure = None if value is None else float(value)
            rows.append({"start": row["start"], "series": label, "value": figure, "whole": whole})
    return plain_series(rows)


def plain_series(rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows with ``start``, ``series``, ``value`` and ``whole`` as the table that a chart takes."""
    kinds = [("start", pa.date32()), ("series", pa.string()), ("value", pa.float64()), ("whole", pa.bool_())]
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))
