"""What is known of the tasks on the plane without running them, from the definitions in the literature."""

from functools import cache
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest

from ebmcli.core import registry
from ebmcli.tasks import plane

CELLS = 400  # a side of the grid on which densities are integrated; no edge of the checkerboard lies inside a cell


class Density(NamedTuple):
    """What is known of a plane task without running it."""

    entropy: float  # nats, from the literature's definition by an independent quadrature, good to 5e-4
    centres: np.ndarray | None = None  # [M, 2] of even Gaussians, where it is made of such
    sd: float = 0.0
    width: float = 0.0  # of the square about each centre, over which the Gaussian is spread


def middles(count):
    """The middles of so many equal parts of [0, 1]."""
    return (np.arange(count) + 0.5) / count


def half_circles():
    """Midpoints of 4,000 arcs: upper about (0, 0), lower about (1, .5), radius 1; times 2, shifted by (-1, -.2)."""
    t = np.pi * middles(2_000)
    arcs = [np.c_[np.cos(t), np.sin(t)], np.c_[1 - np.cos(t), 0.5 - np.sin(t)]]
    return 2 * np.concatenate(arcs) + [-1, -0.2]


def turning(*radii):
    """Midpoints of 2,000 arcs of each of these circles."""
    circle = np.exp(2j * np.pi * middles(2_000))
    return as_points(np.concatenate([radius * circle for radius in radii]))


def as_points(z):
    return np.c_[z.real, z.imag]


def roll():
    """sklearn's make_swiss_roll without its middle axis: t = 1.5 pi (1 + 2 u), (t cos t, t sin t), noise 1; over 5."""
    t = 1.5 * np.pi * (1 + 2 * middles(4_000))
    return as_points(t * np.exp(1j * t)) / 5


def spirals():
    """FFJORD's: n = sqrt(u) 540 degrees; (-n cos n, n sin n) + U(0, .5)^2, and its negative; over 3."""
    n = np.sqrt(middles(10_000)) * 540 * 2 * np.pi / 360
    one = n * (-np.cos(n) + 1j * np.sin(n)) + (0.25 + 0.25j)  # the middle of the square
    return as_points(np.concatenate([one, -one])) / 3


EIGHT = np.exp(2j * np.pi * np.arange(8) / 8)
LATTICE = np.arange(-4, 5, 2) + 1j * np.arange(-4, 5, 2)[:, None]
DENSITIES = {
    "moons": Density(2.3939, half_circles(), 2 * 0.1),
    "8gaussians": Density(2.8319, 4 * as_points(EIGHT) / 1.414, 0.5 / 1.414),
    "25gaussians": Density(2.1450, as_points(LATTICE.ravel()) / 1.414, 0.2 / 1.414),
    "circles": Density(3.2681, 3 * turning(1, 0.5), 3 * 0.08),
    "rings": Density(2.6232, 3 * turning(1, 0.75, 0.5, 0.25), 0.08),
    "swissroll": Density(2.6696, roll(), 1 / 5),
    "pinwheel": Density(2.3178),
    "2spirals": Density(2.6454, spirals(), 0.1, 0.5 / 3),
    "checkerboard": Density(np.log(32)),
}
MIXTURES = ("8gaussians", "25gaussians")  # of few components, which are modes
CURVES = {"line": lambda x: x, "cos": lambda x: 2.5 * np.sin(x)}

each = pytest.mark.parametrize("name", DENSITIES)


@cache
def log_density(name):
    """The log-density of which a plane task is made, on its way to becoming a task."""
    with mock.patch.object(plane, "plane", lambda draw, log_density, *mixture: log_density):
        return registry.units("task")[name].function()


def grid(cells=CELLS):
    """Mid-points of the cells of the box [cells^2, 2], first coordinate slowest, and the area of a cell."""
    middle = -5 + 10 * (np.arange(cells) + 0.5) / cells
    return np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2), (10 / cells) ** 2


@cache
def on_the_grid(log_density):
    """A log-density on that grid."""
    return log_density(grid()[0])
