"""The bars of docs/trust.md in their short form; `make trust` runs the long one."""

from importlib import import_module

import pytest

BARS = [
    ("kills", "sqlite"),
    ("kills", "postgresql"),
    ("faults", "sqlite"),
    ("faults", "postgresql"),
    ("load", "postgresql"),
    ("histories", "sqlite"),
    ("histories", "postgresql"),
    ("forgeries", "sqlite"),
    ("canaries", "sqlite"),
]


@pytest.mark.parametrize(("bar", "database"), BARS)
def test_the_bar_is_met(bar: str, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = import_module(f"benchmarks.trust.{bar}").run(database, 0.001)
    with capsys.disabled():
        print("", *found, sep="\n")
    assert found
    assert [str(each) for each in found if not each.is_met] == []
