"""Targets against actuals, for campaigns that do not aim at sales alone."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy.orm import Session

from tracking.language.words import measure_word
from tracking.records import annotations
from tracking.reporting import roi
from tracking.reporting.questions import ReportQuery
from tracking.reporting.snapshots import Snapshot
from tracking.storage.config import Settings

_GOALS = {"leads": "lead", "qualified_leads": "qualified", "customers": "customers", "deals": "won"}


def reached(
    settings: Settings, snapshot: Snapshot, asked: ReportQuery, session: Session, *, at: datetime
) -> list[dict[str, Any]]:
    """Return targets against actuals, measure by measure, of every campaign that has targets.

    ``behind`` is the page of the records, not its address: mails are made where no request is.
    """
    wanted = {name: fact.targets for name, fact in sorted(asked.facts.items()) if fact.targets}
    if not wanted:
        return []
    question = replace(asked.question, models=("linear",), campaigns=None)
    lines = roi.compare(snapshot, settings, question, at=at).lines
    readings = annotations.readings(session, first=asked.period.start, last=asked.last_day)
    days: dict[str, Any] = {"from": asked.period.start, "to": asked.last_day}
    rows = []
    for name, targets in wanted.items():
        line = lines.get(name, {}).get("linear", {})
        for measure, target in targets.items():
            key = measure.strip().lower().replace(" ", "_")
            source = gettext("calls, leads and deals, model linear")
            behind: tuple[str, dict[str, Any]]
            if key in ("calls", "answered_calls"):
                behind = ("web.calls", {"campaign": name, "spam": "no"} | days)
                actual: float | None = float(line.get(key, 0))
            elif key in _GOALS:
                behind = ("web.roi_behind", {"goal": _GOALS[key], "model": "linear", "line": name} | days)
                actual = float(line.get(key, 0))
            else:
                # The newest figure of the indicator of that name.
                same = (r.value for r in readings if r.name.lower() == measure.strip().lower())
                behind, actual, source = ("web.beside", {}), next(same, None), gettext("indicator")
            rows.append(
                {
                    "campaign": name,
                    "measure": measure_word(measure),
                    "target": target,
                    "actual": actual,
                    "part": actual / target if actual is not None and target else None,
                    "source": source,
                    "behind": behind,
                }
            )
    return rows
