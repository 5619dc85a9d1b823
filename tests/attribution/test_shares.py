"""What is kept apart by conversion adds up to what the engine gives at once, under every model."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from attribution import MODELS, UNATTRIBUTED, attribute
from attribution.shares import UNIT, shares
from tests.attribution.market import market

NAMED = [name for name in MODELS if name not in ("custom", "self-reported", "hybrid")]


@pytest.fixture(scope="module")
def world() -> tuple[pa.Table, pa.Table, pa.Table]:
    made = market(400)
    accounts = made.conversions["account_id"].to_pylist()
    told = pa.table(
        {
            "answer_id": [f"a{i}" for i in range(len(accounts))],
            "account_id": accounts,
            "asked_at": made.conversions["converted_at"],
            "outcome": ["answered" if i % 3 else "not_asked" for i in range(len(accounts))],
            "campaign": ["fair" if i % 3 else None for i in range(len(accounts))],
            "channel": ["fair" if i % 3 else None for i in range(len(accounts))],
        }
    )
    return made.touches, made.conversions, told


@pytest.mark.parametrize("names", [NAMED, ["self-reported"], ["hybrid"], [*NAMED, "self-reported", "hybrid"]])
def test_shares_by_conversion_add_up_to_the_credit_of_each_campaign(
    world: tuple[pa.Table, pa.Table, pa.Table], names: list[str]
) -> None:
    touches, won, told = world
    options = {"half_life_days": 30, "lookback_days": 20, "answers": told}
    apart = shares(touches, won, names, **options)
    at_once = attribute(touches, won, names, by="campaign", **options)
    for name in names:
        summed = apart.group_by("campaign").aggregate([(f"credit {name}", "sum"), (f"units {name}", "sum")])
        found = {
            row["campaign"]: (row[f"credit {name}_sum"], row[f"units {name}_sum"] / UNIT)
            for row in summed.to_pylist()
            if row[f"units {name}_sum"]
        }
        mine = [row for row in at_once.to_pylist() if row["model"] == name and row["conversions"]]
        assert found == {row["campaign"]: (row["credit_minor"], row["conversions"]) for row in mine}


def test_every_conversion_is_shared_out_whole(world: tuple[pa.Table, pa.Table, pa.Table]) -> None:
    touches, won, _ = world
    apart = shares(touches.slice(0, 50), won, ["linear"])
    sums = apart.group_by("conversion_id").aggregate([("units linear", "sum"), ("credit linear", "sum")])
    assert set(sums["units linear_sum"].to_pylist()) == {UNIT}
    assert pc.sum(sums["credit linear_sum"]).as_py() == pc.sum(won["value_minor"]).as_py()
    assert UNATTRIBUTED in apart["campaign"].to_pylist(), "most accounts' touches were left out"
