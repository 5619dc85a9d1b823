"""What landing pages and UTM tags have brought: credit of the touches that came by them."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from attribution import attribute
from reports.kpis import Period
from tracking.records.sources import UTM
from tracking.reporting.credit import GROUPS, Window
from tracking.reporting.snapshots import Snapshot
from tracking.storage.models import Touch


class By(StrEnum):
    """By what touches are told apart."""

    landing_page = "landing_page"
    utm = "utm"


RULE = "linear"
"""The model that is used where the one asked for learns from all journeys, and so from no page alone."""
_GOALS = ("lead", "won")


@dataclass(frozen=True, slots=True)
class Line:
    """What one landing page, or one set of tags, has brought in a period."""

    of: str
    """Host and path; or the tags, with * for one that is missing."""
    touches: int
    companies: int
    leads: float
    """Credited, as deals and revenue."""
    deals: float
    credit_minor: int


def model_for(model: str) -> str:
    """Return the model by which pages and tags are credited."""
    return model if model in GROUPS["rules"] else RULE


def brought(
    session: Session, taken: Snapshot, period: Period, model: str, window: Window, by: By
) -> list[Line]:
    """Return what each landing page or set of tags has brought, most revenue first.

    Touches count by when they happened, credit by when the company became a lead or the deal was won. Only
    touches on whose record a page or tags stand take part; what the others earn is in no line.
    """
    key = ("landing", period, model, window, by)
    return taken.remember(key, lambda: _brought(session, taken, period, model, window, by))


def _brought(
    session: Session, taken: Snapshot, period: Period, model: str, window: Window, by: By
) -> list[Line]:
    named = _named(session, by)
    whole = taken.tables.touches
    ids = whole["touch_id"].cast(pa.string())
    place = pc.index_in(ids, pa.array(list(named), pa.string()))
    names = pa.array(list(named.values()), pa.string()).take(place.combine_chunks())
    kept = pc.is_valid(names)
    touches, companies = Counter[str](), defaultdict[str, set[object]](set)
    inside = pc.and_(kept, period.holds(whole["occurred_at"]))
    for name, account in zip(
        pc.filter(names, inside.combine_chunks()).to_pylist(),
        whole["account_id"].filter(inside).to_pylist(),
        strict=True,
    ):
        touches[name] += 1
        companies[name].add(account)
    accounts = pc.unique(whole["account_id"].filter(kept))
    reached = taken.tables.conversions
    mine = pc.and_(pc.is_in(reached["account_id"], accounts), period.holds(reached["converted_at"]))
    reached = reached.filter(pc.and_(mine, pc.is_in(reached["goal"].cast(pa.string()), pa.array(_GOALS))))
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    if reached.num_rows:
        theirs = pc.is_in(whole["account_id"], accounts)
        column = whole.schema.get_field_index("ad_material")
        marked = whole.set_column(column, "ad_material", names).filter(theirs)
        shares = attribute(
            marked,
            reached,
            [model_for(model)],
            lookback_days=window.lookback_days,
            half_life_days=window.half_life_days,
        )
        goals = dict(zip(reached["conversion_id"].to_pylist(), reached["goal"].to_pylist(), strict=True))
        for row in shares.select(["conversion_id", "ad_material", "weight", "credit_minor"]).to_pylist():
            if row["ad_material"] is not None:
                goal = goals[row["conversion_id"]]
                sums[row["ad_material"]][goal] += row["weight"]
                sums[row["ad_material"]]["credit"] += row["credit_minor"]
    lines = [
        Line(
            of=name,
            touches=touches[name],
            companies=len(companies[name]),
            leads=float(sums[name]["lead"]),
            deals=float(sums[name]["won"]),
            credit_minor=int(sums[name]["credit"]),
        )
        for name in {*touches, *sums}
    ]

    def rank(line: Line) -> tuple[float, float, float, int, str]:
        return -line.credit_minor, -line.deals, -line.leads, -line.touches, line.of

    return sorted(lines, key=rank)


def _named(session: Session, by: By) -> dict[str, str]:
    """Return the page or the tags of each touch that has some."""
    if by is By.landing_page:
        rows = session.execute(select(Touch.id, Touch.landing_page).where(Touch.landing_page.is_not(None)))
        return {str(touch_id): page for touch_id, page in rows if page}
    tags = [getattr(Touch, name) for name in UTM]
    tagged = select(Touch.id, *tags).where(or_(*(tag.is_not(None) for tag in tags)))
    return {
        str(touch_id): " / ".join(one or "*" for one in told) for touch_id, *told in session.execute(tagged)
    }
