"""Every draw is a function of what it decides."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.chance import (
    choose,
    exponential,
    lognormal,
    normal,
    poisson,
    ragged,
    uniform,
    uniform_one,
    words,
)

keys = st.integers(-(2**62), 2**62)


@given(seed=keys, account=keys, index=st.integers(0, 2**40))
def test_one_key_gives_one_number_alone_or_in_company(seed, account, index):
    alone = uniform_one(seed, account, "need.onset", index)
    together = uniform(seed, [account - 1, account, account + 1], "need.onset", index)
    assert alone == together[1]
    assert 0.0 < alone < 1.0


def test_uniforms_are_uniform_over_accounts_and_over_indexes():
    for values in (uniform(5, np.arange(50_000), "x"), uniform(5, 17, "x", np.arange(50_000))):
        assert stats.kstest(values, "uniform").pvalue > 0.001


def test_draws_of_neighbouring_keys_are_not_correlated():
    accounts = np.arange(40_000)
    base = uniform(1, accounts, "x")
    for other in (
        uniform(1, accounts + 1, "x"),
        uniform(1, accounts, "x", 1),
        uniform(1, accounts, "y"),
        uniform(2, accounts, "x"),
    ):
        # Under independence the correlation of n pairs has standard deviation 1 / sqrt(n).
        assert abs(np.corrcoef(base, other)[0, 1]) * np.sqrt(len(accounts)) < 4


def test_a_million_keys_share_no_word():
    grid = words(3, np.repeat(np.arange(1000), 1000), "x", np.tile(np.arange(1000), 1000))
    assert len(np.unique(grid)) == 1_000_000


def test_the_ends_of_the_interval_stay_open():
    top = np.array([2**53 - 1], dtype=np.float64)
    assert np.minimum((top + 0.5) * 2.0**-53, 1.0 - 2.0**-53)[0] < 1.0
    assert np.isfinite(exponential(np.array([2.0**-54, 1.0 - 2.0**-53]))).all()
    assert np.isfinite(lognormal(np.array([2.0**-54, 1.0 - 2.0**-53]), 10.0, 1.0)).all()


def test_normal_values_are_those_of_the_standard_library():
    middle = uniform(4, np.arange(2000), "normal")
    tails = 10.0 ** -np.arange(2.0, 17.0)
    shares = np.concatenate((middle, tails, 1.0 - tails[:-1]))
    expected = [statistics.NormalDist().inv_cdf(share) for share in shares.tolist()]
    np.testing.assert_allclose(normal(shares), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("mean", [500.5, 3000.0, 250_000.0])
def test_large_poisson_counts_are_those_of_the_inverse_distribution(mean):
    shares = uniform(5, np.arange(2000), "large")
    assert poisson(shares, mean).tolist() == stats.poisson.ppf(shares, mean).tolist()


@pytest.mark.parametrize("mean", [0.0, 0.05, 1.0, 7.5, 180.0, 3000.0])
def test_poisson_counts_have_the_stated_mean_and_variance(mean):
    counts = poisson(uniform(11, np.arange(20_000), "count"), mean)
    if mean == 0.0:
        assert counts.sum() == 0
        return
    error = np.sqrt(mean / len(counts))
    assert abs(counts.mean() - mean) < 4 * error
    # The variance of a Poisson sample variance is (mean + 2 mean**2) / n, near enough.
    assert abs(counts.var() - mean) < 4 * np.sqrt((mean + 2 * mean**2) / len(counts))
    expected = stats.poisson.ppf(uniform(11, np.arange(200), "count"), mean)
    assert (counts[:200] == expected).all()


@given(low=st.floats(0, 50), more=st.floats(0, 50), share=st.floats(1e-12, 1 - 1e-12))
def test_a_higher_mean_never_gives_fewer(low, more, share):
    draw = np.array([share])
    assert poisson(draw, low + more)[0] >= poisson(draw, low)[0]


def test_options_are_chosen_by_weight():
    chosen = np.bincount(choose(uniform(2, np.arange(30_000), "pick"), [1, 0, 3]), minlength=3)
    assert chosen[1] == 0
    assert stats.binomtest(int(chosen[0]), 30_000, 0.25).pvalue > 0.001


@given(st.lists(st.integers(0, 5), max_size=20))
def test_spreading_counts_out_loses_none(counts):
    owner, index = ragged(np.array(counts, dtype=np.int64))
    assert len(owner) == sum(counts)
    assert [int((owner == i).sum()) for i in range(len(counts))] == counts
    assert all(0 <= k < counts[o] for o, k in zip(owner, index, strict=True))
