"""Campaigns, and the pieces of ad material that carry their numbers."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracking.errors import Conflict, Invalid, NotFound
from tracking.models import AdMaterial, Campaign
from tracking.vocabulary import Direction, Medium


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
    name, channel = required(name, "name"), required(channel, "channel")
    if session.scalar(select(Campaign.id).where(Campaign.name == name)) is not None:
        raise Conflict(f"there is a campaign named {name!r} already; choose another name")
    campaign = Campaign(name=name, channel=channel, direction=direction, created_at=at, **details)
    _check_days(campaign.starts_on, campaign.ends_on, "ends_on")
    session.add(campaign)
    session.flush()
    return campaign


def change(session: Session, campaign: Campaign, **details: Any) -> Campaign:
    """Change what is said of a campaign; history keeps pointing to it."""
    if "name" in details:
        details["name"] = required(details["name"], "name")
        taken = select(Campaign.id).where(Campaign.name == details["name"], Campaign.id != campaign.id)
        if session.scalar(taken) is not None:
            raise Conflict(f"there is a campaign named {details['name']!r} already; choose another name")
    for field, value in details.items():
        setattr(campaign, field, value)
    _check_days(campaign.starts_on, campaign.ends_on, "ends_on")
    session.flush()
    return campaign


def named(session: Session, names: Iterable[str]) -> dict[str, Campaign]:
    """Return the campaigns that exist among ``names``."""
    found = session.scalars(select(Campaign).where(Campaign.name.in_(set(names))))
    return {campaign.name: campaign for campaign in found}


def get(session: Session, name: str) -> Campaign:
    """Return the campaign of that name."""
    campaign = session.scalar(select(Campaign).where(Campaign.name == name))
    if campaign is None:
        raise NotFound(f"there is no campaign named {name!r}; `ringtrail campaign list` shows them")
    return campaign


def add_material(
    session: Session,
    campaign: Campaign,
    name: str,
    *,
    at: datetime,
    medium: Medium,
    kind: str = "other",
    edition: str | None = None,
    print_run: int | None = None,
    issued_on: date | None = None,
    expires_on: date | None = None,
) -> AdMaterial:
    """Add a piece of ad material to a campaign; its name is unique within the campaign."""
    name = required(name, "name")
    same = select(AdMaterial.id).where(AdMaterial.campaign_id == campaign.id, AdMaterial.name == name)
    if session.scalar(same) is not None:
        raise Conflict(
            f"campaign {campaign.name!r} has ad material named {name!r} already; choose another name"
        )
    if print_run is not None and print_run < 1:
        raise Invalid("print_run", f"{print_run} copies is not a print run; give 1 or more, or leave it out")
    _check_days(issued_on, expires_on, "expires_on")
    material = AdMaterial(
        campaign=campaign,
        name=name,
        kind=kind,
        medium=medium,
        edition=edition,
        print_run=print_run,
        issued_on=issued_on,
        expires_on=expires_on,
        created_at=at,
    )
    session.add(material)
    session.flush()
    return material


def material(session: Session, campaign: str, name: str) -> AdMaterial:
    """Return a piece of ad material by the names of its campaign and its own."""
    found = session.scalar(
        select(AdMaterial).join(Campaign).where(Campaign.name == campaign, AdMaterial.name == name)
    )
    if found is None:
        raise NotFound(f"campaign {campaign!r} has no ad material named {name!r}")
    return found


def required(value: str, field: str) -> str:
    """Return ``value`` without surrounding blanks, or raise Invalid where nothing is left of it."""
    value = " ".join(value.split())
    if not value:
        raise Invalid(field, "is empty; give it a name")
    if len(value) > 200:
        raise Invalid(field, f"has {len(value)} characters; give at most 200")
    return value


def _check_days(start: date | None, end: date | None, field: str) -> None:
    if start is not None and end is not None and end < start:
        raise Invalid(field, f"{end} lies before the first day, {start}; exchange them or mend one")
