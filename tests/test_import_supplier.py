"""What is advertised, as one file; and the two worked figures, from the files of their suppliers."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.cast import STOCKHOLM, moment
from tests.imports import DATA, NOW, ON_SQLITE, import_calls, import_table
from tracking.errors import Invalid
from tracking.imports import mapping, supplier
from tracking.storage import db
from tracking.storage.models import AdMaterial, Cost, Deal, NumberAssignment, Touch, TrackingNumber
from tracking.storage.vocabulary import Medium, Stage

SUPPLIER = DATA / "worked_100" / "supplier.yaml"


def load(engine: Engine, path: Path = SUPPLIER) -> dict[str, int]:
    with db.transaction(engine) as session:
        document = supplier.read(path)
        return dict(supplier.save(session, document, at=NOW, region="SE", zone=STOCKHOLM))


def test_a_supplier_file_adds_what_is_missing_and_nothing_twice(engine: Engine, tmp_path: Path) -> None:
    assert load(engine) == {"campaigns": 1, "materials": 1, "numbers": 1, "assignments": 1}
    assert load(engine) == {"campaigns": 0, "materials": 0, "numbers": 0, "assignments": 0}
    with Session(engine) as session:
        (piece,) = session.scalars(select(AdMaterial))
        (held,) = session.scalars(select(NumberAssignment))
        assert (piece.name, piece.medium, piece.print_run) == ("Spring catalogue", Medium.print, 2000)
        assert (held.starts_at, held.ends_at) == (moment("2026-01-31 23:00"), None), "midnight in Stockholm"
        assert held.tracking_number.destination == "+46701740690"
    ended = tmp_path / "supplier.yaml"
    ended.write_text(SUPPLIER.read_text() + "            until: 2026-05-01\n")
    load(engine, ended)
    with Session(engine) as session:
        assert session.scalars(select(NumberAssignment.ends_at)).all() == [moment("2026-04-30 22:00")]


@ON_SQLITE
@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("medium: print", "medium: paper", r"campaigns\.0\.materials\.0\.medium"),
        ("channel: print", "chanel: print", r"campaigns\.0\.channel.*campaigns\.0\.chanel"),
        ("+46701740605", "extension five", "number: 'extension five' is not a phone number"),
        ("campaigns:", "campaigns: [", "is not YAML"),
    ],
)
def test_a_wrong_entry_is_named_by_its_place(
    engine: Engine, tmp_path: Path, old: str, new: str, error: str
) -> None:
    path = tmp_path / "supplier.yaml"
    path.write_text(SUPPLIER.read_text().replace(old, new, 1))
    with pytest.raises(Invalid, match=error):
        load(engine, path)


def money_of(engine: Engine) -> tuple[int, int, set[str | None]]:
    """Costs and revenue in cents, and the campaigns that touched the companies which bought."""
    with Session(engine) as session:
        costs = sum(session.scalars(select(Cost.amount_minor)))
        won = session.scalars(select(Deal).where(Deal.stage == Stage.won)).all()
        accounts = {deal.account_id for deal in won}
        touches = session.scalars(select(Touch)).all()
        touched = {t.contact.account.merged_into_id or t.contact.account_id for t in touches}
        assert accounts <= touched, "each deal has a touch"
        return (
            costs,
            sum(d.amount_minor for d in won),
            {t.campaign.name if t.campaign else None for t in touches},
        )


def test_the_first_worked_figure_comes_from_its_files(engine: Engine) -> None:
    load(engine)
    results = [
        import_calls(engine, DATA / "worked_100" / "calls.csv"),
        import_table(engine, "costs", DATA / "worked_100" / "costs.csv"),
        import_table(engine, "deals", DATA / "worked_100" / "deals.csv"),
    ]
    assert [(r.created, r.refused) for r in results] == [(1, 0), (1, 0), (1, 0)]
    assert money_of(engine) == (100_000, 200_000, {"Catalogue 2026"})


def test_the_second_worked_figure_comes_from_its_files(engine: Engine) -> None:
    results = [
        import_table(engine, kind, DATA / "worked_237_86" / f"{kind}.csv")
        for kind in ("touches", "costs", "deals")
    ]
    assert [(r.created, r.refused) for r in results] == [(4, 0), (4, 0), (4, 0)]
    assert money_of(engine) == (2_575_000, 8_700_000, {"Pump fair 2026"})


def test_a_main_line_is_known_by_the_file(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "supplier.yaml"
    path.write_text('main_lines: ["070-174 06 90"]\n' + SUPPLIER.read_text())
    assert load(engine, path)["numbers"] == 2
    assert load(engine, path)["numbers"] == 0
    with Session(engine) as session:
        mains = select(TrackingNumber.number).where(TrackingNumber.main_line)
        assert session.scalars(mains).all() == ["+46701740690"]


@pytest.mark.parametrize(
    "value", ["[" * 3000, "{a: " * 3000, "2026-99-99", "1" * 5000, "&a {}\nmore: [*a, *a]"]
)
def test_a_file_that_no_reader_gets_through_is_refused_in_words(tmp_path: Path, value: str) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(f"columns: {value}")
    with pytest.raises(Invalid, match="is not YAML"):
        supplier.parse(path.read_bytes(), path.name)
    with pytest.raises(Invalid, match="is not YAML"):
        mapping.load(str(path))
