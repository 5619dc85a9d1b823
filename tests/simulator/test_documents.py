"""What the documents say about the simulator is there."""

from pathlib import Path

import pytest

from simulator.scenario import names

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", names())
def test_every_shipped_world_is_in_the_comparison_of_models(name):
    assert f"`{name}`" in (DOCS / "which-model.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "command", ["simulate", "score", "market", "size-pool", "size-desk", "demo", "replay"]
)
def test_every_command_is_described(command):
    assert f"ringtrail {command}" in (DOCS / "simulator.md").read_text(encoding="utf-8")
