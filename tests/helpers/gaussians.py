"""A Gaussian on the plane, whose measures are known in closed form."""

from functools import cache

import numpy as np

from ebmcli.metrics import density

BOX = (-5.0, 5.0)
CELLS = 256
AREA = (10 / CELLS) ** 2
GRID = density.grid(BOX, CELLS)
SD = 0.7


def gaussian(mean, sd):
    """The log-density of a round Gaussian."""

    def log_density(y):
        return -np.square(y - np.asarray(mean)).sum(axis=1) / (2 * sd**2) - np.log(2 * np.pi * sd**2)

    return log_density


@cache
def standard(cells=CELLS):
    """The truth of a Gaussian of sd 0.7 about the origin."""
    return density.truth(gaussian((0.0, 0.0), SD), BOX, cells, 0.1)


STANDARD = standard()
