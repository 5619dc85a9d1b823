"""The figures that answer which model to trust, and what the document concludes from them."""

import statistics

import pytest

from benchmarks.simulator.which_model import DOCUMENT, OVERVIEW, TABLE, overview, table
from simulator.scenario import load, names
from simulator.which_model import (
    CHANCE,
    PLACEBO,
    USUAL,
    beats_leaving,
    chance,
    covered,
    recommended,
    rules,
    sizes,
    studied,
    study,
    trust,
    uncovered,
    worlds_better_than_leaving,
)
from tracking.reporting.deciding import CHOICES


def test_the_table_beside_the_document_is_what_the_command_makes_of_the_figures():
    assert TABLE.read_text(encoding="utf-8") == table(study()["worlds"])
    assert overview(OVERVIEW) in DOCUMENT.read_text(encoding="utf-8")


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
        gains = [models[model]["gain"] for models in worlds.values()]
        assert each.mean.gain == pytest.approx(statistics.mean(gains))
        assert each.mean.gain_se == pytest.approx(statistics.stdev(gains) / len(gains) ** 0.5)
        assert each.worst.gain == min(gains)
        assert each.usual.wrong == worlds["supplier"][model]["wrong"]
    means = [each.mean.wrong for each in trust(deals)]
    assert means == sorted(means)


@pytest.mark.parametrize("deals", sizes())
def test_a_model_is_near_the_first_within_two_errors_of_the_difference_paired_over_the_worlds(deals):
    ranked, worlds = trust(deals), [name for name in study()["worlds"] if name != CHANCE]
    wrong = {
        each.model: [study()["worlds"][name]["deals"][str(deals)][each.model]["wrong"] for name in worlds]
        for each in ranked
    }
    first = ranked[0].model
    assert ranked[0].near
    for each in ranked[1:]:
        gaps = [own - least for own, least in zip(wrong[each.model], wrong[first], strict=True)]
        error = statistics.stdev(gaps) / len(gaps) ** 0.5
        assert each.near == (statistics.mean(gaps) <= 2 * error)
    # None is recommended for a rank that chance may have given it.
    best = recommended(deals)
    assert best.near
    assert best.worst.wrong == min(each.worst.wrong for each in ranked if each.near)


def test_every_world_says_what_the_rules_without_a_model_do():
    for world in study()["worlds"].values():
        assert list(world["nulls"]) == ["leave", "random", "spend", "best"]
        # Sharing out by spend sees equal returns everywhere, so it moves nothing.
        for rule in ("leave", "spend"):
            assert world["nulls"][rule]["gain"] == world["nulls"][rule]["gain_se"] == 0
            assert world["nulls"][rule]["lost"] == world["nulls"]["best"]["gain"]
        assert world["nulls"]["leave"]["wrong"] is None
        assert world["nulls"]["spend"]["wrong"] > 0
    worlds = [world["nulls"] for name, world in study()["worlds"].items() if name != CHANCE]
    for rule in rules():
        assert rule.mean == pytest.approx(statistics.mean(world[rule.name]["gain"] for world in worlds))
        assert rule.worst == min(world[rule.name]["gain"] for world in worlds)
        assert rule.usual == study()["worlds"][USUAL]["nulls"][rule.name]["gain"]


@pytest.mark.parametrize("deals", sizes())
def test_models_are_told_apart_by_whether_they_beat_leaving_the_budget(deals):
    size, worlds = str(deals), {n: w for n, w in study()["worlds"].items() if n != CHANCE}
    for model, count in worlds_better_than_leaving(deals).items():
        rows = {name: world["deals"][size][model] for name, world in worlds.items()}
        better = {name for name, row in rows.items() if row["gain"] > 2 * row["gain_se"]}
        assert count == len(better)
        assert (beats_leaving(deals)[model] is True) == (USUAL in better)
    # Where campaigns do nothing, nothing beats leaving them.
    assert not any(beats_leaving(deals, PLACEBO).values())


def test_fewer_deals_than_were_studied_are_answered_for_by_the_fewest():
    assert studied(3) == 100
    assert studied(299) == 100
    assert studied(300) == 300
    assert trust(3) == trust(100)


def test_chance_alone_misplaces_less_with_more_deals():
    assert chance(max(sizes())) < chance(100)


def test_what_the_document_concludes_is_what_the_figures_say():
    # In the market nearest to a supplier's no model's move is known to gain anything.
    for deals in sizes():
        assert not any(beats_leaving(deals).values())
        assert sum(each.near for each in trust(deals)) >= 15
    best, leave = ({rule.name: rule for rule in rules()}[name] for name in ("best", "leave"))
    assert best.usual <= 2 * best.usual_se
    assert best.mean > 2 * best.mean_se
    assert leave.usual == leave.mean == 0
    assert sum(each.mean.gain > 2 * each.mean.gain_se for each in trust(100)) == 12
    worlds = study()["worlds"]
    for name, right in (
        ("introduction", "first-touch"),
        ("breakdown", "last-touch"),
        ("committee", "linear"),
        ("bookends", "position-based"),
        ("fading", "time-decay"),
        ("relay", "time-decay"),
    ):
        assert all(
            min(models, key=lambda model: models[model]["wrong"]) == right
            for models in worlds[name]["deals"].values()
        )
    answers = {"hybrid", "self-reported"}
    for deals in ("100", "1000"):
        offline = worlds["offline"]["deals"][deals]
        assert set(sorted(offline, key=lambda model: offline[model]["wrong"])[:2]) == answers
        assert all(figure["wrong"] > 0.5 for model, figure in offline.items() if model not in answers)
    assert all(figure["wrong"] > 0.2 for figure in worlds["placebo"]["deals"]["100"].values())
    # What pages start from.
    assert all(deciding(deals) == "position-based" for deals in sizes())


def deciding(deals: int) -> str:
    return recommended(deals, CHOICES).model
