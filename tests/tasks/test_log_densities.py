"""Every density on the plane is that of the literature's definition, and integrates to one."""

import numpy as np
import pytest
from helpers.densities import (
    DENSITIES,
    as_points,
    each,
    grid,
    log_density,
    middles,
    on_the_grid,
    turning,
)
from scipy import special, stats

from ebmcli.tasks import _log_densities as densities
from ebmcli.tasks import _pinwheel


@each
def test_a_density_integrates_to_one_with_the_published_entropy(name):
    """None leaves the box: at most 1e-7 of the pinwheel does."""
    log_p, area = on_the_grid(log_density(name)), grid()[1]
    assert np.isfinite(log_p).all()
    assert abs(np.exp(log_p).sum() * area - 1) < 1e-6
    assert abs(-(np.exp(log_p) * log_p).sum() * area - DENSITIES[name].entropy) < 1e-3


def component(away, sd, width):
    """[M]: the density of a round Gaussian, spread over a square, that far from its centre [M, 2]."""
    if not width:
        return np.exp(-np.square(away).sum(axis=1) / (2 * sd**2)) / (2 * np.pi * sd**2)
    axes = special.ndtr((away + width / 2) / sd) - special.ndtr((away - width / 2) / sd)
    return axes.prod(axis=1) / width**2


@pytest.mark.parametrize("name", [name for name, known in DENSITIES.items() if known.sd])
def test_a_density_is_that_of_the_definition(name):
    """Against a plain sum over the definition's centres."""
    known = DENSITIES[name]
    y = np.random.default_rng(0).uniform(-4, 4, (300, 2))
    p = np.array([component(point - known.centres, known.sd, known.width).mean() for point in y])
    near = p > 1e-10
    assert near.sum() > 40
    np.testing.assert_allclose(log_density(name)(y)[near], np.log(p[near]), atol=1e-3)


@each
def test_a_density_is_the_same_on_a_grid_and_at_single_points(name):
    """On a grid the axes are taken apart."""
    y = grid(60)[0]
    chosen = np.random.default_rng(0).permutation(len(y))[:200]
    np.testing.assert_allclose(log_density(name)(y)[chosen], log_density(name)(y[chosen]), rtol=1e-9)


def turned(f, arm):
    """The definition of the pinwheel: points [N, 2] of an arm before they are turned, and after."""
    angle = -(2 * np.pi * arm / 5 + 0.25 * np.exp(f[:, 0]))
    return 2 * as_points((f[:, 0] + 1j * f[:, 1]) * np.exp(1j * angle))


@pytest.mark.parametrize("arm", range(5))
def test_arms_of_the_pinwheel_are_turned_gaussians(arm):
    """At the image of a point: its Gaussian density over the area that the map stretches, by central differences."""
    f = np.random.default_rng(arm).normal([1, 0.05], [0.3, 0.1], (2_000, 2))
    normal = stats.norm.logpdf(f, [1, 0], [0.3, 0.1]).sum(axis=1)
    h = 1e-5
    sides = [(turned(f + step, arm) - turned(f - step, arm)) / (2 * h) for step in h * np.eye(2)]
    area = np.abs(sides[0][:, 0] * sides[1][:, 1] - sides[0][:, 1] * sides[1][:, 0])
    found = _pinwheel.arm_log_densities(turned(f, arm))
    np.testing.assert_allclose(found[:, arm], normal - np.log(area), atol=1e-6)
    total = np.logaddexp.reduce(found, axis=1) - np.log(5)
    np.testing.assert_allclose(_pinwheel.log_density(turned(f, arm)), total, atol=1e-9)


@pytest.mark.parametrize("radius", [0.2, 1.0, 2.0, 3.0, 4.0])
def test_the_pinwheel_turns_no_mass_off_its_circle(radius):
    """However far it turns, a circle keeps the mass that it has in one Gaussian about (2, 0)."""
    circle = turning(radius)
    plain = np.exp(stats.norm.logpdf(circle, [2, 0], [0.6, 0.2]).sum(axis=1)).mean()
    assert np.exp(_pinwheel.log_density(circle)).mean() == pytest.approx(plain, rel=1e-6)


def test_the_checkerboard_is_its_eight_squares():
    """x1 = U(-2, 2), x2 = U(0, 1) - {0, 2} + floor(x1) mod 2, times 2: all of it is on, and 32 of 100 cells are."""
    x1, u, down = np.meshgrid(4 * middles(40) - 2, middles(10), [0, 2])
    defined = 2 * np.c_[x1.ravel(), (u - down + np.floor(x1) % 2).ravel()]
    assert (densities.checkerboard(defined) == -np.log(32)).all()
    cells = densities.checkerboard(grid(10)[0])
    assert sorted(set(cells)) == [densities.FLOOR, -np.log(32)]
    assert (cells > densities.FLOOR).sum() == 32
