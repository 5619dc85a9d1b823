"""The figures that answer which model to trust, and what the document concludes from them."""

import statistics

import pytest

from benchmarks.simulator.which_model import TABLE, table
from simulator.scenario import load, names
from simulator.which_model import (
    CHANCE,
    PLACEBO,
    USUAL,
    chance,
    covered,
    no_better_than_leaving,
    rules,
    sizes,
    studied,
    study,
    trust,
    uncovered,
    worlds_better_than_leaving,
)


def test_the_table_beside_the_document_is_what_the_command_makes_of_the_figures():
    assert TABLE.read_text(encoding="utf-8") == table(study()["worlds"])


def test_every_shipped_world_is_in_the_figures():
    assert set(study()["worlds"]) == set(names())
    for name, world in study()["worlds"].items():
        assert world["description"] == load(name).description
        assert set(world["deals"]) == set(study()["markets"])


def test_a_model_that_the_study_does_not_cover_is_named_and_nothing_else_changes(monkeypatch):
    before, figures = trust(300), study()
    worlds = {
        name: world | {"deals": {size: dict(models) for size, models in world["deals"].items()}}
        for name, world in study()["worlds"].items()
    }
    # Since the study a model has come, and one world was run again with it.
    worlds["relay"]["deals"]["300"]["newcomer"] = worlds["relay"]["deals"]["300"]["linear"]
    monkeypatch.setattr("simulator.which_model.study", lambda: figures | {"worlds": worlds})
    assert trust(300) == before
    assert uncovered(["linear", "newcomer"], 300) == ["newcomer"]
    assert uncovered(covered(300), 300) == []


@pytest.mark.parametrize("deals", sizes())
def test_trust_is_the_mean_and_the_worst_over_the_worlds_where_a_model_can_err(deals):
    found = {each.model: each for each in trust(deals)}
    assert set(found) == set(covered(deals))
    worlds = {name: world["deals"][str(deals)] for name, world in study()["worlds"].items() if name != CHANCE}
    for model, each in found.items():
        wrong = {name: models[model]["wrong"] for name, models in worlds.items()}
        assert each.mean.wrong == pytest.approx(statistics.mean(wrong.values()))
        assert each.worst.wrong == max(wrong.values()) == wrong[each.worst_world]
        assert each.worst.lost == max(models[model]["lost"] for models in worlds.values())
        assert each.usual.wrong == worlds["supplier"][model]["wrong"]
    means = [each.mean.wrong for each in trust(deals)]
    assert means == sorted(means)


def test_every_world_says_what_the_rules_without_a_model_do():
    for world in study()["worlds"].values():
        assert list(world["nulls"]) == ["leave", "random", "spend"]
        # Sharing out by spend sees equal returns everywhere, so it moves nothing.
        for each in ("lost", "lost_elsewhere", "lost_elsewhere_se"):
            assert world["nulls"]["leave"][each] == world["nulls"]["spend"][each] >= 0
        assert world["nulls"]["leave"]["wrong"] is None
        assert 0 <= world["nulls"]["spend"]["wrong"] <= 1
    worlds = [world["nulls"] for name, world in study()["worlds"].items() if name != CHANCE]
    for rule in rules():
        assert rule.mean_lost == pytest.approx(statistics.mean(world[rule.name]["lost"] for world in worlds))
        assert rule.worst_lost == max(world[rule.name]["lost"] for world in worlds)
        assert rule.usual_lost == study()["worlds"][USUAL]["nulls"][rule.name]["lost"]


@pytest.mark.parametrize("deals", sizes())
def test_models_are_told_apart_by_whether_they_beat_leaving_the_budget(deals):
    size, worlds = str(deals), {n: w for n, w in study()["worlds"].items() if n != CHANCE}
    for model, count in worlds_better_than_leaving(deals).items():
        lost = {name: world["deals"][size][model]["lost"] for name, world in worlds.items()}
        better = {name for name, world in worlds.items() if lost[name] < world["nulls"]["leave"]["lost"]}
        assert count == len(better)
        assert (model in no_better_than_leaving(deals)) == (USUAL not in better)
    # Where campaigns do nothing, nothing beats leaving them.
    assert no_better_than_leaving(deals, PLACEBO) == covered(deals)


def test_fewer_deals_than_were_studied_are_answered_for_by_the_fewest():
    assert studied(3) == 100
    assert studied(299) == 100
    assert studied(300) == 300
    assert trust(3) == trust(100)


def test_chance_alone_misplaces_less_with_more_deals():
    assert chance(max(sizes())) < chance(100)


def test_what_the_document_concludes_is_what_the_figures_say():
    few = {each.model: each for each in trust(100)}
    assert min(few.values(), key=lambda each: each.worst.wrong).model == "position-based"
    assert min(few.values(), key=lambda each: each.mean.lost).model == "hybrid"
    assert {each.model for each in trust(100)[:2]} == {"shapley", "position-based"}
    worlds = study()["worlds"]
    for name, right in (
        ("introduction", "first-touch"),
        ("breakdown", "last-touch"),
        ("committee", "linear"),
        ("bookends", "position-based"),
        ("fading", "time-decay"),
    ):
        assert all(
            min(models, key=lambda model: models[model]["wrong"]) == right
            for models in worlds[name]["deals"].values()
        )
    answers = {"hybrid", "self-reported"}
    offline = worlds["offline"]["deals"]["100"]
    assert set(sorted(offline, key=lambda model: offline[model]["wrong"])[:2]) == answers
    assert all(figure["wrong"] > 0.5 for model, figure in offline.items() if model not in answers)
    assert all(figure["wrong"] > 0.2 for figure in worlds["placebo"]["deals"]["100"].values())
