"""Figures that others published, recomputed; where a page contradicts itself, the test says which side."""

import pytest

from attribution import Positions, TimeDecay
from attribution.markov import removal_effects
from attribution.rules import full_path, inverse_j, j_shaped, position_based, u_shaped, w_shaped
from tests.attribution.journey import credit

ADOBE = "paid_search > social > email > display"


def test_adobe_fifty_dollars_linear():
    assert credit(ADOBE, "linear", 50_00) == [1250, 1250, 1250, 1250]


def test_adobe_fifty_dollars_j_shaped():
    assert credit(ADOBE, "j-shaped", 50_00) == [1000, 500, 500, 3000]


@pytest.mark.parametrize(
    ("model", "expected"),
    [(j_shaped(), [2500, 7500]), (inverse_j(), [7500, 2500]), (position_based(), [5000, 5000])],
)
def test_adobe_two_touches_without_a_middle(model, expected):
    assert credit("first > last", model) == expected


def test_mixpanel_six_touches_j_shaped_by_its_table():
    # The introduction of the same page gives the 75 % to the first touch; its table and we to the last.
    assert credit("a > b > c > d > e > f", "j-shaped") == [2000, 500, 500, 500, 500, 6000]


def test_amplitude_splits_the_unused_middle_equally():
    assert credit("facebook > tiktok", j_shaped(no_middle="equal")) == [3000, 7000]


def test_a_b2b_deal_of_twelve_thousand():
    days = [0, 5, 12, 30, 38]
    path = "a > b > c > d > e"
    assert credit(path, "position-based", 12_000_00, days=days) == [480000, 80000, 80000, 80000, 480000]


def test_a_week_of_half_life_leaves_a_long_journey_to_its_last_two_touches():
    # 2^-(8/7) and 2^-(26/7), ... : 91 % goes to the touches of day 30 and 38.
    shares = credit("a > b > c > d > e", TimeDecay(7), 100_00, days=[0, 5, 12, 30, 38])
    assert sum(shares[-2:]) == pytest.approx(9100, abs=50)


def test_the_toy_paths_of_the_white_paper_solved_instead_of_sampled():
    effects = removal_effects([("ABABBA", 1, 0), ("ABBAA", 1, 0), ("AA", 1, 0)])
    assert effects["A"] == pytest.approx(1, abs=1e-12)
    assert effects["B"] == pytest.approx(0.5, abs=1e-12)
    # Published from 10,000 random walks: 0.5067.
    assert abs(effects["B"] - 0.5067) < 0.008


FIVE = "first > lead > other > opportunity > last"
STAGES = {"lead": 1, "opportunity": 3}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        # Marketo Measure's model page; its reporting guide says 40 and 40 and leaves 20 to nobody.
        (u_shaped(50, 50, 0), [5000, 5000, 0, 0, 0]),
        # HubSpot: 40, 40 and 20 for all others.
        (u_shaped(), [4000, 4000, 667, 666, 667]),
        # Marketo Measure and HubSpot agree: three times 30, 10 for the others.
        (w_shaped(), [3000, 3000, 500, 3000, 500]),
        # Four times 22.5, 10 for the others.
        (full_path(), [2250, 2250, 1000, 2250, 2250]),
    ],
)
def test_the_percentages_of_marketo_and_hubspot(model, expected):
    assert credit(FIVE, model, **STAGES) == expected


def test_view_through_percentages_that_do_not_add_up_are_shared_in_proportion():
    # Printed as 10 + 3 x 26.6 + 10 = 99.8 with impressions; without these 26.6 each and 10 between.
    model = Positions({"first": 26.6, "lead": 26.6, "opportunity": 26.6}, middle=10)
    shares = credit(FIVE, model, 89_80, **STAGES)
    assert shares == [2660, 2660, 500, 2660, 500]


def test_the_simple_decay_of_2016_lost_one_and_a_half_percent():
    published = [50, 25, 12.5, 6.25, 3.125, 1.563]
    assert sum(published) == pytest.approx(98.438)
    halves = credit("a > b > c > d > e > f", TimeDecay(1), 100_00)
    assert sum(halves) == 100_00
    assert halves[-1] == 5079  # 50 of 98.4375
