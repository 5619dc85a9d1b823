"""What the import tests share: a file made of text, imported into Acme Pumps' installation."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.cast import ACME_DESK, CATALOGUE_NUMBER, FAIR_NUMBER, STOCKHOLM, moment
from tracking.imports import mapping, run
from tracking.imports.call_log import CallLog
from tracking.imports.cdr import CallRecords
from tracking.imports.costs import Costs
from tracking.imports.deals import Deals
from tracking.imports.outcomes import Result
from tracking.imports.reading import Table
from tracking.imports.run import Format
from tracking.imports.touches import Touches
from tracking.imports.values import Dialect
from tracking.imports.visits import Visits
from tracking.records import campaigns
from tracking.storage import db
from tracking.storage.vocabulary import Medium
from tracking.telephony import numbers

# What is refused before it reaches the database needs no second one to show it.
ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
DATA = Path(__file__).parent / "data"
LOCAL = Dialect(STOCKHOLM, "EUR")
NOW = moment("2026-06-01")


def table(text: str | bytes, name: str = "file.csv", **said: str) -> Table:
    """Return a file that holds ``text``."""
    return Table(io.BytesIO(text.encode() if isinstance(text, str) else text), name, **said)


def import_calls(engine: Engine, file: str | bytes | Path, **options: Any) -> Result:
    """Import a CDR, as text or from ``tests/data``."""
    source = table(file.read_bytes(), file.name) if isinstance(file, Path) else table(file)
    form = CallRecords(source, LOCAL, "SE", desk=ACME_DESK, keep_outgoing=options.pop("outgoing", False))
    return run.run(engine, source, form, at=NOW, **options)


def advertise(engine: Engine) -> None:
    """Print the catalogue and the fair stand with a number each, since New Year 2026."""
    with db.transaction(engine) as session:
        for name, number, medium in (
            ("Catalogue 2026", CATALOGUE_NUMBER, Medium.print),
            ("Fair 2026", FAIR_NUMBER, Medium.fair),
        ):
            campaign = campaigns.add(session, name, medium, at=moment("2026-01-01"))
            piece = campaigns.add_material(session, campaign, name, at=moment("2026-01-01"), medium=medium)
            row = numbers.add(session, number, at=moment("2026-01-01"), provider="asterisk")
            numbers.assign(session, row, piece, starts_at=moment("2026-01-01"))


def import_table(engine: Engine, kind: str, file: str | bytes | Path, **options: Any) -> Result:
    """Import a file with a header: calls, deals, costs, touches or visits."""
    name = options.pop("name", "file.csv")
    source = table(file.read_bytes(), file.name) if isinstance(file, Path) else table(file, name)
    said = {name: options.pop(name, "") for name in ("days", "site", "folder")}
    told = mapping.load(options.pop("mapping", None), options.pop("columns", ()), options.pop("stages", ()))
    dialect = options.pop("dialect", LOCAL if kind != "touches" else replace(LOCAL, zone=None))
    form: Format[Any] = {
        "calls": lambda: CallLog(source, dialect, "SE", told),
        "deals": lambda: Deals(source, dialect, "SE", told),
        "costs": lambda: Costs(source, dialect, told),
        "touches": lambda: Touches(source, dialect, "SE", told),
        "visits": lambda: Visits(source, dialect, told, **said),
    }[kind]()
    return run.run(engine, source, form, at=NOW, **options)
