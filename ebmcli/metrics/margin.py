"""Margins: how far the most offending answer lies above the right one."""

from typing import Protocol, runtime_checkable

import numpy as np

from ebmcli.core.decorators import measure
from ebmcli.core.units import Column

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90}


@runtime_checkable
class HasGaps(Protocol):
    """An evaluation that knows the gaps F(most offending answer) - F(right answer) of its examples."""

    @property
    def gaps(self) -> np.ndarray:
        """[N]"""

    @property
    def threshold(self) -> float | np.ndarray:
        """The gap that counts as kept: the loss's margin, or 0 where it has none; [N] where it grows with the distance
        of the most offending answer."""


def quantiles(gaps: np.ndarray, prefix: str = "gap") -> dict[str, float | None]:
    """The 1, 10, 50 and 90 % quantiles of the gaps F(y-) - F(y), by name."""
    values = np.quantile(gaps, list(QUANTILES.values()))
    return {f"{prefix}_{name}": float(value) for name, value in zip(QUANTILES, values, strict=True)}


@measure(
    Column(
        "gap_q01",
        "gap 1 %",
        note="gap 1 %: 1 % of held-out examples have a smaller gap.",
    ),
    Column("gap_q10", "gap 10 %", note="gap 10 %: 10 % of held-out examples have a smaller gap.", curve=True),
    Column(
        "gap_q50",
        "gap",
        note="gap: median of F(most offending answer) - F(right answer) on held-out examples; most offending: the "
        "lowest energy outside the data region on the plane, the best different answer on sequences.",
        curve=True,
    ),
    Column("gap_q90", "gap 90 %", note="gap 90 %: 90 % of held-out examples have a smaller gap.", curve=True),
    Column(
        "violation_rate",
        "violated",
        better="lower",
        note="violated: share of held-out examples whose gap does not reach the promised margin, or 0 where the loss "
        "has none.",
    ),
)
def kept_margin(e: HasGaps) -> dict[str, float | None]:
    """Quantiles of the gaps, and P(gap < threshold)."""
    return {**quantiles(e.gaps), "violation_rate": float(np.mean(e.gaps < e.threshold))}


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
