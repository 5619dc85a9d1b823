"""A supplier's partial tables on the command line: a partial fit, and words that say what is missing."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from simulator.market import World
from simulator.runs import mapper
from simulator.scenario import load
from simulator.write import tables
from tracking.cli import ringtrail

WEAR_PARTS = Path(__file__).parent / "data" / "markets" / "wear_parts.toml"


@pytest.fixture(scope="module")
def seen():
    """Give what a maker of wear parts has of a year, unlike the demo."""
    with mapper() as spread:
        found = tables(World(load(WEAR_PARTS), 20, 365, 5), spread)
    return {name: found[name] for name in ("touches", "conversions", "answers", "calls", "costs")}


@pytest.fixture
def told(tmp_path):
    """Fit a market to tables and decide in it; give what the two commands say, in one line each."""

    def run(data):
        for name, table in data.items():
            pq.write_table(table, tmp_path / f"{name}.parquet")
        mine = str(tmp_path / "mine.toml")
        words = []
        for command in (
            ["fit", str(tmp_path), "--accounts", "80", "--trials", "1", "--out", mine],
            ["decide", str(tmp_path), mine, "--draws", "2"],
        ):
            result = CliRunner(env={"COLUMNS": "400"}).invoke(ringtrail, ["market", *command])
            assert result.exit_code == 0, (result.output, result.exception)
            words.append(" ".join(result.output.split()))
        return words

    return run


def where(table, keep):
    return table.filter(pc.fill_null(keep, False))


def test_orders_and_touches_alone_give_estimates_and_say_what_no_table_tells(seen, told):
    conversions = where(seen["conversions"], pc.equal(seen["conversions"]["goal"], "won"))
    fitted, decided = told({"touches": seen["touches"], "conversions": conversions})
    for words in (fitted, decided):
        assert "There are no answers: how often callers are asked, and what they answer, is assumed." in words
        assert "There are no calls: everyone is taken to be answered at once." in words
        assert "There are no costs: no budget can be moved" in words
        assert "There are no touches" not in words
    assert "Not fitted, since the tables do not tell: contact.phone" in fitted
    assert "Fewer than two campaigns have movable costs and tracked results" in decided
    # What each may cause is estimated all the same.
    assert "Margin lost in a year without each campaign, under these beliefs, SEK." in decided
    assert "Left out of moves, no cost entered: field_visits, marketplace, paid_search" in decided
    assert "fixed costs only" not in decided


def test_twelve_deals_of_one_campaign_without_web_visits_fairs_and_answers_judge_nothing(seen, told):
    touches, costs = seen["touches"], seen["costs"]
    by_field = pc.and_(pc.equal(touches["campaign"], "field_visits"), pc.not_equal(touches["kind"], "visit"))
    won = where(seen["conversions"], pc.equal(seen["conversions"]["goal"], "won"))
    fitted, decided = told(
        {
            "touches": where(touches, by_field),
            "conversions": won.slice(0, 12),
            "answers": seen["answers"].slice(0, 0),
            "costs": where(costs, pc.equal(costs["campaign"], "field_visits")),
        }
    )
    assert "There are no answers" in fitted
    assert "There are no calls" in fitted
    assert "There are no costs" not in fitted
    assert "Better than leaving the budget: too little to tell." in decided
    assert "Your data hold 12 deals; no move is judged by fewer than 20." in decided
    assert "Fewer than two campaigns have movable costs and tracked results" in decided
    assert "Range of 90 %" in decided


@pytest.mark.parametrize(
    ("spoilt", "error"),
    [
        ({"goal": "lead"}, "conversions holds no order (goal won): there is nothing to fit to"),
        ({"value_minor": 0}, "conversions holds no order with a value above 0: enter the values of deals"),
    ],
)
def test_conversions_that_nothing_can_be_fitted_to_are_refused_with_the_reason(tmp_path, seen, spoilt, error):
    table = where(seen["conversions"], pc.equal(seen["conversions"]["goal"], "won"))
    ((name, value),) = spoilt.items()
    place = table.schema.get_field_index(name)
    column = pa.array([value] * len(table), table.schema.field(place).type)
    pq.write_table(table.set_column(place, name, column), tmp_path / "conversions.parquet")
    result = CliRunner().invoke(
        ringtrail, ["market", "fit", str(tmp_path), "--out", str(tmp_path / "mine.toml")]
    )
    assert result.exit_code == 2
    assert error in " ".join(result.output.split())
    assert not (tmp_path / "mine.toml").exists()
