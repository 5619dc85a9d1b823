"""Journey tables written row by row, for worked examples."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reports.kpis import Period
from tests.cast import moment
from tests.reports.test_roi import World

UTC = ZoneInfo("UTC")


def buyers(count: int, campaign: str, value_minor: int, *, lead: str, days: int | None) -> World:
    """Buying companies that each met one campaign, became leads, and bought ``days`` later or not yet."""
    return add(World(), count, campaign, value_minor, lead=lead, days=days)


def add(world: World, count: int, campaign: str, value_minor: int, *, lead: str, days: int | None) -> World:
    """Add such companies to a world."""
    start = len(world.rows["touches"])
    for number in range(count):
        account = f"{campaign} {start + number}"
        world.path(account, campaign, lead)
        world.won(account, 0, lead, "lead")
        if days is not None:
            world.won(account, value_minor, str((moment(lead) + timedelta(days=days)).date()))
    return world


def days(start: Any, end: Any) -> Period:
    """A period in UTC."""
    return Period(start, end, UTC)
