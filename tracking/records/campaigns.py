"""Campaigns, and the pieces of ad material that carry their numbers."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid, NotFound
from tracking.language import channels
from tracking.records import matching
from tracking.records.sources import UTM
from tracking.storage import money
from tracking.storage.models import AdMaterial, Campaign
from tracking.storage.names import source_name, tidy
from tracking.storage.vocabulary import Direction, Medium


def add(
    session: Session,
    name: str,
    channel: str,
    *,
    at: datetime,
    direction: Direction = Direction.inbound,
    **details: Any,
) -> Campaign:
    """Add a campaign; its name is its identity in imports and reports, so it is unique."""
    name, channel = source_name(name, "name"), channels.canonical(source_name(channel, "channel"))
    if session.scalar(select(Campaign.id).where(Campaign.name == name)) is not None:
        raise Conflict("a campaign named %(name)r already exists", name=name)
    _check(details)
    campaign = Campaign(name=name, channel=channel, direction=direction, created_at=at, **details)
    session.add(campaign)
    session.flush()
    _rematch(session, details)
    return campaign


def change(session: Session, campaign: Campaign, **details: Any) -> Campaign:
    """Change what is said of a campaign; history keeps pointing to it."""
    for field in {"name", "channel"} & details.keys():
        details[field] = source_name(details[field], field)
    if "channel" in details:
        details["channel"] = channels.canonical(details["channel"])
    # Checked before anything is written to the row, since a row once written goes out with the next flush.
    _check({field: getattr(campaign, field) for field in _CHECKED} | details)
    if "name" in details:
        taken = select(Campaign.id).where(Campaign.name == details["name"], Campaign.id != campaign.id)
        if session.scalar(taken) is not None:
            raise Conflict("a campaign named %(name)r already exists", name=details["name"])
    for field, value in details.items():
        setattr(campaign, field, value)
    session.flush()
    _rematch(session, details)
    return campaign


def _rematch(session: Session, details: Mapping[str, Any]) -> None:
    # What came before the campaign was told to be known by these tags is its too.
    if any(details.get(name) for name in UTM):
        matching.rematch(session)


def named(session: Session, names: Iterable[str]) -> dict[str, Campaign]:
    """Return the campaigns that exist among ``names``."""
    written = {name: tidy(name) for name in names}
    rows = session.scalars(select(Campaign).where(Campaign.name.in_(set(written.values()))))
    found = {campaign.name: campaign for campaign in rows}
    return {name: found[spelt] for name, spelt in written.items() if spelt in found}


def get(session: Session, name: str) -> Campaign:
    """Return the campaign of that name."""
    campaign = session.scalar(select(Campaign).where(Campaign.name == tidy(name)))
    if campaign is None:
        raise NotFound(
            "campaign %(name)r not found; run `ringtrail campaign list` to see all campaigns", name=name
        )
    return campaign


def add_material(
    session: Session,
    campaign: Campaign,
    name: str,
    *,
    at: datetime,
    medium: Medium | None = None,
    kind: str = "other",
    edition: str | None = None,
    print_run: int | None = None,
    issued_on: date | None = None,
    expires_on: date | None = None,
) -> AdMaterial:
    """Add a piece of ad material to a campaign; its name is unique within the campaign.

    Without ``medium`` its kind says what carries it, or the campaign's channel.
    """
    name = source_name(name, "name")
    same = select(AdMaterial.id).where(AdMaterial.campaign_id == campaign.id, AdMaterial.name == name)
    if session.scalar(same) is not None:
        raise Conflict(
            "campaign %(campaign)r already has an asset named %(name)r",
            campaign=campaign.name,
            name=name,
        )
    _check_material(print_run, issued_on, expires_on)
    material = AdMaterial(
        campaign=campaign,
        name=name,
        kind=kind,
        medium=medium or channels.medium_for(campaign.channel, kind),
        edition=edition,
        print_run=print_run,
        issued_on=issued_on,
        expires_on=expires_on,
        created_at=at,
    )
    session.add(material)
    session.flush()
    return material


def change_material(session: Session, material: AdMaterial, **details: Any) -> AdMaterial:
    """Change what is said of a piece of ad material; its numbers and calls stay with it."""
    if "name" in details:
        details["name"] = source_name(details["name"], "name")
        taken = select(AdMaterial.id).where(
            AdMaterial.campaign_id == material.campaign_id,
            AdMaterial.name == details["name"],
            AdMaterial.id != material.id,
        )
        if session.scalar(taken) is not None:
            raise Conflict(
                "the campaign already has an asset named %(name)r",
                name=details["name"],
            )
    fields = ("print_run", "issued_on", "expires_on")
    _check_material(*(details.get(field, getattr(material, field)) for field in fields))
    for field, value in details.items():
        setattr(material, field, value)
    session.flush()
    return material


def _check_material(print_run: int | None, issued_on: date | None, expires_on: date | None) -> None:
    if print_run is not None and print_run < 1:
        raise Invalid(
            "print_run",
            "must be 1 or more, not %(print_run)s; leave it empty if unknown",
            print_run=print_run,
        )
    _check_days(issued_on, expires_on, "expires_on")


def material(session: Session, campaign: str, name: str) -> AdMaterial:
    """Return a piece of ad material by the names of its campaign and its own."""
    found = session.scalar(
        select(AdMaterial)
        .join(Campaign)
        .where(Campaign.name == tidy(campaign), AdMaterial.name == tidy(name))
    )
    if found is None:
        raise NotFound("campaign %(campaign)r has no asset named %(name)r", campaign=campaign, name=name)
    return found


def of_campaign(campaign: Campaign | None, material: AdMaterial | None) -> Campaign | None:
    """Return the campaign, or the one that the ad material belongs to; both given must agree."""
    if material is None:
        return campaign
    if campaign is not None and campaign.id != material.campaign_id:
        raise Invalid(
            "ad_material",
            "%(name)r does not belong to campaign %(campaign)r",
            name=material.name,
            campaign=campaign.name,
        )
    return material.campaign


_CHECKED = ("starts_on", "ends_on", "budget_minor", "currency")


def _check(details: Mapping[str, Any]) -> None:
    starts_on, ends_on, budget, code = (details.get(field) for field in _CHECKED)
    _check_days(starts_on, ends_on, "ends_on")
    if budget is not None and budget < 0:
        raise Invalid("budget_minor", "must be 0 or more, not %(budget)s", budget=budget)
    if budget is not None and code is None:
        raise Invalid("currency", "choose a currency for the budget")
    if code is not None and code != (known := money.currency(code)):
        raise Invalid("currency", "%(code)r must be in capitals: %(known)s", code=code, known=known)


def _check_days(start: date | None, end: date | None, field: str) -> None:
    if start is not None and end is not None and end < start:
        raise Invalid(
            field,
            "the last day, %(end)s, is before the first day, %(start)s",
            end=end,
            start=start,
        )
