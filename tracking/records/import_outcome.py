"""What taking a record from outside did to ours: created, updated or nothing."""

from collections.abc import Mapping
from enum import StrEnum

from tracking.storage.vocabulary import Base


class ImportOutcome(StrEnum):
    """What a record did."""

    created = "created"
    updated = "updated"
    unchanged = "unchanged"


def apply(row: Base, given: Mapping[str, object], effect: ImportOutcome) -> ImportOutcome:
    """Write the fields that differ; a row that was unchanged until now counts as updated by them."""
    for name, value in given.items():
        if value != getattr(row, name):
            setattr(row, name, value)
            effect = ImportOutcome.updated if effect is ImportOutcome.unchanged else effect
    return effect
