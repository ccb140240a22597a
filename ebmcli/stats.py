"""Means with intervals over seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Mean(NamedTuple):
    """A mean over n runs with the half-width of its 95 % interval (None below two runs)."""

    n: int
    mean: float | None
    half: float | None


def mean(values: Sequence[float | None], level: float = 0.95) -> Mean:
    """Mean and Student's t interval of what is there; None and what is not finite do not count."""
    found = np.array([value for value in values if value is not None and np.isfinite(value)], float)
    if not len(found):
        return Mean(0, None, None)
    if len(found) == 1:
        return Mean(1, float(found[0]), None)
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(found) - 1, 0.5 + level / 2))
    return Mean(len(found), float(found.mean()), quantile * float(found.std(ddof=1)) / len(found) ** 0.5)


def number(value: float | None, digits: int = 3) -> str:
    """A number for a table: significant digits, no exponent where it can be read without one; a dash for nothing."""
    if value is None or not np.isfinite(value):
        return "–"
    size = abs(value)
    if size and not 1e-4 <= size < 1e6:
        return f"{value:.{digits - 1}e}"
    exponent = int(f"{size:.{digits - 1}e}".partition("e")[2])  # after rounding: 9.999 counts as 10
    return f"{value:,.{min(max(0, digits - 1 - exponent), 6) if size else 0}f}"


def text(found: Mean) -> str:
    """`mean ± half`, rounded to the interval's two leading digits; the mean alone where there is no interval."""
    if found.mean is None or found.half is None:
        return number(found.mean)
    if found.half <= 1e-9 * abs(found.mean):  # equal but for rounding
        return f"{number(found.mean)} ± 0"
    if max(abs(found.mean), found.half) >= 1e6 or found.half < 1e-6:
        return f"{found.mean:.2e} ± {found.half:.1e}"
    places = max(0, min(6, 1 - int(np.floor(np.log10(found.half)))))
    return f"{found.mean:,.{places}f} ± {found.half:,.{places}f}"
