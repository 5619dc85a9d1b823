"""The one place that reads the clock; edges call it and hand the moment down as ``at=``."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return this moment, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the ban exists so that every other reader comes here
