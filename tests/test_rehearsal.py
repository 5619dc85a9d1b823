"""Experiments in simulated markets: readings against a known effect, by z-tests over markets."""

import math

import pytest

from reports.experiments import Finding
from simulator.runs import mapper
from simulator.scenario import load
from tracking.reporting.rehearsal import rehearse

MARKETS = 50
# 3.3 standard errors below: a right method is found wrong once in 2,000 tries.
LEAST_COVERED = 0.9 - 3.3 * math.sqrt(0.9 * 0.1 / MARKETS)
HALF = frozenset({"north", "west"})


@pytest.mark.parametrize("regions", [frozenset(), HALF], ids=["weeks", "regions"])
@pytest.mark.parametrize("scenario", ["placebo", "plain"])
def test_nine_of_ten_readings_hold_what_a_pause_costs_in_a_market(
    scenario: str, regions: frozenset[str]
) -> None:
    with mapper() as spread:
        found = rehearse(
            load(scenario, {"desk.reps": 0}),
            None,
            spread,
            accounts=400,
            seeds=range(1, MARKETS + 1),
            weeks=12,
            regions=regions,
        )
    assert len(found.read) == MARKETS
    assert found.covered / MARKETS > LEAST_COVERED
    if scenario == "placebo":
        assert set(found.lost) == {0.0}
        assert found.found(Finding.unclear) / MARKETS > LEAST_COVERED
    else:
        assert found.effect > 10 * found.effect_error
        seen = [each.finding is Finding.effect for each in found.readings]
        apart = [hit - power for hit, power in zip(seen, found.power, strict=True)]
        mean = sum(apart) / MARKETS
        error = math.sqrt(sum((each - mean) ** 2 for each in apart) / (MARKETS - 1) / MARKETS)
        assert abs(mean) < 3.3 * error, "seen as often as the plans said"
