"""The tasks on the plane: samples agree with their density, and energies that are known have the measures they must."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.densities import (
    CELLS,
    CURVES,
    DENSITIES,
    MIXTURES,
    as_points,
    each,
    grid,
    log_density,
    middles,
    on_the_grid,
    spirals,
)
from helpers.tasks import MANY, build, drawn, measured
from scipy import stats

from ebmcli.metrics.plane import PlaneEvaluation
from ebmcli.tasks import _log_densities as densities
from ebmcli.tasks import _pinwheel, _plane

curves = pytest.mark.parametrize("name", CURVES)


@cache
def samples(name):
    """[40,000, 2] float64."""
    return np.concatenate([np.float64(drawn(name, seed=seed).y) for seed in range(30, 38)])


def check_samples(y, log_density, entropy):
    """A chi-square test on 40 x 40 cells, and the mean log-density of the samples is minus the entropy."""
    part, area = CELLS // 40, grid()[1]
    mass = np.exp(on_the_grid(log_density)).reshape(40, part, 40, part).sum(axis=(1, 3)).ravel() * area
    seen = np.histogram2d(*y.T, bins=40, range=[(-5, 5)] * 2)[0].ravel()
    common = len(y) * mass > 8
    expected = len(y) * np.append(mass[common], 1 - mass[common].sum())
    assert stats.chisquare(np.append(seen[common], len(y) - seen[common].sum()), expected).pvalue > 1e-3
    surprise = -log_density(y[:10_000])
    assert abs(surprise.mean() - entropy) < 4 * surprise.std() / 100 + 1e-9


@each
def test_samples_agree_with_the_density(name):
    check_samples(samples(name), log_density(name), DENSITIES[name].entropy)


FAULTS = {
    "shifted": lambda y: y + 0.05,
    "mirrored": lambda y: y * [1, -1],
    "too wide": lambda y: 1.05 * y,
    "fixed angles": lambda y: np.tile(y[:100], (len(y) // 100, 1)),
}
FAULTY = [*(("moons", fault) for fault in FAULTS), ("25gaussians", "too wide"), ("circles", "shifted"),
          ("rings", "fixed angles"), ("swissroll", "mirrored"), ("pinwheel", "mirrored"), ("2spirals", "mirrored"),
          ("checkerboard", "mirrored"), ("checkerboard", "shifted")]  # fmt: skip


@pytest.mark.parametrize(("name", "fault"), FAULTY)
def test_wrong_samples_are_caught(name, fault):
    """Planted faults in a sampler break its check."""
    with pytest.raises(AssertionError):
        check_samples(FAULTS[fault](samples(name)), log_density(name), DENSITIES[name].entropy)


def thin_spirals():
    """Without the square about each point."""
    return densities.mixture(spirals()[::10], 0.1)


def even_roll():
    """As if t were uniform along the curve."""
    t = np.sqrt((1.5 * np.pi) ** 2 + middles(2_000) * ((4.5 * np.pi) ** 2 - (1.5 * np.pi) ** 2))
    return densities.mixture(as_points(t * np.exp(1j * t)) / 5, 0.2)


WRONG = {
    "2spirals": thin_spirals,
    "swissroll": even_roll,
    "rings": lambda: densities.rings((3.0, 2.25, 1.5, 0.75), 0.09),
    "pinwheel": lambda: lambda y: _pinwheel.log_density(y * [1, -1]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_densities_are_caught(name):
    """Planted faults in a density break its check."""
    with pytest.raises(AssertionError):
        check_samples(samples(name), WRONG[name](), DENSITIES[name].entropy)


@pytest.mark.parametrize("name", [*DENSITIES, *CURVES])
def test_batches_are_inside_the_box_and_held_out_data_are_no_training_data(name):
    task, one, other = build(name), drawn(name, seed=0).y, drawn(name, seed=1).y
    assert one.shape == (MANY, 2)
    assert one.dtype == np.float32
    assert not (one == other).all(axis=1).any()
    assert task.space == (-5.0, 5.0, 2)
    assert (np.abs(one) < 5).all()
    held_out = np.asarray(task.targets(True)["data"])
    assert held_out.shape == (5_000, 2)
    common = set(map(tuple, held_out.tolist())) & set(map(tuple, one.tolist()))
    assert len(common) < (10 if name in CURVES else 1), "one float32 makes a point of a curve: 5,000^2 of 2^23 agree"


# --- curves ----------------------------------------------------------------------------------------------------------


@curves
def test_points_of_a_curve_are_on_the_curve(name):
    x, y = samples(name)[:20_000].T
    np.testing.assert_allclose(y, CURVES[name](x), atol=1e-5)
    assert stats.kstest(x, "uniform", (-2.5, 5)).pvalue > 1e-3


@curves
def test_a_curve_has_no_density_but_its_canyon_is_measured(name):
    """F = ((y2 - h(y1)) / s)^2/2: Z = 10 s sqrt(2 pi), as long as the canyon lies inside the box, however narrow."""
    height = {"line": lambda x: x, "cos": lambda x: 2.5 * jnp.sin(x)}[name]
    for s, fine in ((0.02, False), (0.001, True)):
        found = measured(name, lambda x, y, s=s: jnp.square((y[1] - height(y[0])) / s) / 2, fine)
        undefined = {"kl", "kl_error", "kl_beta_star", "tv", "spurious_mass", "mse_log_density"}
        assert {key for key, value in found.items() if value is None} == undefined
        assert found["nll"] == pytest.approx(np.log(10 * s * np.sqrt(2 * np.pi)), abs=0.01)
        assert found["nll_error"] < 0.03
        assert found["auroc"] > 0.99
    flat = measured(name, lambda x, y: 7 + 0 * y[0], False)
    assert flat["nll"] == pytest.approx(np.log(100), abs=5e-3)
    assert (flat["auroc"], flat["gap_q50"], flat["offending_level"]) == (0.5, 0.0, 7.0)


@curves
def test_what_is_near_a_curve_is_not_offending(name):
    """F = the distance from the data: the most offending answer lies just outside what counts as near."""
    x = jnp.linspace(-2.5, 2.5, 1_001)
    line = jnp.stack([x, {"line": x, "cos": 2.5 * jnp.sin(x)}[name]], axis=1)
    found = measured(name, lambda x, y: jnp.sqrt(jnp.min(jnp.sum(jnp.square(y[None] - line), axis=1))), False)
    assert _plane.DATA_GROWTH - 0.002 < found["gap_q50"] < _plane.DATA_GROWTH + 0.05


# --- mixtures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "within"), [*zip(MIXTURES, (0.9901, 1 - np.exp(-4.5)), strict=True)])
def test_an_exact_model_of_a_mixture_has_all_its_modes(name, within):
    """-F = log p: kl and mse are 0, and 3 sd of the nearest centre hold what they hold of a Gaussian."""
    known = DENSITIES[name]
    centres = jnp.asarray(known.centres, jnp.float32)

    def energy(x, y):
        return -jax.nn.logsumexp(-jnp.sum(jnp.square(y[None] - centres), axis=1) / (2 * known.sd**2))

    found = measured(name, energy)
    assert found["modes"] == len(centres)
    assert found["high_quality"] == pytest.approx(within, abs=2e-4)
    assert (found["kl"], found["mse_log_density"]) == pytest.approx((0, 0), abs=1e-5)
    assert found["kl_error"] < 1e-4
    assert found["nll"] == pytest.approx(known.entropy, abs=0.06), "held-out data, 5,000 points"


@pytest.mark.parametrize("name", [*DENSITIES, *CURVES])
def test_only_mixtures_have_modes_and_only_curves_have_no_density(name):
    sizes = {part: len(points) for part, points in build(name).targets(False).items()}
    evaluation = build(name).measure({part: np.zeros(size) for part, size in sizes.items()}, False, 1.0, 0.0)
    assert isinstance(evaluation, PlaneEvaluation)
    assert (evaluation.truth.modes is not None) == (name in MIXTURES)
    assert (evaluation.truth.log_density is None) == (evaluation.truth.held_out is None) == (name in CURVES)
    assert (evaluation.nodes is not None) == (name in CURVES)
