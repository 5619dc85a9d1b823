"""The bars of docs/trust.md in their short form; `make trust` runs the long one."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMES = re.compile(r"^def (test_\w+)", re.MULTILINE)
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


@pytest.mark.parametrize("page", ["trust", "security"])
def test_each_promise_names_a_test_that_is_there(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    there = {name for path in (ROOT / "tests").rglob("test_*.py") for name in NAMES.findall(path.read_text())}
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named
    assert named - there == set()
    assert [path for path in re.findall(r"`(tests/\S+\.py)`", text) if not (ROOT / path).is_file()] == []
