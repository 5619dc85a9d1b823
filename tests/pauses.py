"""A supplier's leads by week, with a campaign that is paused: what tests of experiments read."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from tracking.records import campaigns, experiments
from tracking.records.experiments import Plan
from tracking.storage.models import Account, Campaign, Contact, Cost, Experiment, Touch
from tracking.storage.vocabulary import TouchKind

MADE = datetime(2024, 1, 1, tzinfo=UTC)
PAUSE = date(2026, 1, 5)
"""A Monday."""
LENGTH = 8
TODAY = PAUSE + timedelta(weeks=LENGTH)
CAMPAIGN = "Search ads"


def sell(
    session: Session, weeks: Mapping[int, tuple[int, int]], *, region: str | None = None, pause: date = PAUSE
) -> Campaign:
    """Let companies fill in a form: of each week so many from the campaign and so many from nowhere known."""
    campaign = campaigns.named(session, [CAMPAIGN]).get(CAMPAIGN)
    if campaign is None:
        campaign = campaigns.add(session, CAMPAIGN, "paid search", at=MADE)
    sources, moments = [], []
    for week, counts in weeks.items():
        day = pause + timedelta(weeks=week)
        for source, count in zip((campaign.id, None), counts, strict=True):
            sources += [source] * count
            moments += [datetime.combine(day + timedelta(days=n % 5), time(10), UTC) for n in range(count)]
    if not moments:
        return campaign
    rows: list[dict[str, Any]] = [{"region": region, "created_at": MADE} for _ in moments]
    accounts = session.scalars(insert(Account).returning(Account.id, sort_by_parameter_order=True), rows)
    rows = [{"account_id": number, "created_at": MADE} for number in accounts]
    contacts = session.scalars(insert(Contact).returning(Contact.id, sort_by_parameter_order=True), rows)
    rows = [
        {"contact_id": number, "occurred_at": at, "kind": TouchKind.form, "campaign_id": source}
        for number, at, source in zip(contacts, moments, sources, strict=True)
    ]
    session.execute(insert(Touch), rows)
    return campaign


def spend(session: Session, campaign: Campaign, first: date, end: date, amount_minor: int) -> None:
    """Let a campaign cost something over some days."""
    session.add(
        Cost(
            campaign_id=campaign.id,
            period_start=first,
            period_end=end,
            amount_minor=amount_minor,
            currency="EUR",
            category="media",
            direct=True,
        )
    )
    session.flush()


def paused(session: Session, **plan: object) -> Experiment:
    """Plan the pause of the campaign, and start it on its first day."""
    told = {"name": "Search off", "starts_on": PAUSE, "weeks": LENGTH} | plan
    if not {"campaign", "material", "number", "regions"} & told.keys():
        told["campaign"] = campaigns.get(session, CAMPAIGN)
    row = experiments.save(session, Plan(**told), by="mikael@acme.example", at=MADE)  # type: ignore[arg-type]  # as a plan has them
    experiments.start(session, row, row.starts_on)
    return row


def usual(first: int, end: int, *, own: int, other: int) -> dict[int, tuple[int, int]]:
    """Return weeks of about as many leads each, one more and one fewer from nowhere known in turn."""
    return {week: (own, other + (1 if week % 2 else -1)) for week in range(first, end)}
