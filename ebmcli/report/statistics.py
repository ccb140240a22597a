"""Means with intervals over seeds, paired differences, and which of them are more than noise.

All intervals are of 95 %. Nothing here ranks by a mean alone: a row is better than another where a paired test says so.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95
SPAN = 10.0  # positive values that differ by this factor are compared by their logarithms
ROUNDING = 1e-9  # of the level of the values: what spreads less is equal but for rounding

Values = Sequence[float | None]


class Mean(NamedTuple):
    """A mean over n runs with its interval (None below two runs)."""

    n: int
    mean: float | None
    low: float | None = None
    high: float | None = None


class Difference(NamedTuple):
    """The mean of n paired differences, its interval, and the p of "no difference" (None where nothing can be said).

    ratio: whether it is that of logarithms, and `mean` the factor that stands for it, which is 1 for no difference.
    """

    n: int
    mean: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    ratio: bool = False

    @property
    def sign(self) -> int:
        """1 where the first is larger, -1 where it is smaller, 0 where they are equal or nothing is there."""
        return int(np.sign((self.mean or 0.0) - 1 if self.ratio else (self.mean or 0.0)))


def _there(values: Values) -> np.ndarray:
    return np.array([value for value in values if value is not None and np.isfinite(value)], float)


def mean(values: Values) -> Mean:
    """Mean and Student's t interval of what is there; None and what is not finite do not count.

    A bootstrap (BCa) covers less where values are normal, 92 % with 20 runs, and hardly more where they are skew: with
    50 lognormal runs both cover 89 % (a test).
    """
    return _students(_there(values), 0)


def interquartile(values: Values) -> Mean:
    """The mean of the middle half: the quarter of the runs at either end is left out (whole runs, rounded down).

    The interval is that of Tukey & McLaughlin (1963): Student's t of the winsorised runs. Below four runs nothing is
    left out, it is the mean.
    """
    numbers = _there(values)
    return _students(numbers, len(numbers) // 4)


def _students(numbers: np.ndarray, cut: int) -> Mean:
    """The mean without `cut` runs at either end, and its t interval."""
    n = len(numbers)
    if n < 2:
        return Mean(n, float(numbers[0]) if n else None)
    from scipy.special import stdtrit

    order = np.sort(numbers)
    middle, left = float(order[cut : n - cut].mean()), n - 2 * cut
    deviation = np.clip(order, order[cut], order[n - 1 - cut]).std(ddof=1)
    half = float(stdtrit(left - 1, 0.5 + LEVEL / 2) * deviation * n**0.5 / left)
    return Mean(n, middle, middle - half, middle + half)


# --- differences -----------------------------------------------------------------------------------------------------


def spans_decades(values: np.ndarray) -> bool:
    """True if all values that are there are positive and some differ by a factor of ten.

    They are then compared by their logarithms, as ratios are: differences would be those of the worst runs alone, and
    skew as they are, the larger the more. Values that differ less have nearly the same order either way.
    """
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() >= SPAN * finite.min())


class _Numbers(NamedTuple):
    """Values [...], or their logarithms, and the size [...] of which ROUNDING is a share."""

    values: np.ndarray
    size: np.ndarray


def _logarithms(values: np.ndarray) -> _Numbers:
    return _Numbers(np.log(values), np.ones_like(values))


def paired_difference(first: Values, second: Values, ratio: bool = False) -> Difference:
    """first - second, place by place (the same seeds), with Student's paired test. ratio: first / second, by their
    logarithms, which must exist.

    p is None where fewer than two pairs are there, and where all differences are equal: then nothing shows how much
    they would vary.
    """
    pairs = np.array([first, second], float).T.reshape(-1, 2)  # None becomes NaN
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    numbers = _logarithms(pairs) if ratio else _Numbers(pairs, np.abs(pairs))
    difference = numbers.values[:, 0] - numbers.values[:, 1]
    n, *ends = _students(difference, 0)
    p = float(_p(difference[None], numbers.size.max(axis=1)[None])[0]) if n > 1 else np.nan
    middle, low, high = (float(np.exp(value)) if ratio and value is not None else value for value in ends)
    return Difference(n, middle, low, high, None if np.isnan(p) else p, ratio)


def _p(difference: np.ndarray, size: np.ndarray) -> np.ndarray:
    """[R] two-sided p of Student's test that each row of differences [R, S] has the mean 0; NaN marks what is missing,
    and what cannot be tested. size: [R, S] of the values whose differences these are, for their rounding."""
    from scipy.special import stdtr

    finite = np.isfinite(difference)
    n = finite.sum(axis=1)
    count = np.maximum(n, 1)
    middle = np.where(finite, difference, 0).sum(axis=1) / count
    squares = np.where(finite, difference - middle[:, None], 0) ** 2
    deviation = np.sqrt(squares.sum(axis=1) / np.maximum(n - 1, 1))
    scale = np.where(finite, size, 0).max(axis=1, initial=0.0)
    testable = (n >= 2) & (deviation > ROUNDING * scale)
    t = np.abs(middle) / np.where(testable, deviation / np.sqrt(count), 1)
    return np.where(testable, 2 * stdtr(np.maximum(n - 1, 1), -t), np.nan)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p adjusted so that with 95 % no difference is called significant by mistake (Holm 1979); None stays None."""
    order = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    highest = 0.0
    for done, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - done)))
        adjusted[place] = highest
    return adjusted


def false_discovery(ps: np.ndarray) -> np.ndarray:
    """p adjusted so that of the differences called significant at most 5 % are noise on average (Benjamini & Hochberg
    1995), and none with 95 % where all are; NaN stays NaN."""
    adjusted = np.full(len(ps), np.nan)
    finite = np.flatnonzero(np.isfinite(ps))
    order = finite[np.argsort(ps[finite], kind="stable")]
    raw = ps[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(1, np.minimum.accumulate(raw[::-1])[::-1])
    return adjusted


def better(values: np.ndarray, lower: bool) -> np.ndarray:
    """[R, R] bool, whether row i is better than row j: by the paired test over the seeds that both have, adjusted for
    all pairs of rows, of logarithms where the values span decades. values: [R, S], NaN where a seed is missing. lower:
    whether less is better."""
    values, sizes = _logarithms(values) if spans_decades(values) else _Numbers(values, np.abs(values))
    rows = len(values)
    ps, signs = np.full((rows, rows), np.nan), np.zeros((rows, rows))
    with np.errstate(all="ignore"):
        for row in range(rows - 1):
            difference = values[row + 1 :] - values[row]
            size = np.maximum(sizes[row + 1 :], sizes[row])
            ps[row, row + 1 :] = _p(difference, size)
            signs[row, row + 1 :] = np.sign(np.where(np.isfinite(difference), difference, 0).sum(axis=1))
    upper = np.triu_indices(rows, 1)
    different = np.zeros((rows, rows), bool)
    different[upper] = false_discovery(ps[upper]) < 1 - LEVEL
    more = different & (signs > 0)  # the second of the pair has the larger values
    less = different & (signs < 0)
    return (more | less.T) if lower else (less | more.T)
