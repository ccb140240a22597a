"""Measures on cases with a known answer."""

import numpy as np
import pytest

from ebmcli.metrics import collapse, density, margin, sequence
from ebmcli.tasks import plane

BOX = (-5.0, 5.0)
CELLS = 256
AREA = (10 / CELLS) ** 2
GRID = density.grid(BOX, CELLS)


def gaussian(mean, sd):
    """The log-density of a round Gaussian."""

    def log_density(y):
        return -np.square(y - np.asarray(mean)).sum(axis=1) / (2 * sd**2) - np.log(2 * np.pi * sd**2)

    return log_density


STANDARD = density.truth(gaussian((0.0, 0.0), 0.7), BOX, CELLS, 0.1)


def test_log_partition_of_a_gaussian_energy():
    energy = np.square(GRID).sum(axis=1) / 2
    for beta in (0.8, 2.0, 5.0):
        assert density.log_partition(energy, AREA, beta) == pytest.approx(np.log(2 * np.pi / beta), abs=1e-3)


def test_kl_between_gaussians_is_the_closed_form_at_any_level():
    sd, other, shift = 0.7, 0.9, 0.4
    energy = 5.0 + np.square(GRID - [shift, 0.0]).sum(axis=1) / (2 * other**2)
    expected = 2 * np.log(other / sd) + (2 * sd**2 + shift**2) / (2 * other**2) - 1
    assert density.kl(energy, STANDARD, 1.0) == pytest.approx(expected, abs=1e-4)
    assert density.kl(-STANDARD.log_density, STANDARD, 1.0) == pytest.approx(0.0, abs=1e-6)


def test_total_variation_of_equal_and_of_disjoint_densities():
    assert density.total_variation(-STANDARD.log_density, STANDARD, 1.0) == pytest.approx(0.0, abs=1e-6)
    left, right = (density.truth(gaussian((x, 0.0), 0.3), BOX, CELLS, 0.1) for x in (-3.0, 3.0))
    assert density.total_variation(-right.log_density, left, 1.0) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_beta_star_undoes_a_scaling(scale):
    energy = -STANDARD.log_density * scale
    data = np.random.default_rng(0).normal(0, 0.7, (200_000, 2))
    held_out = -gaussian((0.0, 0.0), 0.7)(data) * scale
    assert density.fit_beta(energy, held_out, AREA) == pytest.approx(1 / scale, rel=0.01)


def test_spurious_mass_and_low_energy_share_of_a_planted_far_basin():
    honest = -STANDARD.log_density
    data = honest[STANDARD.data_region]
    assert density.spurious_mass(honest, STANDARD, 1.0) == pytest.approx(0.001, abs=2e-4)
    basin = np.hypot(GRID[:, 0] - 4, GRID[:, 1] - 4) < 0.5
    planted = np.where(basin, honest.min(), honest)
    weight = basin.sum() * AREA * np.exp(-honest.min())
    assert density.spurious_mass(planted, STANDARD, 1.0) == pytest.approx(weight / (1 + weight), abs=2e-3)
    assert density.low_energy_share(honest, data, STANDARD) == 0
    assert density.low_energy_share(planted, data, STANDARD) == pytest.approx(basin.sum() / STANDARD.far.sum())
    assert density.far_minimum(planted, STANDARD) == honest.min()


def test_the_data_region_holds_its_mass_and_far_is_outside_it_by_the_growth():
    mass = np.exp(STANDARD.log_density[STANDARD.data_region]).sum() * AREA
    assert 0.999 <= mass < 0.9992
    radius = 0.7 * np.sqrt(-2 * np.log(0.001))
    assert np.hypot(*GRID[STANDARD.far].T).min() == pytest.approx(radius + 0.1, abs=0.06)


def test_auroc_of_perfect_inverted_and_constant_energies():
    right, other = np.array([0.0, 1.0]), np.array([2.0, 3.0, 4.0])
    assert collapse.auroc(right, other) == 1
    assert collapse.auroc(-right, -other) == 0
    assert collapse.auroc(np.ones(5), np.ones(7)) == 0.5
    assert collapse.auroc(np.array([0.0, 2.0]), np.array([1.0, 2.0])) == pytest.approx((2 + 0.5) / 4)


def measures(energy, data_energy):
    return plane.measures(energy, data_energy, STANDARD, 1.0, 1.0)


def test_verdicts_of_energies_whose_state_is_known():
    rng = np.random.default_rng(1)
    draws = rng.normal(0, 0.7, (1000, 2))
    good = -STANDARD.log_density
    at_data = -gaussian((0.0, 0.0), 0.7)(draws)
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
    large = {"energy_spread": 5e3, "energy_level": 0.0, "auroc": 0.9}
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


def test_gap_quantiles_and_violations_of_a_hand_made_energy():
    gaps = np.arange(101) / 100
    found = margin.summary(gaps, 0.25)
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


def test_sequence_errors_count_letters_that_are_there():
    label = np.array([[1, 2, 3, 0], [4, 5, 0, 0]])
    length = np.array([3, 2])
    found = np.array([[1, 2, 9, 9], [4, 5, 7, 7]])
    assert sequence.character_error(found, label, length) == pytest.approx(1 / 5)
    assert sequence.exact_match(found, label, length) == 0.5
