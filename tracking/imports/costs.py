"""Costs from a spreadsheet or an advertising system's export: money, or hours at a rate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from tracking.errors import Invalid
from tracking.imports import values
from tracking.imports.headed import Headed, Occurrences
from tracking.imports.mapping import Told
from tracking.imports.outcomes import Outcome
from tracking.imports.reading import Table
from tracking.imports.run import each
from tracking.imports.values import Dialect
from tracking.records import campaigns, costs
from tracking.records.costs import CostRecord
from tracking.records.import_outcome import ImportOutcome
from tracking.storage import money


@dataclass(frozen=True, slots=True)
class _Spent:
    record: CostRecord
    campaign: str | None
    channel: str | None
    material: str | None


class Costs(Headed):
    """The rows of a list of costs."""

    kind = "costs"
    name = "costs"
    aliases = {  # noqa: RUF012 - a constant table
        "cost_id": ("id", "invoice", "voucher"),
        "campaign": ("campaign name", "utmcampaign", "utm campaign"),
        "channel": ("utmmedium", "utm medium"),
        "material": ("ad material",),
        "period": ("date", "day", "month", "interval"),
        "period_start": ("from", "start", "start date", "first day"),
        "period_end": (),
        "last_day": ("to", "until", "end", "end date"),
        "amount": ("cost", "spend", "expenses", "sum"),
        "currency": ("currency code",),
        "hours": (),
        "hourly_rate": ("rate", "hourly wage"),
        "category": ("kind", "type"),
        "direct": ("direct or indirect",),
        "note": ("description", "comment", "notes"),
    }

    def __init__(self, table: Table, dialect: Dialect, told: Told | None = None) -> None:
        super().__init__(table, dialect, told)
        self._occurrences = Occurrences()
        self.columns.require("period", "period_start")
        self.columns.require("amount", "hours")

    def read(self, cells: Sequence[str]) -> _Spent:
        """Read one cost."""

        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        currency = money.currency(cell("currency") or self.dialect.currency)
        start, end = self._period(cells)
        campaign = values.text(cell("campaign"), "campaign")
        direct = values.yes(cell("direct"), "direct") if cell("direct") else campaign is not None
        amount = values.amount(cell("amount"), "amount", currency, self.dialect)
        if amount is not None and amount < 0:
            raise Invalid("amount", "is negative; enter a refund as a smaller cost")
        record = CostRecord(
            period_start=start,
            period_end=end,
            currency=currency,
            category=values.text(cell("category"), "category") or "other",
            direct=direct,
            amount_minor=amount,
            minutes=values.minutes(cell("hours"), "hours", self.dialect),
            hourly_rate_minor=values.amount(cell("hourly_rate"), "hourly_rate", currency, self.dialect),
            note=values.text(cell("note"), "note", 2000) or "",
        )
        channel, material = values.text(cell("channel"), "channel"), values.text(cell("material"), "material")
        if material and not campaign:
            raise Invalid("campaign", "is empty, and the row names ad material; name its campaign")
        cost_id = values.text(cell("cost_id"), "cost_id", 190)
        key = f"cost-{cost_id}" if cost_id else self._occurrences.key(record, campaign, material)
        return _Spent(replace(record, source_key=key), campaign, channel, material)

    def save(self, session: Session, records: Sequence[_Spent], at: datetime) -> Sequence[Outcome]:
        """Add the costs, or bring them up to date."""
        found = self.campaigns.find(session, {r.campaign: r.channel for r in records if r.campaign}, at)

        def one(spent: _Spent) -> ImportOutcome:
            piece = (
                campaigns.material(session, spent.campaign or "", spent.material) if spent.material else None
            )
            campaign = found[spent.campaign] if spent.campaign else None
            return costs.save(session, spent.record, campaign=campaign, material=piece)[1]

        return each(session, records, one)

    def _period(self, cells: Sequence[str]) -> tuple[date, date]:
        def cell(name: str) -> str:
            return self.columns.cell(cells, name)

        if cell("period"):
            return values.interval(cell("period"), "period", self.dialect)
        start = values.day(cell("period_start"), "period_start", self.dialect)
        if cell("period_end") and cell("last_day"):
            raise Invalid("last_day", "and period_end are both filled in; leave one of them empty")
        if cell("last_day"):
            end = values.day(cell("last_day"), "last_day", self.dialect) + timedelta(days=1)
            if end <= start:
                raise Invalid(
                    "last_day", "lies before the first day, %(start)s; exchange them or mend one", start=start
                )
            return start, end
        if cell("period_end"):
            end = values.day(cell("period_end"), "period_end", self.dialect)
            if end <= start:
                raise Invalid(
                    "period_end",
                    "is the first day no longer covered, and not after %(start)s; write the day after, or "
                    "call the column last_day",
                    start=start,
                )
            return start, end
        return start, start + timedelta(days=1)
