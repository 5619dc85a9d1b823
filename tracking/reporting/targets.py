"""Targets against actuals, for campaigns that do not aim at sales alone, with their pace and the trend."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from reports.kpis import Period
from reports.targets import Pace, gone, of_year, window
from tracking.language import formatting
from tracking.language.words import measure_word, model_word
from tracking.records import annotations
from tracking.reporting import roi
from tracking.reporting.questions import ReportQuery
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings

_GOALS = {"leads": "lead", "qualified_leads": "qualified", "customers": "customers", "deals": "won"}
_CALLS = ("calls", "answered_calls")


def reached(
    settings: Settings, snapshot: Snapshot, asked: ReportQuery, session: Session, *, at: datetime
) -> list[dict[str, Any]]:
    """Return targets against actuals, measure by measure, of every campaign that has targets.

    A target is for the calendar year in which the period asked for ends, or for the campaign's own days in
    it; so far is up to the end of that period, at the most up to today. ``behind`` is the page of the
    records, not its address: mails are made where no request is.
    """
    day = min(asked.last_day, at.astimezone(settings.zone).date())
    wanted = {name: of_year(fact.targets, day.year) for name, fact in sorted(asked.facts.items())}
    year = (date(day.year - 1, 1, 1), date(day.year - 1, 12, 31))
    before = roi.recorded(snapshot, Period(year[0], date(day.year, 1, 1), settings.zone))
    seen = roi.evidence(snapshot, settings, replace(asked.question, models=(asked.deciding.model,))).connected
    rows = []
    for name, targets in wanted.items():
        first, last = window(day, asked.facts[name].starts_on, asked.facts[name].ends_on)
        share = gone(day, first, last)
        for measure, target in targets.items():
            key = measure.strip().lower().replace(" ", "_")
            if key in _GOALS or key in _CALLS:
                now = _figures(settings, snapshot, asked, date(day.year, 1, 1), day)
                known = before["calls" if key in _CALLS else "leads"]
                last_year = _of(_figures(settings, snapshot, asked, *year), name, key) if known else None
                # Of what nothing was recorded nobody can tell whether it is behind.
                so_far = _of(now, name, key) if name in seen else None
                pace = Pace(target, so_far, share, last_year)
                rows.append(
                    _row(name, measure, pace, (first, last)) | _source(asked, name, key, (first, day))
                )
            else:
                # The newest figure of the indicator of that name: a level, which does not add up over days.
                readings = annotations.readings(session, first=first, last=day)
                same = (r.value for r in readings if r.name.lower() == measure.strip().lower())
                level = Pace(target, next(same, None), 1.0)
                rest: dict[str, Any] = {"source": gettext("metric"), "behind": ("web.beside", {})}
                rest |= {"expected": None, "pace": formatting.NONE, "ahead": None}
                rest |= {"whole_year": None, "note": ""}
                rows.append(_row(name, measure, level, (first, last)) | rest)
    return rows


def conclusion(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return in one sentence how targets are coming along."""
    if not rows:
        return str(gettext("No campaign has targets yet."))
    judged = [row for row in rows if row["ahead"] is not None]
    if not judged:
        return str(gettext("Not enough data yet to judge the pace of targets."))
    late = [f"{row['campaign']} ({row['measure']})" for row in judged if row["ahead"] < 0]
    if not late:
        return str(gettext("No target is clearly behind."))
    return str(
        ngettext(
            "%(num)d of %(all)s targets is behind: %(names)s.",
            "%(num)d of %(all)s targets are behind: %(names)s.",
            len(late),
            all=len(rows),
            names=", ".join(late),
        )
    )


def plan(
    settings: Settings, snapshot: Snapshot, asked: ReportQuery, *, at: datetime
) -> tuple[int, list[dict[str, Any]]]:
    """Return next year, and for each campaign this year's cost and leads so far, and what leads come to."""
    day = at.astimezone(settings.zone).date()
    lines = _figures(settings, snapshot, asked, date(day.year, 1, 1), day)
    seen = roi.evidence(snapshot, settings, replace(asked.question, models=(asked.deciding.model,))).connected
    rows = []
    for name, fact in sorted(asked.facts.items()):
        share = gone(day, *window(day, fact.starts_on, fact.ends_on))
        pace = Pace(0.0, _of(lines, name, "leads") if name in seen else None, share)
        if pace.so_far or _of(lines, name, "cost_minor"):
            planned = fact.targets.get(f"leads {day.year + 1}", pace.whole_year)
            rows.append(
                {
                    "campaign": name,
                    "id": fact.id,
                    "cost_minor": _of(lines, name, "cost_minor"),
                    "so_far": pace.so_far,
                    "whole_year": pace.whole_year,
                    "planned": None if planned is None else round(planned),
                }
            )
    return day.year + 1, rows


def _figures(
    settings: Settings, snapshot: Snapshot, asked: ReportQuery, first: date, last: date
) -> dict[str, dict[str, Any]]:
    """Return the lines of some days by campaign, under the model that decides."""
    period = Period(first, last + timedelta(days=1), settings.zone)
    question = replace(asked.question, models=(asked.deciding.model,), period=period, campaigns=None)
    return roi.rows_of(snapshot, settings, question)


def _of(lines: dict[str, dict[str, Any]], name: str, key: str) -> float:
    return float(lines.get(name, {}).get(key, 0))


def _row(name: str, measure: str, pace: Pace, days: tuple[date, date]) -> dict[str, Any]:
    words = {1: gettext("ahead"), -1: gettext("behind"), None: formatting.NONE}
    words |= {0: gettext("on pace") if pace.close else _perhaps(pace)}
    note = ""
    if pace.far and pace.trend is not None:
        note = gettext(
            "Far outside the trend: a typical year brings about %(trend)s.",
            trend=formatting.count(round(pace.trend)),
        )
    whole = days == (date(days[0].year, 1, 1), date(days[0].year, 12, 31))
    return {
        "campaign": name,
        "measure": measure_word(measure),
        "days": str(days[0].year) if whole else f"{formatting.day(days[0])} – {formatting.day(days[1])}",
        "target": pace.target,
        "actual": pace.so_far,
        "expected": pace.expected,
        "pace": words[pace.ahead],
        "ahead": pace.ahead,
        "part": pace.reached,
        "last_year": pace.last_year,
        "whole_year": pace.whole_year,
        "note": note,
    }


def _perhaps(pace: Pace) -> str:
    below = pace.so_far is not None and pace.so_far < pace.expected
    return str(gettext("below, may be chance") if below else gettext("above, may be chance"))


def _source(asked: ReportQuery, name: str, key: str, days: tuple[date, date]) -> dict[str, Any]:
    model = asked.deciding.model
    between: dict[str, Any] = {"from": days[0], "to": days[1]}
    if key in _CALLS:
        behind: tuple[str, dict[str, Any]] = ("web.calls", {"campaign": name, "spam": "no"} | between)
    else:
        behind = ("web.roi_behind", {"goal": _GOALS[key], "model": model, "line": name} | between)
    source = gettext("calls, leads and deals (%(model)s model)", model=model_word(model))
    return {"source": source, "behind": behind}
