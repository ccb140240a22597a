"""Margins: how far the most offending answer lies above the right one."""

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90}


def quantiles(gaps: np.ndarray, prefix: str = "gap") -> dict[str, float | None]:
    """The 1, 10, 50 and 90 % quantiles of the gaps F(y-) - F(y)."""
    found = np.quantile(gaps, list(QUANTILES.values()))
    return {f"{prefix}_{name}": float(value) for name, value in zip(QUANTILES, found, strict=True)}


def summary(gaps: np.ndarray, threshold: float) -> dict[str, float | None]:
    """Quantiles of the gaps, and `violation_rate` = P(gap < threshold): the loss's margin, or 0 where it has none."""
    return {**quantiles(gaps), "violation_rate": float(np.mean(gaps < threshold))}


def gap_growth(steps: np.ndarray, gaps: np.ndarray) -> tuple[float, float] | None:
    """(slope, its standard error) of the gap on log(step) over the last half of training; None with under 4 points.

    The error takes the points of the one trajectory for independent, so it is a lower bound; under a schedule that ends
    at 0 the slope tells of the schedule too: use a constant one where growth is the question.
    """
    late = (steps >= steps[-1] / 2) & np.isfinite(gaps) if len(steps) else np.zeros(0, bool)
    if late.sum() < 4:
        return None
    t = np.log(steps[late]) - np.log(steps[late]).mean()
    g = gaps[late] - gaps[late].mean()
    slope = float(t @ g / (t @ t))
    residual = g - slope * t
    return slope, float(np.sqrt(residual @ residual / (late.sum() - 2) / (t @ t)))
