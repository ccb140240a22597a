"""Gaps: their quantiles, what is violated, how they grow."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from ebmcli.metrics import margin


def test_gap_quantiles_and_violations_of_a_hand_made_energy():
    found = margin.kept_margin(SimpleNamespace(gaps=np.arange(101) / 100, threshold=0.25))
    assert found["gap_q01"] == pytest.approx(0.01)
    assert found["gap_q50"] == pytest.approx(0.5)
    assert found["gap_q90"] == pytest.approx(0.9)
    assert found["violation_rate"] == pytest.approx(25 / 101)


def test_gap_growth_of_a_log_curve_and_of_a_constant():
    steps = np.arange(1, 21) * 100.0
    slope, error = margin.gap_growth(steps, 3 + 0.7 * np.log(steps))
    assert slope == pytest.approx(0.7)
    assert error == pytest.approx(0.0, abs=1e-9)
    assert margin.gap_growth(steps, np.full(20, 2.0))[0] == pytest.approx(0.0)
    assert margin.gap_growth(steps[:3], steps[:3]) is None
    assert margin.gap_growth(steps[:0], steps[:0]) is None


def test_the_slope_of_the_gap_and_its_error_are_those_of_a_regression_on_log_steps():
    """Over the last half of the steps; the first half and what is not finite do not count."""
    rng, steps = np.random.default_rng(0), np.arange(1, 21) * 100.0
    gaps = 1 + 0.5 * np.log(steps) + rng.normal(0, 0.1, 20)
    gaps[:9], gaps[15] = 1e6, np.nan
    late = (steps >= 1_000) & np.isfinite(gaps)
    theirs = stats.linregress(np.log(steps[late]), gaps[late])
    assert margin.gap_growth(steps, gaps) == pytest.approx((theirs.slope, theirs.stderr))


def test_a_threshold_of_each_example_is_compared_with_its_own_gap():
    kept = margin.kept_margin(SimpleNamespace(gaps=np.array([1.0, 1.0, 3.0]), threshold=np.array([1.0, 2.0, 2.0])))
    assert kept["violation_rate"] == pytest.approx(1 / 3)
