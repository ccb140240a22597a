"""Losses of a pair at their kinks and ties, and where they saturate."""

import numpy as np
import pytest
from helpers.loss_laws import LAWS
from helpers.losses import LOSS, LOSSES, at, slopes, value


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_hinge_rests_once_the_gaps_reach_the_margin(margin):
    """The margin is m times the distance; at and above it the slopes are exactly 0, below they are not."""
    distance, hinge = np.array([1.0, 2.0, 3.0]), at("hinge", margin=margin)
    for scale, slope in ((margin, 0), (margin + 0.25, 0), (margin - 0.25, 1)):  # each of the three gaps is short
        seen = slopes(hinge, 0.0, scale * distance, distance)
        assert seen.positive == slope
        np.testing.assert_allclose(seen.negatives, -slope / 3, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["hinge", "lvq2", "lvq2-ratio", "margin-sum", "simple", "square-square", "square-hinge"]
)
def test_at_the_kink_the_wrong_answer_rests(name):
    """Where the last of the push is gone its slope is exactly 0, not half of what it was."""
    right, wrong = {"0": (0.5, 0.5), "m": (0.5, 1.5), "m, absolute": (0.5, 1.0)}[LOSSES[name].traits.promised.text()]
    assert slopes(LOSS[name], right, [wrong]).negatives == 0
    assert slopes(LOSS[name], right, [wrong - 0.125]).negatives < 0


@pytest.mark.parametrize("gap", [100.0, 1e3, 2e4])
def test_log_is_the_gap_where_it_is_large(gap):
    """softplus: exactly the gap, with slope 1; and 0 the other way round."""
    assert value(LOSS["log"], gap, [0.0]) == gap
    assert slopes(LOSS["log"], gap, [0.0]).positive == 1
    assert value(LOSS["log"], -gap, [0.0]) == 0


@pytest.mark.parametrize(("gap", "slope"), [(0.0, 0), (0.5, 1), (1.999, 1), (2.0, 0.5), (2.001, 0), (1e4, 0)])
def test_lvq2_gives_up_beyond_its_cap(gap, slope):
    """The slope there is exactly 0: the worst mistakes teach nothing; at the cap it is half of 1."""
    lvq2 = at("lvq2", cap=2.0)
    assert value(lvq2, gap, [0.0]) == min(gap, 2)
    seen = slopes(lvq2, gap, [0.0])
    assert (seen.positive, seen.negatives[0]) == (slope, -slope)


@pytest.mark.parametrize(("right", "slope"), [(2.0, 0), (2.5, 1), (2.999, 1), (3.0, 0), (9.0, 0)])
def test_lvq2_ratio_gives_up_at_1_plus_delta_times_the_wrong_energy(right, slope):
    """F- = 2 and delta = 1/2: nothing is learned from F+ = 3 on; below, a slope of 1 / (delta F-)."""
    ratio = at("lvq2-ratio", delta=0.5)
    np.testing.assert_allclose(value(ratio, right, [2.0]), np.clip(right - 2, 0, 1), rtol=1e-6)
    seen = slopes(ratio, right, [2.0])
    np.testing.assert_allclose([seen.positive, seen.negatives[0]], [slope, -slope * right / 2], rtol=1e-6)


def test_mce_saturates_on_both_sides():
    """Its slope s (1 - s) is largest at a tie, 1/4, and lost beyond a gap of 100 either way."""
    assert [float(slopes(LOSS["mce"], gap, [0.0]).positive) for gap in (-200.0, 0.0, 200.0)] == [0, 0.25, 0]


@pytest.mark.parametrize("name", ["square-square", "square-hinge", "square-exp"])
def test_the_flat_level_of_a_square_loss_is_its_best(name):
    """Which makes its value on a flat energy a number that a training can be compared with."""
    law = LAWS[name]
    values = [value(LOSS[name], level, [level] * 3) for level in law.levels[0] + np.arange(-0.2, 0.21, 0.05)]
    assert np.argmin(values) == 4
