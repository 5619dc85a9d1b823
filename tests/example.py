"""The example files that come with Ringtrail, taken through the imports that users have."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from tracking.errors import Conflict
from tracking.imports import run, supplier
from tracking.imports.call_log import CallLog
from tracking.imports.cdr import CallRecords
from tracking.imports.costs import Costs
from tracking.imports.deals import Deals
from tracking.imports.outcomes import Result
from tracking.imports.reading import Table
from tracking.imports.run import Format
from tracking.imports.touches import Touches
from tracking.imports.values import Dialect
from tracking.storage import db
from tracking.storage.models import Account, Campaign

# The example's own country, zone and currency, whatever the installation's are.
_REGION = "SE"
_ZONE = ZoneInfo("Europe/Stockholm")
_DIALECT = Dialect(_ZONE, "EUR")
_DESK = "+46701740690"

_FORMS: dict[str, Callable[[Table], Format[Any]]] = {
    "calls.csv": lambda table: CallRecords(table, _DIALECT, _REGION, desk=_DESK),
    "touches.csv": lambda table: Touches(table, replace(_DIALECT, zone=None), _REGION),
    "answers.csv": lambda table: CallLog(table, _DIALECT, _REGION),
    "deals.csv": lambda table: Deals(table, _DIALECT, _REGION),
    "costs.csv": lambda table: Costs(table, _DIALECT),
}


def load(engine: Engine, at: datetime) -> dict[str, Result]:
    """Fill an empty installation and return what came of each file; Conflict where it is not empty."""
    with db.reading(engine) as session:
        if session.scalar(select(Campaign.id).limit(1)) or session.scalar(select(Account.id).limit(1)):
            raise Conflict("the installation is not empty; load the example into one of its own")
    with as_file(files("tracking.demo.example")) as folder:
        with db.transaction(engine) as session:
            document = supplier.read(folder / "supplier.yaml")
            supplier.save(session, document, at=at, region=_REGION, zone=_ZONE)
        return {name: _import(engine, folder / name, form, at) for name, form in _FORMS.items()}


def _import(engine: Engine, path: Path, form: Callable[[Table], Format[Any]], at: datetime) -> Result:
    table = Table.open(str(path))
    try:
        return run.run(engine, table, form(table), at=at, strict=True)
    finally:
        table.close()
