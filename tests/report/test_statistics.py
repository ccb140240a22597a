"""Means, intervals, tests and how numbers are written: against scipy.stats, against tables, and by simulation."""

import numpy as np
import pytest
from scipy import stats as reference

from ebmcli.report import formatting, statistics
from ebmcli.report.statistics import Difference, Mean

# --- intervals -------------------------------------------------------------------------------------------------------


def test_the_interval_is_students():
    found = statistics.mean([1.0, 2.0, 3.0, None, float("nan"), float("inf")])
    assert (found.n, found.mean) == (3, 2.0)
    half = 4.302653 * 1.0 / np.sqrt(3)  # t table, 2 degrees of freedom
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), rel=1e-6)


def test_no_interval_below_two_and_no_mean_below_one():
    for average in (statistics.mean, statistics.interquartile):
        assert average([5.0]) == Mean(1, 5.0)
        assert average([None]) == average([]) == Mean(0, None)


def test_equal_runs_have_an_interval_of_no_width():
    assert statistics.mean([2.0] * 25) == Mean(25, 2.0, 2.0, 2.0)


def test_interquartile_means_are_scipys_trimmed_means():
    for n in (3, 4, 5, 8, 19, 20, 41):
        values = np.random.default_rng(n).exponential(1.0, n)
        assert statistics.interquartile(list(values)).mean == pytest.approx(reference.trim_mean(values, 0.25))
    assert statistics.interquartile([1.0, 2.0, 3.0]) == statistics.mean([1.0, 2.0, 3.0])
    found = statistics.interquartile([0.0, 1.0, 2.0, 100.0])  # winsorised: 1, 1, 2, 2; two are left
    half = 12.7062 * np.sqrt(1 / 3) * np.sqrt(4) / 2
    assert (found.mean, found.high) == pytest.approx((1.5, 1.5 + half), rel=1e-5)


DRAWS = {  # (rng, n) -> values, and their mean
    "normal": (lambda rng, n: rng.normal(3.0, 2.0, n), 3.0),
    "exponential": (lambda rng, n: rng.exponential(1.0, n) + 2.0, 3.0),
    "lognormal": (lambda rng, n: rng.lognormal(0.0, 1.0, n), np.exp(0.5)),
    "lognormal of sd 1.5": (lambda rng, n: rng.lognormal(0.0, 1.5, n), np.exp(1.125)),
    "share of 100, 0.9": (lambda rng, n: rng.binomial(100, 0.9, n) / 100, 0.9),
    "Bernoulli, 0.3": (lambda rng, n: rng.binomial(1, 0.3, n) / 1, 0.3),
}


def coverage(average, draw, n, trials):
    """How often the interval holds the true mean."""
    rng = np.random.default_rng(n)
    values, truth = DRAWS[draw]
    intervals = [average(list(values(rng, n))) for _ in range(trials)]
    return np.mean([mean.low <= truth <= mean.high for mean in intervals])


@pytest.mark.parametrize(
    ("draw", "n", "expected"),
    [
        *(("normal", n, 0.95) for n in (3, 5, 10, 20, 50)),
        # What is skew is covered less often, whatever the interval; the report does not promise otherwise.
        ("exponential", 3, 0.88), ("exponential", 10, 0.90), ("exponential", 20, 0.92),
        ("lognormal", 20, 0.86), ("lognormal", 50, 0.895), ("share of 100, 0.9", 20, 0.95),
    ],
)  # fmt: skip
def test_the_interval_of_the_mean_covers_as_often_as_it_says(draw, n, expected):
    assert coverage(statistics.mean, draw, n, 3000) == pytest.approx(expected, abs=4 * np.sqrt(0.05 * 0.95 / 3000))


def bootstrap_coverage(draw, n, trials):
    """How often a BCa interval, scipy's, holds the true mean."""
    rng = np.random.default_rng(n)
    values, truth = DRAWS[draw]
    samples = np.stack([values(rng, n) for _ in range(trials)])
    samples = samples[np.ptp(samples, axis=1) > 0]  # of equal values there is none
    low, high = reference.bootstrap(
        (samples,), lambda s, axis: s.mean(axis=axis), axis=1, n_resamples=999, batch=20, rng=rng
    ).confidence_interval
    return np.mean((low <= truth) & (truth <= high))


@pytest.mark.slow
def test_a_bootstrap_covers_less_where_values_are_normal_and_hardly_more_where_they_are_skew():
    """Which is why the interval is Student's, however many runs there are. `pytest -m slow -s` prints the table."""
    trials, rows = 800, {}
    for n in (5, 20, 50, 100):
        for draw in DRAWS:
            rows[draw, n] = coverage(statistics.mean, draw, n, trials), bootstrap_coverage(draw, n, trials)
            print(f"{draw:>20}, n = {n:3}: Student's t {rows[draw, n][0]:.3f}, BCa {rows[draw, n][1]:.3f}")
    students, bca = np.transpose([rows["normal", n] for n in (5, 20, 50)])
    assert students == pytest.approx(0.95, abs=0.03)
    assert (students - bca).mean() > 0.015
    skew = np.array([rows["lognormal", n] for n in (5, 20, 50, 100)])
    assert (skew[:, 1] - skew[:, 0]).max() < 0.05
    assert (skew < 0.94).all(), "neither covers what is skew"


@pytest.mark.parametrize("n", [4, 8, 20, 50])
def test_the_interval_of_the_interquartile_mean_covers_as_often_as_it_says(n):
    assert coverage(statistics.interquartile, "normal", n, 1500) == pytest.approx(0.94, abs=0.03)


# --- tests -----------------------------------------------------------------------------------------------------------


def test_the_paired_test_is_scipys():
    first, second = np.random.default_rng(0).normal(0, 1, (2, 6))
    theirs = reference.ttest_rel(first, second)
    found = statistics.paired_difference([*first, None, 1.0, 7.0], [*second, 1.0, None, float("nan")])
    interval = theirs.confidence_interval()
    assert (found.n, found.p) == (6, pytest.approx(theirs.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_differences_that_cannot_be_tested_have_no_p():
    assert statistics.paired_difference([None], [1.0]) == Difference(0, None)
    assert statistics.paired_difference([2.0], [1.0]) == Difference(1, 1.0)
    assert statistics.paired_difference([1.0, 2.0], [1.0, 2.0]) == Difference(2, 0.0, 0.0, 0.0)
    found = statistics.paired_difference([1.1, 8.1, 1000.1], [1.0, 8.0, 1000.0])  # equal but for rounding
    assert (found.n, found.mean, found.p) == (3, pytest.approx(0.1), None)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_paired_test_errs_as_often_as_it_says(n):
    """Under the null, with seeds that differ more among each other than their noise."""
    rng, trials = np.random.default_rng(n), 4000
    shared = rng.normal(0, 5, (trials, n))
    first, second = (shared + rng.normal(0, 1, (trials, n)) for _ in range(2))
    wrong = np.mean(
        [statistics.paired_difference(list(a), list(b)).p < 0.05 for a, b in zip(first, second, strict=True)]
    )
    assert wrong == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / trials))


def test_holm_by_hand():
    assert statistics.holm([0.01, None, 0.04, 0.03, 0.005]) == pytest.approx([0.03, None, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.7]) == [1.0, 1.0]
    assert statistics.holm([]) == []


def test_false_discovery_is_scipys():
    ps = np.random.default_rng(0).random(12) ** 3
    assert statistics.false_discovery(ps) == pytest.approx(reference.false_discovery_control(ps))
    found = statistics.false_discovery(np.array([np.nan, 0.02, 0.5]))
    assert found == pytest.approx([np.nan, 0.04, 0.5], nan_ok=True)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("rows", [2, 6])
def test_equal_rows_are_seldom_ranked(seeds, rows):
    """With 95 % none is called better than another; what all seeds share does not matter."""
    rng, trials = np.random.default_rng(seeds), 1500
    ranked = best = 0
    for _ in range(trials):
        found = statistics.better(rng.normal(0, 1, (rows, seeds)) + rng.normal(0, 5, seeds), lower=True)
        ranked += found.any()
        best += (found.sum(axis=1) == rows - 1).any()
    assert ranked / trials <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / trials)
    assert best <= ranked


NULL = {  # (rng, rows, seeds) -> values of rows that do not differ in what is typical of them
    "alike": lambda rng, rows, seeds: rng.lognormal(0.0, 1.5, (rows, seeds)),
    "seeds of other scales": lambda rng, rows, seeds: (
        rng.lognormal(0.0, 1.5, (rows, seeds)) * rng.permuted(np.geomspace(1, 100, seeds))
    ),
    "rows of other spreads": lambda rng, rows, seeds: np.exp(
        1.5 * np.geomspace(0.01, 1, rows)[:, None] * rng.normal(size=(rows, seeds))
    ),
}


@pytest.mark.parametrize("seeds", [5, 10, 20])
@pytest.mark.parametrize("kind", NULL)
def test_skew_rows_of_unequal_spread_are_seldom_ranked(kind, seeds):
    """Without logarithms 20 % of the tables whose 3 rows have other spreads rank some row, with 20 seeds."""
    rng, trials = np.random.default_rng(seeds), 600
    ranked = np.mean([statistics.better(NULL[kind](rng, 3, seeds), lower=True).any() for _ in range(trials)])
    assert ranked <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / trials)


def test_positive_values_that_span_decades_are_compared_as_ratios():
    assert statistics.spans_decades(np.array([[1.0, np.nan], [3.0, 10.0]]))
    assert not statistics.spans_decades(np.array([1.0, 9.9]))
    assert not statistics.spans_decades(np.array([0.0, 10.0])), "0 has no logarithm"
    assert not statistics.spans_decades(np.array([-1.0, 10.0]))
    assert not statistics.spans_decades(np.array([np.nan]))
    first, second = [2.0, 40.0, 60.0, None], [1.0, 10.0, 30.0, 7.0]
    ratio = statistics.paired_difference(first, second, ratio=True)
    theirs = reference.ttest_rel(np.log(first[:3]), np.log(second[:3]))
    interval = theirs.confidence_interval()
    assert ratio == Difference(
        3,
        pytest.approx(16 ** (1 / 3)),
        pytest.approx(np.exp(interval.low)),
        pytest.approx(np.exp(interval.high)),
        pytest.approx(theirs.pvalue),
        True,
    )
    assert ratio.sign == 1
    assert statistics.paired_difference(second, first, ratio=True).sign == -1
    assert statistics.paired_difference([2.0], [2.0], ratio=True) == Difference(1, 1.0, ratio=True)
    assert statistics.paired_difference([2.0], [2.0], ratio=True).sign == 0
    assert statistics.paired_difference([None], [1.0], ratio=True) == Difference(0, None, ratio=True)
    assert statistics.paired_difference([1.0, 5.0], [2.0, 10.0], ratio=True).p is None, "half in every seed"


def test_a_row_that_is_smaller_by_a_factor_in_every_seed_is_better():
    """However much the seeds vary: the differences alone say nothing."""
    values = np.array([0.1, 0.9, 1.1, 2.0, 3.0, 90.0]) * np.array([[1.0] * 6, [2.0, 1.9, 2.1, 2.0, 1.9, 2.1]])
    assert statistics.paired_difference(list(values[0]), list(values[1])).p > 0.05
    assert statistics.better(values, lower=True).tolist() == [[False, True], [False, False]]
    assert statistics.better(values, lower=False).tolist() == [[False, False], [True, False]]


def test_better_is_the_adjusted_paired_test_of_every_pair():
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (5, 4)) * 0.1 + np.array([0.0, 0.3, 0.3, 2.0, 9.0])[:, None]
    values[4, 1:] = np.nan  # one seed: untestable
    values[3, 0] = np.nan
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    ps = np.array([statistics.paired_difference(list(values[i]), list(values[j])).p for i, j in pairs], float)
    for lower in (True, False):
        expected = np.zeros((5, 5), bool)
        for (i, j), p in zip(pairs, statistics.false_discovery(ps), strict=True):
            if p < 0.05:
                low, high = (i, j) if np.nanmean(values[i] - values[j]) < 0 else (j, i)
                expected[(low, high) if lower else (high, low)] = True
        assert expected.any()
        assert (statistics.better(values, lower) == expected).all()


# --- how numbers are written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.12345, "0.123"),
        (12.345, "12.3"),
        (9.9999, "10.0"),
        (12345.6, "12,346"),
        (3.2e9, "3.20e+09"),
        (None, "–"),
    ],
)
def test_numbers(value, text):
    assert formatting.number(value) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Mean(3, 0.19784, 0.19664, 0.19904), "0.1978 ± 0.0012"),
        (Mean(3, 123.4, 111.4, 135.4), "123 ± 12"),
        (Mean(2, 1.0, 1.0, 1.0), "1.00 ± 0"),
        (Mean(1, 0.5), "0.500"),
        (Mean(0, None), "–"),
        (Mean(2, 3e9, 2.6e9, 3.4e9), "3.00e+09 ± 4.0e+08"),
        (Mean(3, 2.01e6, 2.01e6 - 305_873.0, 2.01e6 + 305_873.0), "2.01e+06 ± 3.1e+05"),
        (Mean(3, 1.0, 1 - 3e-16, 1 + 3e-16), "1.00 ± 0"),
        (Mean(30, 1.277, 0.842, 2.169), "1.28 [0.84, 2.17]"),
        (Mean(30, 1.2e7, 1.1e7, 1.5e7), "1.20e+07 [1.10e+07, 1.50e+07]"),
        (Difference(4, -0.093, -0.147, -0.039, 0.02), "-0.093 ± 0.054"),
        (Difference(4, 0.5, 0.25, 1.0, 0.02, True), "×0.50 [0.25, 1.00]"),
        (Difference(1, 0.5, ratio=True), "×0.500"),
        (Difference(0, None, ratio=True), "–"),
    ],
)
def test_means(found, text):
    assert formatting.text(found) == text


@pytest.mark.parametrize(
    ("p", "text"), [(None, "–"), (0.0004, "< 0.001"), (0.0312, "0.031"), (0.5, "0.50"), (1.0, "1.00")]
)
def test_probabilities(p, text):
    assert formatting.probability(p) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (99, "99 s"), (150, "2 min"), (7200, "2.0 h")])
def test_durations(seconds, text):
    assert formatting.duration(seconds) == text
