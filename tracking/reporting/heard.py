"""What callers answer beside what was tracked: by channel, by who asked, over time."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from attribution.agreement import compared
from reports.kpis import Period
from tracking.language import channels
from tracking.reporting.snapshots import Snapshot
from tracking.storage.models import Answer

UNTRACKED = "untracked"
"""Stands for the channel of what nothing was tracked of."""
UNCODED, UNKNOWN, DECLINED = "words only", "unknown", "declined"
"""Stand for the answer where it names no channel: not told yet what it means, not known, not given."""
_NAMELESS = (UNCODED, UNKNOWN, DECLINED)
_ASKED = ("answered", "declined", "unknown")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often answers and tracking agree, in one line of a table."""

    of: str | None
    """The rep, the channel or the month; null: no rep is named."""
    entries: int
    asked: int
    answered: int
    comparable: int
    """Answers that name a source, where one was tracked too."""
    agreed: int

    @property
    def asked_rate(self) -> float | None:
        """Return asked / entries; None where there is nothing to divide by."""
        return self.asked / self.entries if self.entries else None

    @property
    def agreed_rate(self) -> float | None:
        """Return agreed / comparable; None where there is nothing to divide by."""
        return self.agreed / self.comparable if self.comparable else None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where answers name one channel and tracking another."""

    tracked: str
    answered: str
    count: int


@dataclass(frozen=True, slots=True)
class Heard:
    """Answers against tracking in a period; every entry that stands counts once, by the day of asking."""

    rows: Sequence[Mapping[str, Any]]
    """Each with ``tracked`` and ``answered`` as buyers call the channels, and ``agreed``."""
    period: Period
    taken_at: datetime

    @property
    def total(self) -> Agreement:
        """Return all in one line."""
        return _line(None, self.rows)

    @property
    def cells(self) -> Mapping[tuple[str, str], int]:
        """Count the askings by what was tracked and what was answered."""
        return Counter((row["tracked"], row["answered"]) for row in self.rows if row["answered"])

    @property
    def tracked(self) -> list[str]:
        """Return the channels that were tracked, the most frequent first, what was not tracked last."""
        return _ordered(((tracked, count) for (tracked, _), count in self.cells.items()), (UNTRACKED,))

    @property
    def answered(self) -> list[str]:
        """Return the channels that were named, the most frequent first, answers without one last."""
        return _ordered(((answered, count) for (_, answered), count in self.cells.items()), _NAMELESS)

    @property
    def by_rep(self) -> list[Agreement]:
        """Return a line for each who asked, those with most entries first."""
        return self._by("rep")

    @property
    def by_channel(self) -> list[Agreement]:
        """Return a line for each channel that was tracked."""
        return self._by("tracked")

    @property
    def by_month(self) -> list[Agreement]:
        """Return a line for each month, as 2026-03, the first one first."""
        return sorted(self._by("month"), key=lambda line: line.of or "")

    @property
    def differences(self) -> list[Difference]:
        """Return where both name a channel and not the same, the most frequent first."""
        counts = Counter((row["tracked"], row["answered"]) for row in self.rows if row["agreed"] is False)
        most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return [Difference(tracked, answered, count) for (tracked, answered), count in most]

    def _by(self, name: str) -> list[Agreement]:
        groups: dict[str | None, list[Mapping[str, Any]]] = {}
        for row in self.rows:
            groups.setdefault(row[name], []).append(row)
        lines = [_line(of, rows) for of, rows in groups.items()]
        return sorted(lines, key=lambda line: (-line.entries, line.of is None, line.of or ""))


def heard(session: Session, taken: Snapshot, period: Period) -> Heard:
    """Set the answers asked for in a period beside what was tracked of the same buyers."""

    def make() -> Heard:
        tables = taken.tables
        asked_at = tables.answers["asked_at"]
        covered = pc.and_(pc.greater_equal(asked_at, period.since), pc.less(asked_at, period.until))
        mine = tables.answers.filter(covered)
        buyers = pc.unique(mine["account_id"])
        of_these = tables.touches.filter(pc.is_in(tables.touches["account_id"], buyers))
        touches, answers = _common(of_these), _common(mine)
        found = compared(touches, answers, _common(tables.calls)).to_pylist()
        # Names of people are not in the tables that lie on the disk.
        asked = select(Answer.id, Answer.asked_by).where(
            Answer.asked_at >= period.since, Answer.asked_at < period.until
        )
        reps = {str(number): rep for number, rep in session.execute(asked)}
        rows = [_row(row, period) | {"rep": reps.get(row["answer_id"])} for row in found]
        return Heard(rows, period, taken.taken_at)

    return taken.remember(("heard", period), make)


def _common(table: pa.Table) -> pa.Table:
    names = pc.unique(table["channel"].cast(pa.string())).to_pylist()
    common = {name: channels.common(name) for name in names if name is not None}
    values = table["channel"].cast(pa.string())
    place = pc.index_in(values, pa.array(list(common), pa.string()))
    said = pa.array(list(common.values()), pa.string()).take(place.combine_chunks())
    return table.set_column(table.column_names.index("channel"), "channel", said)


def _row(row: dict[str, Any], period: Period) -> dict[str, Any]:
    answered = {"answered": row["answered"] or UNCODED, "declined": DECLINED, "unknown": UNKNOWN}
    return row | {
        "tracked": row["tracked"] or UNTRACKED,
        "answered": answered.get(row["outcome"]),
        "month": row["asked_at"].astimezone(period.zone).strftime("%Y-%m"),
    }


def _line(of: str | None, rows: Sequence[Mapping[str, Any]]) -> Agreement:
    return Agreement(
        of,
        len(rows),
        sum(row["outcome"] in _ASKED for row in rows),
        sum(row["outcome"] == "answered" for row in rows),
        sum(row["agreed"] is not None for row in rows),
        sum(row["agreed"] is True for row in rows),
    )


def _ordered(counts: Iterable[tuple[str, int]], last: Sequence[str]) -> list[str]:
    sums: Counter[str] = Counter()
    for name, count in counts:
        sums[name] += count
    return sorted(sums, key=lambda name: (last.index(name) if name in last else -1, -sums[name], name))


def channel_word(channel: str) -> str:
    """Return what a channel of this report is called."""
    words = {
        UNTRACKED: gettext("not tracked"),
        UNCODED: gettext("in words only"),
        UNKNOWN: gettext("unknown"),
        DECLINED: gettext("would not say"),
    }
    label = words.get(channel) or channels.label(channel)
    return str(channels.word(channel) if label == channel else label)
