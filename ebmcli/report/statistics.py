"""Means with intervals over seeds, paired differences, and which of them are more than noise.

All intervals are of 95 %. Nothing here ranks by a mean alone: a row is better than another where a paired test says so.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

LEVEL = 0.95
BOOTSTRAP_FROM = 20  # runs: with fewer a bootstrap covers only 75 to 90 % where Student's t covers 95
RESAMPLES = 4999
ROUNDING = 1e-9  # of the level of the values: what spreads less is equal but for rounding

Values = Sequence[float | None]


class Mean(NamedTuple):
    """A mean over n runs with its interval (None below two runs)."""

    n: int
    mean: float | None
    low: float | None = None
    high: float | None = None


class Difference(NamedTuple):
    """The mean of n paired differences, its interval, and the p of "no difference" (None where nothing can be said)."""

    n: int
    mean: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None


def _there(values: Values) -> np.ndarray:
    return np.array([value for value in values if value is not None and np.isfinite(value)], float)


def mean(values: Values) -> Mean:
    """Mean and interval of what is there, Student's t below 20 runs and a BCa bootstrap above; None and what is not
    finite do not count."""
    numbers = _there(values)
    if len(numbers) >= BOOTSTRAP_FROM:
        return _bootstrapped(numbers, lambda rows: rows.mean(axis=-1))
    return _students(numbers, 0)


def interquartile(values: Values) -> Mean:
    """The mean of the middle half: the quarter of the runs at either end is left out (whole runs, rounded down).

    Below 20 runs with the interval of Tukey & McLaughlin (1963): Student's t of the winsorised runs. Below four runs
    nothing is left out, it is the mean.
    """
    numbers = _there(values)
    cut = len(numbers) // 4
    if len(numbers) >= BOOTSTRAP_FROM:
        return _bootstrapped(numbers, lambda rows: np.sort(rows, axis=-1)[..., cut : len(numbers) - cut].mean(axis=-1))
    return _students(numbers, cut)


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


def _bootstrapped(numbers: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> Mean:
    """Efron's (1987) bias-corrected and accelerated interval; the same resamples for every call of the same n."""
    from scipy.special import ndtr, ndtri

    n, centre = len(numbers), float(statistic(numbers))
    if np.ptp(numbers) <= ROUNDING * np.abs(numbers).max():
        return Mean(n, centre, centre, centre)
    drawn = np.sort(statistic(numbers[_resamples(n)]))
    below = (np.searchsorted(drawn, centre, "left") + np.searchsorted(drawn, centre, "right")) / 2
    bias = ndtri(np.clip(below / len(drawn), 1 / len(drawn), 1 - 1 / len(drawn)))
    without = np.array([statistic(np.delete(numbers, left_out)) for left_out in range(n)])
    pull = without.mean() - without
    spread = (pull**2).sum()
    acceleration = (pull**3).sum() / (6 * spread**1.5) if spread else 0.0
    ends = ndtri([0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    shares = ndtr(bias + (bias + ends) / (1 - acceleration * (bias + ends)))
    low, high = np.quantile(drawn, shares)
    return Mean(n, centre, float(low), float(high))


@lru_cache(maxsize=8)
def _resamples(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(n, size=(RESAMPLES, n), dtype=np.int32)


# --- differences -----------------------------------------------------------------------------------------------------


def paired_difference(first: Values, second: Values) -> Difference:
    """first - second, place by place (the same seeds), with Student's paired test.

    p is None where fewer than two pairs are there, and where all differences are equal: then nothing shows how much
    they would vary.
    """
    pairs = np.array([first, second], float).T.reshape(-1, 2)  # None becomes NaN
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    difference = pairs[:, 0] - pairs[:, 1]
    if len(pairs) < 2:
        return Difference(len(pairs), float(difference[0]) if len(pairs) else None)
    estimate = _students(difference, 0)
    p = float(_p(difference[None], np.abs(pairs).max(axis=1)[None])[0])
    return Difference(*estimate, None if np.isnan(p) else p)


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
    all pairs of rows. values: [R, S], NaN where a seed is missing. lower: whether less is better."""
    rows = len(values)
    ps, signs = np.full((rows, rows), np.nan), np.zeros((rows, rows))
    with np.errstate(all="ignore"):
        for row in range(rows - 1):
            difference = values[row + 1 :] - values[row]
            size = np.maximum(np.abs(values[row + 1 :]), np.abs(values[row]))
            ps[row, row + 1 :] = _p(difference, size)
            signs[row, row + 1 :] = np.sign(np.where(np.isfinite(difference), difference, 0).sum(axis=1))
    upper = np.triu_indices(rows, 1)
    different = np.zeros((rows, rows), bool)
    different[upper] = false_discovery(ps[upper]) < 1 - LEVEL
    more = different & (signs > 0)  # the second of the pair has the larger values
    less = different & (signs < 0)
    return (more | less.T) if lower else (less | more.T)
