"""Points of one's own, from a file: F(y) on data whose density nobody knows."""

import csv
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from ebmcli.core.decorators import task
from ebmcli.core.errors import UsageError
from ebmcli.core.files import digest
from ebmcli.core.lazy import Array, Key, jax
from ebmcli.core.texts import quoted
from ebmcli.core.types import Task
from ebmcli.metrics import density
from ebmcli.tasks._defaults import EMPIRICAL
from ebmcli.tasks._plane import BOX, DATA_GROWTH, GRID, HELD_OUT, on_the_plane

LEAST_ROWS = 50
TESTED = 5  # every fifth point, in a random order, is held out
SPLIT_SEED = 2006
REACH = 4.0  # the data are scaled to lie between -REACH and REACH, inside the box
NEAR = 0.99  # quantile of the distances to the nearest neighbour: what lies that near to a point belongs to the data


@task(**EMPIRICAL, file=True, also="csv file")
def points(file: str, data: str = "") -> Task:
    """the two columns of FILE.csv, each scaled to [-4, 4]: all measures but those of the true density (kl, tv, ...)"""
    content = digest(file)
    if data and data != content:
        named = quoted(file)
        raise UsageError(f"{named}: the file is no longer the one of these runs, bring it back or begin a new sweep")
    scaled = rescale(read_points(file, content))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(scaled))
    train, test = scaled[order[len(order) // TESTED :]], scaled[order[: len(order) // TESTED]]

    @lru_cache
    def known(fine: bool) -> density.Truth:
        near = density.cells_near(scaled, BOX[:2], GRID[fine], max(neighbours(scaled), DATA_GROWTH))
        return density.Truth(None, density.cell_area(BOX[:2], GRID[fine]), near, ~near)

    def draw(key: Key, arrays: dict[str, Array], size: int) -> Array:
        return arrays["points"][jax.random.randint(key, (size,), 0, len(train))]

    of_file = on_the_plane(draw, lambda: test[: max(HELD_OUT.values())], known)
    return of_file._replace(data=lambda: {"points": train.astype(np.float32)}, examples=len(train))


@lru_cache
def read_points(file: str, content: str) -> np.ndarray:
    """[N, 2] float64: the two columns of a CSV file, whose first line may name them. Raises UsageError.

    content: its digest, so that a file is read again when it has changed.
    """
    named = quoted(file)
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except OSError as error:
        raise UsageError(f"{named}: {error.strerror or error}; name a CSV file, as in --task points:FILE.csv") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{named}: no CSV text ({error}); save it as CSV in UTF-8") from None
    if rows and len(rows[0][1]) == 2 and not any(map(_number, rows[0][1])):
        rows = rows[1:]  # names of the columns
    points = np.array([_pair(named, line, row) for line, row in rows]).reshape(-1, 2)
    if len(points) < LEAST_ROWS:
        raise UsageError(f"{named}: {len(points)} rows of numbers, a task needs at least {LEAST_ROWS}")
    for column in range(2):
        if np.ptp(points[:, column]) == 0:
            raise UsageError(
                f"{named}: column {column + 1} is {points[0, column]:g} in every row, name points that vary"
            )
    return points


def _pair(named: str, line: int, row: list[str]) -> list[float]:
    if len(row) != 2:
        raise UsageError(f"{named}, line {line}: two columns are wanted, separated by a comma, found {len(row)}")
    for cell in row:
        if not _number(cell):
            raise UsageError(f"{named}, line {line}: {cell.strip()!r} is no finite number, mend or remove that line")
    return [float(cell) for cell in row]


def _number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def rescale(points: np.ndarray) -> np.ndarray:
    """Each column moved and scaled to lie between -REACH and REACH."""
    low, high = points.min(axis=0), points.max(axis=0)
    return REACH * (2 * ((points - low) / (high - low)) - 1)


def neighbours(points: np.ndarray) -> float:
    """The distance within which nearly all points have another one."""
    from scipy.spatial import cKDTree

    nearest = cKDTree(points).query(points, k=2)[0][:, 1]
    return float(np.quantile(nearest, NEAR))
