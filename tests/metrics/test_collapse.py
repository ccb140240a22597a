"""Verdicts on energies of which it is known what they are."""

import numpy as np
import pytest
from helpers.gaussians import BOX, SD, gaussian, standard

from ebmcli.metrics import collapse, density
from ebmcli.metrics.plane import PlaneEvaluation
from ebmcli.training import evaluate

CELLS = 128
GRID, TRUTH = density.grid(BOX, CELLS), standard(CELLS)


def test_auroc_of_perfect_inverted_and_constant_energies():
    right, other = np.array([0.0, 1.0]), np.array([2.0, 3.0, 4.0])
    assert collapse.auroc(right, other) == 1
    assert collapse.auroc(-right, -other) == 0
    assert collapse.auroc(np.ones(5), np.ones(7)) == 0.5
    assert collapse.auroc(np.array([0.0, 2.0]), np.array([1.0, 2.0])) == pytest.approx((2 + 0.5) / 4)


def test_verdicts_of_energies_whose_state_is_known():
    rng = np.random.default_rng(1)
    draws = rng.normal(0, SD, (1000, 2))
    good = -TRUTH.log_density
    at_data = -gaussian((0.0, 0.0), SD)(draws)

    def measures(energy, at):
        return evaluate.measures(PlaneEvaluation(energy, at, TRUTH, 1.0, 1.0))

    start = measures(rng.normal(0, 0.5, len(GRID)), rng.normal(0, 0.5, 1000))

    def verdict(energy, at):
        return collapse.verdict(measures(energy, at), start)[0]

    assert verdict(good, at_data) == "healthy"
    assert verdict(good + 1e3, at_data + 1e3) == "healthy"
    assert verdict(np.zeros(len(GRID)), np.zeros(1000)) == "flat"
    assert verdict(np.full(len(GRID), 1e6), np.full(1000, 1e6)) == "flat"
    assert verdict(-good, -at_data) == "inverted"
    assert verdict(1e7 * GRID[:, 0], 1e7 * draws[:, 0]) == "unbounded"
    basin = np.where(np.hypot(GRID[:, 0] - 3.5, GRID[:, 1] - 3.5) < 1.5, good.min(), good)
    assert verdict(basin, at_data) == "spurious"


def test_the_verdict_knows_the_scale_of_a_run():
    small = {"energy_spread": 0.05, "energy_level": 0.0, "auroc": 0.9}
    large = {"energy_spread": 5e4, "energy_level": 0.0, "auroc": 0.9}
    assert collapse.verdict(small, small)[0] == "flat"
    assert collapse.verdict(small, small, small=0.1)[0] == "healthy"
    assert collapse.verdict(large, small)[0] == "unbounded"
    assert collapse.verdict(large, large)[0] == "healthy", "it has not grown"
    assert collapse.verdict(large, small, large=1e4)[0] == "healthy"


def test_verdicts_that_the_gaps_decide():
    fair = {"energy_spread": 10.0, "energy_level": 0.0, "auroc": 0.99, "gap_q50": -0.4, "gap_q90": 1.0}
    assert collapse.verdict(fair, fair)[0] == "healthy"
    assert collapse.verdict(fair | {"gap_q90": -0.1}, fair)[0] == "spurious"
    start = fair | {"energy_spread": 1.3}
    assert collapse.verdict(fair | {"gap_q50": -127.0, "gap_q90": -32.0}, start)[0] == "unbounded"
