"""Gaps: their quantiles, what is violated, how they grow."""

from types import SimpleNamespace

import numpy as np
import pytest

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
