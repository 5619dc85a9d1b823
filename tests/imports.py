"""What the import tests share: a file made of text, imported into Acme Pumps' installation."""

import io
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from tests.cast import ACME_DESK, CATALOGUE_NUMBER, FAIR_NUMBER, moment
from tracking import campaigns, db, numbers
from tracking.imports import run
from tracking.imports.cdr import CallRecords
from tracking.imports.outcomes import Result
from tracking.imports.reading import Table
from tracking.imports.values import Dialect
from tracking.vocabulary import Medium

DATA = Path(__file__).parent / "data"
STOCKHOLM = ZoneInfo("Europe/Stockholm")
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
