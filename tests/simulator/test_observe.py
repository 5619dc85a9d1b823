"""What the tracker sees: within the contract, true where it should be, and poorer only where the scenario
says so."""

import hashlib
import importlib.util
import os
from collections import Counter

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from attribution import attribute, validate
from simulator.market import World
from simulator.runs import mapper
from simulator.scenario import load
from simulator.truth import find
from simulator.write import TABLES, tables, write, write_truth

CONTRACT = ("touches", "conversions", "answers", "calls", "visits", "costs")
SMALL = {
    "warmup_days": 120,
    "tail_days": 30,
    "desk.reps": 1,
    "desk.lines": 2,
    "desk.customer_calls_per_day": 7.0,
    "desk.junk_per_day": 2.0,
}


@pytest.fixture(scope="module")
def world():
    return World(load("plain", SMALL), accounts=600, days=240, seed=6)


@pytest.fixture(scope="module")
def seen(world):
    with mapper() as spread:
        return tables(world, spread)


@pytest.fixture(scope="module")
def report(world):
    with mapper() as spread:
        return find(world, spread).report


def see(overrides, accounts=400, name="plain"):
    with mapper() as spread:
        return tables(World(load(name, SMALL | overrides), accounts, 240, 6), spread)


@pytest.mark.parametrize("name", CONTRACT)
def test_every_table_fulfils_the_contract(seen, name):
    assert validate(seen[name], name).num_rows > 0


def test_the_orders_seen_are_the_orders_of_the_truth(seen, report):
    won = seen["conversions"].filter(pc.equal(seen["conversions"]["goal"], "won"))
    assert won.num_rows == report["window"]["orders"]
    assert pc.sum(won["value_minor"]).as_py() == report["window"]["revenue_minor"]
    assert pc.sum(won["margin_minor"]).as_py() == report["window"]["margin_minor"]


def test_costs_add_up_to_what_the_truth_says_was_spent(seen, report):
    for name, campaign in report["campaigns"].items():
        rows = seen["costs"].filter(pc.equal(seen["costs"]["campaign"], name))
        assert pc.sum(rows["amount_minor"]).as_py() == sum(campaign["spend_minor"].values())


def test_in_the_world_of_one_touch_and_no_baseline_every_model_equals_the_truth():
    world = World(load("one-touch"), accounts=1500, days=365, seed=3)
    with mapper() as spread:
        report = find(world, spread).report
        seen = tables(world, spread)
    won = seen["conversions"].filter(pc.equal(seen["conversions"]["goal"], "won"))
    models = [
        "first-touch", "last-touch", "last-non-direct", "linear", "position-based", "u-shaped", "w-shaped",
        "full-path", "j-shaped", "inverse-j", "time-decay", "markov", "shapley", "shapley-coalitions",
        "self-reported", "hybrid",
    ]  # fmt: skip
    credit = attribute(
        seen["touches"], won, models, by="campaign", half_life_days=7, answers=seen["answers"]
    ).to_pylist()
    assert report["baseline"]["orders"] == 0
    assert report["incremental"]["orders"] > 100
    removal = {name: campaign["removal"]["revenue_minor"] for name, campaign in report["campaigns"].items()}
    for model in models:
        given = {row["campaign"]: row["credit_minor"] for row in credit if row["model"] == model}
        assert given == removal, model
    # One touch each: nobody in this world has more touches than enquiries.
    assert set(seen["touches"]["kind"].to_pylist()) == {"call"}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("workers", "engine"), [(2, "local"), (2, "spark")])
def test_the_same_seed_gives_the_same_bytes_on_one_worker_on_two_and_on_spark(
    tmp_path, monkeypatch, one_worker, workers, engine
):
    # The Java side closes its sockets when it pleases, hence the two warnings.
    if engine == "spark" and not importlib.util.find_spec("pyspark") and not os.environ.get("CI"):
        pytest.skip("install ringtrail[spark] to compare with Spark")
    monkeypatch.setattr("simulator.runs.SHARD", 128)
    assert digests(tmp_path, workers, engine) == one_worker


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulator.runs.SHARD", 128)
        found = digests(tmp_path_factory.mktemp("one"), 1, "local")
    files = {*(f"{name}.parquet" for name in TABLES), "scenario.json", "truth.json", "truth_deals.parquet"}
    assert set(found) == files
    return found


def digests(out, workers, engine):
    """Write a market and its truth; return what its files hold, as checksums."""
    world = World(load("plain", SMALL), accounts=300, days=120, seed=2)
    with mapper(workers, engine) as spread:
        rows = write(world, out, spread)
        write_truth(world, find(world, spread), out)
    assert all(count > 0 for count in rows.values())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}


def test_what_is_written_is_what_is_held_in_memory(tmp_path, world, seen):
    with mapper() as spread:
        write(world, tmp_path, spread)
    for name in TABLES:
        assert pq.read_table(tmp_path / f"{name}.parquet").equals(seen[name]), name


def test_another_seed_is_another_market(seen, world):
    with mapper() as spread:
        other = tables(World(world.scenario, 600, 240, 7), spread)
    assert not other["touches"].equals(seen["touches"])


def test_ids_and_people_belong_to_the_companies_they_name(seen):
    accounts = set(seen["accounts"]["account_id"].to_pylist())
    contacts = dict(
        zip(*(seen["contacts"][c].to_pylist() for c in ("contact_id", "account_id")), strict=True)
    )
    for row in seen["touches"].to_pylist():
        assert row["account_id"] in accounts or row["account_id"].startswith("unknown-")
        assert row["contact_id"] is None or contacts[row["contact_id"]] == row["account_id"]


def test_telephone_numbers_come_only_from_the_ranges_for_fiction(seen):
    pattern = r"^(\+467017406(0[5-9]|[1-9]\d)|\+442079460\d{3}|\+493023125\d{3}|\+120255501\d{2})$"
    for numbers in (seen["contacts"]["phone"], seen["accounts"]["switchboard"]):
        assert pc.all(pc.match_substring_regex(numbers, pattern)).as_py()


def test_a_lost_cookie_loses_the_touch_and_not_the_visit():
    perfect, blind = see({"observer.cookie_loss": 0.0}), see({"observer.cookie_loss": 1.0})
    visits = [pc.sum(each["visits"]["visits"]).as_py() for each in (perfect, blind)]
    assert visits[0] == visits[1]
    assert "visit" in perfect["touches"]["kind"].to_pylist()
    assert "visit" not in blind["touches"]["kind"].to_pylist()
    assert perfect["conversions"].equals(blind["conversions"])


def test_withheld_numbers_become_callers_nobody_knows():
    hidden = see({"observer.withheld": 1.0, "observer.identified": 0.0})
    calls = hidden["touches"].filter(pc.equal(hidden["touches"]["kind"], "call"))
    assert pc.all(pc.starts_with(calls["account_id"], "unknown-")).as_py()
    assert hidden["calls"]["account_id"].null_count == hidden["calls"].num_rows


def test_a_switchboard_hides_who_in_the_company_called():
    shared = see({"observer.switchboard": 1.0})
    calls = shared["touches"].filter(pc.equal(shared["touches"]["kind"], "call"))
    assert calls["contact_id"].null_count == calls.num_rows


def test_lost_webhooks_lose_calls_in_proportion():
    all_told, half = see({"observer.lost_webhooks": 0.0}), see({"observer.lost_webhooks": 0.5})
    calls = all_told["calls"].num_rows
    assert abs(half["calls"].num_rows - calls / 2) < 4 * np.sqrt(calls) / 2
    assert set(half["calls"]["call_id"].to_pylist()) <= set(all_told["calls"]["call_id"].to_pylist())


def test_callers_are_asked_at_the_stated_rate_and_decline_at_theirs():
    answers = see({"observer.answers.asked": 0.3, "observer.answers.declined": 0.2}, accounts=2000)["answers"]
    counts = Counter(answers["outcome"].to_pylist())
    total = answers.num_rows
    asked = total - counts["not_asked"]
    assert abs(asked - 0.3 * total) < 4 * np.sqrt(total * 0.3 * 0.7)
    assert abs(counts["declined"] - 0.2 * asked) < 4 * np.sqrt(asked * 0.2 * 0.8)


def test_a_decoy_that_never_ran_is_named_and_by_no_tracker_seen():
    heavy = see({"observer.answers.decoy": 100.0, "observer.answers.asked": 1.0})
    named = Counter(heavy["answers"]["campaign"].to_pylist())
    assert named.most_common(1)[0][0] == "(never ran)"
    assert "(never ran)" not in heavy["touches"]["campaign"].to_pylist()


def test_a_pool_of_one_number_gives_calls_to_other_visitors_sources():
    crowded = {"observer.pool.views_per_day": 500.0}
    roomy = see(crowded | {"observer.pool.numbers": 10_000})
    tight = see(crowded | {"observer.pool.numbers": 1})
    assert roomy["calls"].num_rows == tight["calls"].num_rows
    pairs = zip(roomy["calls"]["campaign"].to_pylist(), tight["calls"]["campaign"].to_pylist(), strict=True)
    changed = Counter(before for before, after in pairs if before != after)
    assert changed["search_ads"] > 0
    # Numbers printed on paper are nobody else's.
    assert changed["trade_fair"] == changed["print_catalogue"] == 0


def test_a_full_lease_pool_shows_the_main_number():
    # One number, kept for its first visitor for longer than the world lasts.
    full = {
        "observer.pool.policy": "lease",
        "observer.pool.numbers": 1,
        "observer.pool.lease_minutes": 1e6,
    }
    campaigns = see(full)["calls"]["campaign"].to_pylist()
    assert "search_ads" not in campaigns
    assert "(brand search)" not in campaigns
    assert "trade_fair" in campaigns


def test_late_dialling_credits_an_older_campaign():
    roomy = {"observer.pool.numbers": 10_000}
    only_last = see(
        roomy | {"observer.via": {"material": 1, "older_material": 0, "brand_search": 0, "direct": 0}}
    )
    only_old = see(
        roomy | {"observer.via": {"material": 0, "older_material": 1, "brand_search": 0, "direct": 0}}
    )
    last, old = (Counter(each["calls"]["campaign"].to_pylist()) for each in (only_last, only_old))
    assert last != old
    # Nobody reaches us through a search for the brand where nobody searches for it.
    assert last["(brand search)"] == old["(brand search)"] == 0


def test_junk_that_is_recognised_leaves_a_call_and_no_touch():
    marked = see({"observer.junk_marked": 1.0})
    spam = set(marked["calls"].filter(marked["calls"]["spam"])["call_id"].to_pylist())
    assert spam
    assert not {f"t{call}" for call in spam} & set(marked["touches"]["touch_id"].to_pylist())


def test_each_company_has_at_most_one_first_call_and_it_is_its_first(seen):
    calls = seen["calls"].filter(seen["calls"]["first_call"]).to_pylist()
    assert max(Counter(row["account_id"] for row in calls).values()) == 1


def test_all_moments_lie_between_the_warm_up_and_the_end_of_the_window(seen):
    for name, column in (
        ("touches", "occurred_at"),
        ("calls", "started_at"),
        ("conversions", "converted_at"),
    ):
        span = pc.min_max(seen[name][column]).as_py()
        assert span["min"].date().isoformat() >= "2024-09-08", name
        assert span["max"].date().isoformat() <= "2025-09-03", name


def test_contact_in_person_leaves_no_touch():
    nobody_calls = {"contact.phone": 0.0, "contact.form": 0.0, "contact.message": 0.0}
    quiet = {"desk.customer_calls_per_day": 0.0, "desk.junk_per_day": 0.0, "observer.organic_visits": 0.0}
    scenario = load("plain", SMALL | nobody_calls | quiet).model_copy(update={"campaigns": {}})
    with mapper() as spread:
        seen = tables(World(scenario, 300, 240, 6), spread)
    assert seen["conversions"].num_rows > 0
    assert seen["touches"].num_rows == 0


def test_forms_and_messages_are_seen_as_what_they_are():
    for mode in ("form", "message"):
        ways = {"contact.phone": 0.0, "contact.form": 0.0, "contact.message": 0.0, f"contact.{mode}": 1.0}
        quiet = {"desk.customer_calls_per_day": 0.0, "desk.junk_per_day": 0.0, "observer.organic_visits": 0.0}
        scenario = load("plain", SMALL | ways | quiet).model_copy(update={"campaigns": {}})
        with mapper() as spread:
            kinds = tables(World(scenario, 200, 240, 6), spread)["touches"]["kind"].to_pylist()
        assert set(kinds) == {mode}


def test_cobalt_mining_whom_no_campaign_met_says_a_colleague():
    # No campaigns at all: whoever names a source names a colleague.
    scenario = load("plain", SMALL | {"observer.answers.asked": 1.0}).model_copy(update={"campaigns": {}})
    with mapper() as spread:
        answers = tables(World(scenario, 300, 240, 6), spread)["answers"]
    said = Counter(answers["verbatim"].to_pylist())
    assert said["a colleague"] > 0
    assert set(said) <= {"a colleague", "the internet", "(never ran)", None}
