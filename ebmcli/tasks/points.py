"""Points of one's own, from a file: F(y) on data whose density nobody knows."""

import math
from functools import lru_cache

import numpy as np

from ebmcli.core.decorators import task
from ebmcli.core.errors import UsageError
from ebmcli.core.files import digest
from ebmcli.core.lazy import Array, Key, jax
from ebmcli.core.texts import quoted
from ebmcli.core.types import Task, Units
from ebmcli.metrics import density
from ebmcli.tasks._csv import LEAST_ROWS, Table, read
from ebmcli.tasks._defaults import EMPIRICAL
from ebmcli.tasks._plane import BOX, DATA_GROWTH, GRID, HELD_OUT, on_the_plane

TESTED = 5  # every fifth different point, in a random order, is held out
SPLIT_SEED = 2006
REACH = 4.0  # the data are scaled to lie between -REACH and REACH, inside the box
NEAR = 0.99  # quantile of the distances to the nearest neighbour: what lies that near to a point belongs to the data
FEW_VALUES = 20  # with fewer in a column the data lie on lines
CROWDED = 1 / 40  # of the range of a column: where half of its values fill less, some others are far away
COMMON, MORE_COMMON = 0.05, 5  # a value has more than that share of the rows, that many times that of any other
NO_DENSITY = "a density on lines has no highest value, so nll falls without end as the energy gets steeper there"


# Version 2 tells nll in the units of the file, and holds out no copy of a point that it trains on.
@task(**EMPIRICAL, file=True, also="csv file", version=2)
def points(file: str, data: str = "") -> Task:
    """the two columns of FILE.csv, each scaled to [-4, 4]: all measures but those of the true density (kl, tv, ...)"""
    content = digest(file)
    if data and data != content:
        named = quoted(file)
        raise UsageError(f"{named}: the file is no longer the one of these runs, bring it back or begin a new sweep")
    table = read(file, content)
    units = Units(table.names, table.points.min(axis=0), table.points.max(axis=0), REACH)
    scaled = units.into_box(table.points)
    train, test = split(file, scaled)

    @lru_cache
    def known(fine: bool) -> density.Truth:
        near = density.cells_near(scaled, BOX[:2], GRID[fine], max(neighbours(scaled), DATA_GROWTH))
        return density.Truth(None, density.cell_area(BOX[:2], GRID[fine]), near, ~near)

    def draw(key: Key, arrays: dict[str, Array], size: int) -> Array:
        return arrays["points"][jax.random.randint(key, (size,), 0, len(train))]

    of_file = on_the_plane(draw, lambda: test[: max(HELD_OUT.values())], known, units=units)
    return of_file._replace(
        data=lambda: {"points": train.astype(np.float32)},
        examples=len(train),
        remarks=(*table.remarks, *remarks(table, scaled)),
        test_seed=None,
    )


def split(file: str, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(training points, test points), in a random order; no point is in both. Raises UsageError for too few.

    What float32 cannot tell apart is one point, of which all rows go where the first goes.
    """
    _, first, which = np.unique(scaled.astype(np.float32), axis=0, return_index=True, return_inverse=True)
    if len(first) < LEAST_ROWS:
        raise UsageError(
            f"{quoted(file)}: {len(first)} different points in {len(scaled)} rows, a task needs at least {LEAST_ROWS}"
        )
    order = np.random.default_rng(SPLIT_SEED).permutation(len(first))
    place = np.empty(len(first), int)  # in the order, of each point, numbered as they first appear
    place[order] = np.arange(len(first))
    of_row = place[np.argsort(np.argsort(first))[which.ravel()]]
    rows = np.argsort(of_row, kind="stable")
    tested = int(np.sum(of_row < len(first) // TESTED))
    return scaled[rows[tested:]], scaled[rows[:tested]]


def remarks(table: Table, scaled: np.ndarray) -> list[str]:
    """What a user may not expect of these points, a sentence each. scaled: they, in the box."""
    single = scaled.astype(np.float32)
    different = len(np.unique(single, axis=0))
    repeated = [
        f"{len(single) - different:,} of {len(single):,} rows repeat another: those of one point are all trained "
        "on, or all held out"
    ]
    far = [sentence for column in range(2) for sentence in _far_values(table, column)]
    return (repeated if different < len(single) else []) + (far or _lines(table, scaled))


def _lines(table: Table, scaled: np.ndarray) -> list[str]:
    """What is said of points that lie on one line, or on few."""
    values = [len(np.unique(column)) for column in scaled.astype(np.float32).T]
    few = [f"{table.called(place)} has {count} different values" for place, count in enumerate(values)]
    sentences = [f"{few[place]}: {NO_DENSITY}" for place, count in enumerate(values) if count < FEW_VALUES]
    across = math.sqrt(max(np.linalg.eigvalsh(np.cov(scaled, rowvar=False))[0], 0.0))
    if across < (BOX.high - BOX.low) / GRID[True]:
        sentences.append(f"the points lie on a line, or all but: {NO_DENSITY}")
    return sentences


def _far_values(table: Table, column: int) -> list[str]:
    """What is said of a column whose range is due to a few values, or in which one value is far more common than any
    other."""
    values, called = table.points[:, column], table.called(column)
    low, lower, middle, upper, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    each, counts = np.unique(values, return_counts=True)
    if len(each) < FEW_VALUES:
        return []
    if upper - lower < CROWDED * (high - low):
        far = low if middle - low > high - middle else high
        return [
            f"{called} is scaled to its range, {low:g} to {high:g}, of which half of the values fill the part from "
            f"{lower:g} to {upper:g} alone: if {far:g} is an error or stands for a missing value, remove its rows"
        ]
    second, first = np.sort(counts)[-2:]
    if first > COMMON * len(values) and first > MORE_COMMON * second:
        share = first / len(values)
        return [f"{each[counts.argmax()]:g} stands in {share:.0%} of {called}: if it means a missing value, remove it"]
    return []


def neighbours(points: np.ndarray) -> float:
    """The distance within which nearly all points have another one."""
    from scipy.spatial import cKDTree

    nearest = cKDTree(points).query(points, k=2)[0][:, 1]
    return float(np.quantile(nearest, NEAR))
