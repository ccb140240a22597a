"""Integrals on the plane, on energies with a known answer."""

import numpy as np
import pytest
from helpers.gaussians import AREA, BOX, CELLS, GRID, STANDARD, gaussian
from scipy import optimize, special

from ebmcli.metrics import density


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


def mixture(centres, sd):
    """The log-density of an even mixture of round Gaussians."""

    def log_density(y):
        return np.logaddexp.reduce([gaussian(centre, sd)(y) for centre in centres], axis=0) - np.log(len(centres))

    return log_density


PAIR, PAIR_SD = ((-2.0, 0.0), (2.0, 0.0)), 0.3
TWO = density.truth(mixture(PAIR, PAIR_SD), BOX, CELLS, 0.1)
TWO = TWO._replace(modes=density.modes_of(np.array(PAIR), PAIR_SD, GRID))


def test_kl_of_a_gaussian_energy_from_a_mixture_is_the_closed_form():
    """Cross entropy from the second moment of the mixture, minus its entropy: its components do not overlap."""
    sd = 1.2
    energy = np.square(GRID).sum(axis=1) / (2 * sd**2)
    cross = (2**2 + 2 * PAIR_SD**2) / (2 * sd**2) + np.log(2 * np.pi * sd**2)
    entropy = np.log(2) + 1 + np.log(2 * np.pi * PAIR_SD**2)
    assert density.kl(energy, TWO, 1.0) == pytest.approx(cross - entropy, abs=1e-3)


def test_kl_is_never_negative_and_knows_no_level_even_where_the_grid_is_too_coarse():
    exact = gaussian((0.1, 0.2), 0.05)
    rough = density.truth(exact, BOX, 30, 0.1)
    assert abs(np.exp(exact(density.grid(BOX, 30))).sum() * rough.area - 1) > 0.05, "a third of a cell wide"
    assert np.exp(rough.log_density).sum() * rough.area == pytest.approx(1)
    energy = np.random.default_rng(0).normal(0, 0.1, 900) - rough.log_density
    assert density.kl(energy, rough, 1.0) > 0
    assert density.kl(energy + 1e4, rough, 1.0) == pytest.approx(density.kl(energy, rough, 1.0), abs=1e-8)
    assert density.kl(-rough.log_density, rough, 1.0) == pytest.approx(0, abs=1e-9)


def test_quadrature_errors_are_those_of_half_the_cells():
    """Nothing where the energy is smooth, all of it where it lives on every other row."""
    smooth = np.square(GRID).sum(axis=1)
    assert density.nll_error(smooth, AREA, 1.0) < 1e-9
    assert density.kl_error(smooth, STANDARD, 1.0) < 1e-9
    rows = np.repeat(np.arange(CELLS) % 2, CELLS) * 50.0  # half of the grids see e^-50 everywhere, half see 1
    assert density.log_partition(rows, AREA, 1.0) == pytest.approx(np.log(50))
    assert density.nll_error(rows, AREA, 1.0) == pytest.approx(50 - np.log(2))
    canyon = 20 * (1 - np.exp(-np.square((GRID[:, 1] - GRID[:, 0]) / 0.01)))
    assert density.nll_error(canyon, AREA, 1.0) > 1, "a canyon along the diagonal that is narrower than a cell"


def test_the_nodes_about_a_curve_cover_the_box_and_find_a_narrow_canyon():
    points, area = density.curve_nodes(np.sin, BOX, CELLS)
    assert (np.abs(points) <= 5).all()
    assert area.sum() == pytest.approx(100, rel=1e-3)
    assert np.sum(area * points[:, 0] ** 2 * points[:, 1] ** 2) == pytest.approx((250 / 3) ** 2, rel=5e-3)
    for s in (1.0, 0.1, 0.001):
        energy = np.square((points[:, 1] - np.sin(points[:, 0])) / s) / 2
        assert density.log_partition(energy, area, 1.0) == pytest.approx(np.log(10 * s * np.sqrt(2 * np.pi)), abs=1e-3)
        assert density.nll_error(energy, area, 1.0) < 0.01


def test_a_curve_has_a_region_and_no_density():
    truth = density.curve_truth(lambda x: 0.37 * x, BOX, (-2.5, 2.5), CELLS, 0.1)
    assert truth.log_density is None
    assert (truth.far == ~truth.data_region).all()
    stadium = 5 * np.hypot(1, 0.37) * 0.2 + np.pi * 0.1**2
    assert truth.data_region.sum() * AREA == pytest.approx(stadium, rel=0.05)


def test_mse_of_the_log_density():
    """The truth at any level: 0. A model that is wider: the mean square of the difference, from moments of a chi^2."""
    draws = np.random.default_rng(0).normal(0, 0.7, (100_000, 2))
    known = STANDARD._replace(held_out=gaussian((0.0, 0.0), 0.7)(draws))
    at = -gaussian((0.0, 0.0), 0.7)(draws)
    assert density.mse_log_density(3 - STANDARD.log_density, 3 + at, known, 1.0) == pytest.approx(0, abs=1e-8)
    assert density.mse_log_density(-STANDARD.log_density / 2, at / 2, known, 2.0) == pytest.approx(0, abs=1e-8)
    wide, wide_at = (-gaussian((0.0, 0.0), 0.9)(y) for y in (GRID, draws))
    level, slope = 2 * np.log(0.9 / 0.7), (1 - 0.7**2 / 0.9**2) / 2  # log p - log model = level - slope u, u chi^2 of 2
    assert density.mse_log_density(wide, wide_at, known, 1.0) == pytest.approx(
        level**2 - 2 * level * slope * 2 + slope**2 * 8, rel=0.02
    )


def test_modes_and_high_quality_of_models_that_have_all_or_lack_one():
    perfect = -TWO.log_density
    within = 1 - np.exp(-(3**2) / 2)
    assert within == pytest.approx(0.9889, abs=1e-4)
    assert density.modes(perfect, TWO, 1.0) == 2
    assert density.high_quality(perfect, TWO, 1.0) == pytest.approx(within, abs=2e-3)
    one = -gaussian(PAIR[0], PAIR_SD)(GRID)
    assert density.modes(one, TWO, 1.0) == 1
    assert density.high_quality(one, TWO, 1.0) == pytest.approx(within, abs=2e-3)
    for share, found in ((0.06, 2), (0.04, 1)):  # a tenth of an even share is 0.05
        left, right = (np.exp(gaussian(centre, PAIR_SD)(GRID)) for centre in PAIR)
        assert density.modes(-np.log((1 - share) * left + share * right + 1e-300), TWO, 1.0) == found
    flat = np.zeros(len(GRID))
    assert density.high_quality(flat, TWO, 1.0) == pytest.approx(2 * np.pi * (3 * PAIR_SD) ** 2 / 100, rel=0.02)
    assert density.modes(flat, TWO, 1.0) == 0, "2.5 % of the mass each"


def test_every_cell_belongs_to_the_nearest_centre():
    near = density.modes_of(np.array([[-0.5, 0.0], [0.5, 0.0]]), 0.35, GRID)
    assert not (near[0] & near[1]).any()
    assert near[0][GRID[:, 0] < 0].sum() == near[0].sum() == near[1].sum()


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


@pytest.mark.parametrize("area", [AREA, AREA * np.linspace(0.5, 1.5, len(GRID))])
def test_beta_star_is_where_the_nll_is_least(area):
    """As scipy finds it from the nll alone; on a bound where the nll falls up to it."""
    energy = np.random.default_rng(1).normal(0, 2, len(GRID)) - STANDARD.log_density
    data = energy[np.random.default_rng(2).choice(len(GRID), 500, p=special.softmax(STANDARD.log_density))]
    least = optimize.minimize_scalar(
        lambda beta: density.nll(energy, data, area, beta), bounds=(0.01, 10), method="bounded", options={"xatol": 1e-9}
    )
    assert density.fit_beta(energy, data, area) == pytest.approx(least.x, rel=1e-5)
    assert density.fit_beta(-energy, -data, area) == 1e-3
    assert density.fit_beta(energy, np.full(5, energy.min() - 1), area) == 1e3
    assert density.fit_beta(0 * energy, 0 * data, area) == 1e-3


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


@pytest.mark.parametrize(("energy", "share"), [(-STANDARD.log_density, 0.0), (np.zeros(len(GRID)), 0.0),
                                               (STANDARD.log_density, 1.0)])  # fmt: skip
def test_low_energy_share_of_perfect_constant_and_inverted_energies(energy, share):
    assert density.low_energy_share(energy, energy[STANDARD.data_region], STANDARD) == share


def test_low_energies_are_those_below_the_95th_percentile_of_the_data():
    """Of energies 0, 1, ..., 100 it is 95."""
    far = np.arange(len(GRID)) < 200
    energy = np.where(np.arange(len(GRID)) < 50, 94.9, 95.1)
    assert density.low_energy_share(energy, np.arange(101.0), STANDARD._replace(far=far)) == 0.25


def test_the_data_region_holds_its_mass_and_far_is_outside_it_by_the_growth():
    mass = np.exp(STANDARD.log_density[STANDARD.data_region]).sum() * AREA
    assert 0.999 <= mass < 0.9992
    radius = 0.7 * np.sqrt(-2 * np.log(0.001))
    assert np.hypot(*GRID[STANDARD.far].T).min() == pytest.approx(radius + 0.1, abs=0.06)
