"""Numbers, intervals, p-values and durations as a table shows them."""

from typing import Any

import numpy as np

from ebmcli.report.statistics import ROUNDING, Difference, Mean


def number(value: float | None, digits: int = 3) -> str:
    """A number for a table: significant digits, no exponent where it can be read without one; a dash for nothing."""
    if value is None or not np.isfinite(value):
        return "–"
    size = abs(value)
    if size and not 1e-4 <= size < 1e6:
        return f"{value:.{digits - 1}e}"
    exponent = int(f"{size:.{digits - 1}e}".partition("e")[2])  # after rounding: 9.999 counts as 10
    return f"{value:,.{min(max(0, digits - 1 - exponent), 6) if size else 0}f}"


def text(estimate: Mean | Difference, digits: int = 3) -> str:
    """`mean ± half`, rounded to the interval's two leading digits, or `mean [low, high]` where it is not symmetric; the
    mean alone, to so many digits, where there is no interval. Before a ratio stands ×."""
    if isinstance(estimate, Difference) and estimate.ratio:
        return f"×{text(Mean(*estimate[:4]), digits)}" if estimate.mean is not None else text(Mean(estimate.n, None))
    if estimate.mean is None or estimate.low is None or estimate.high is None:
        return number(estimate.mean, digits)
    half = (estimate.high - estimate.low) / 2
    if half <= ROUNDING * abs(estimate.mean):  # equal but for rounding
        return f"{number(estimate.mean)} ± 0"
    if max(abs(estimate.mean), half) >= 1e6 or half < 1e-6:
        write, width = "{:.2e}".format, f"{half:.1e}"
    else:
        places = max(0, min(6, 1 - int(np.floor(np.log10(half)))))
        write, width = f"{{:,.{places}f}}".format, f"{half:,.{places}f}"
    if abs(estimate.high + estimate.low - 2 * estimate.mean) <= 1e-6 * half:
        return f"{write(estimate.mean)} ± {width}"
    return f"{write(estimate.mean)} [{write(estimate.low)}, {write(estimate.high)}]"


def probability(p: float | None) -> str:
    """A p-value for a table."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever a reader wants."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def flat(value: Any) -> str:
    """A value of a record in one line: a mapping as `name value, name value`."""
    return ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, dict) else str(value)
