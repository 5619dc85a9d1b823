"""What callers dial, and what they say when asked: what they met, with the stated errors of memory."""

import numpy as np
import pytest
from scipy import stats

from simulator.cycle import PHONE, Cycle
from simulator.market import DAY, World, populate
from simulator.scenario import load
from simulator.sources import BRAND, COLLEAGUE, DECOY, DIRECT, INTERNET, arrive, remember, tell

ONLY = {
    "asked": 1.0,
    "declined": 0.0,
    "first": 0.0,
    "last": 0.0,
    "salient": 0.0,
    "internet": 0.0,
    "decoy": 0.0,
    "unknown": 0.0,
}


class Market:
    """A supplier's market up to the first contacts, with what each company had met by then."""

    def __init__(self, settings=None, accounts=1500):
        world = World(load("plain", {"desk.reps": 0} | (settings or {})), accounts, days=365, seed=4)
        cycle = Cycle(populate(world, 0, accounts))
        scale = np.ones(len(world.campaigns))
        self.world, self.shard = world, cycle.shard
        _, self.enquiries = cycle.enquire(scale)
        self.memory = remember(self.shard, cycle.active(scale), self.enquiries)
        self.met = self.memory.last >= 0

    def said(self):
        return tell(self.shard, self.enquiries, self.memory)[2]

    def dialled(self):
        return arrive(self.shard, self.enquiries, self.memory)


@pytest.fixture(scope="module")
def market():
    return Market()


def meetings(market):
    """Yield per enquiry the campaigns that its company met in the year before, in order of time."""
    exposures, enquiries = market.shard.exposures, market.enquiries
    order = np.lexsort((exposures.campaign, exposures.at))
    of = {}
    for owner, at, campaign in zip(
        exposures.owner[order].tolist(),
        exposures.at[order].tolist(),
        exposures.campaign[order].tolist(),
        strict=True,
    ):
        of.setdefault(owner, []).append((at, campaign))
    for account, moment in zip(enquiries.account.tolist(), enquiries.at.tolist(), strict=True):
        owner = account - int(market.shard.accounts[0])
        yield [campaign for at, campaign in of.get(owner, []) if max(0, moment - 365 * DAY) <= at <= moment]


@pytest.mark.parametrize(("which", "place"), [("first", 0), ("last", -1)])
def test_who_remembers_rightly_names_the_campaign_met_first_or_last(which, place):
    market = Market({"observer.answers": ONLY | {which: 1.0}}, accounts=400)
    expected = [met[place] if met else COLLEAGUE for met in meetings(market)]
    assert market.said().tolist() == expected
    assert len(set(expected)) > 5


def test_the_most_salient_comes_to_mind_in_proportion_to_its_weight(market):
    weight = np.array([each.salience for each in market.world.scenario.campaigns.values()])
    hit, mean, variance = np.zeros(9), np.zeros(9), np.zeros(9)
    named = np.concatenate((market.shard.exposures.campaign, [-1]))[market.memory.salient]
    for campaign, met in zip(named.tolist(), meetings(market), strict=True):
        if met:
            share = np.bincount(met, weights=weight[met], minlength=9) / weight[met].sum()
            mean += share
            variance += share * (1 - share)
            hit[campaign] += 1
    assert (np.abs(hit - mean) < 4 * np.sqrt(variance)).all()
    assert hit.sum() == market.met.sum()


def test_errors_of_memory_come_in_the_stated_mixture(market):
    answers = market.world.scenario.observer.answers
    said = market.said()[market.met]
    seen = [(said == INTERNET).sum(), (said == 9 + DECOY).sum(), (said == -1).sum()]
    seen.append(len(said) - sum(seen))
    stated = [
        answers.internet,
        answers.decoy,
        answers.unknown,
        answers.first + answers.last + answers.salient,
    ]
    stated = np.array(stated) / sum(stated)
    assert stats.chisquare(seen, stated * len(said)).pvalue > 0.001


def test_callers_with_material_at_hand_dial_the_number_on_the_piece_met_last():
    certain = {"material": 1.0, "older_material": 0.0, "brand_search": 0.0, "direct": 0.0}
    market = Market({"observer.via": certain}, accounts=600)
    numbered = [each.number != "none" for each in market.world.scenario.campaigns.values()]
    rows = np.flatnonzero((market.enquiries.mode == PHONE) & market.met)
    last = market.shard.exposures.campaign[market.memory.last[rows]]
    # A banner and a recommendation bear no number: who met them last dials the main number.
    expected = np.where(np.array(numbered)[last], last, 9 + DIRECT)
    assert (market.dialled()[rows] == expected).all()
    assert len(set(expected.tolist())) > 5


def test_the_brand_is_searched_for_at_the_stated_rate(market):
    rows = (market.enquiries.mode == PHONE) & market.met
    searched = int((market.dialled()[rows] == 9 + BRAND).sum())
    assert stats.binomtest(searched, int(rows.sum()), 0.25).pvalue > 0.001
