"""Cells from keywords, as tests want them."""

from ebmcli.planning import plan
from ebmcli.planning.cells import cells
from ebmcli.planning.grid import grid

AXES = ("task", "loss", "sampler", "energy", "seed")


def cells_of(**said):
    """All cells of a grid: axes and hyperparameters by name."""
    axes = {name: said.pop(name) for name in AXES if name in said}
    return cells(grid(axes, said))[0]


def cell_of(**said):
    """The only cell of a grid."""
    (found,) = cells_of(**said)
    return found


def plan_of(**said):
    """The plan of a grid."""
    axes = {name: said.pop(name) for name in AXES if name in said}
    return plan.resolve(grid(axes, said))
