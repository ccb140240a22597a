"""Collapse: does the energy still tell right answers from the rest?

The thresholds were chosen on energies of which it is known what they are: docs/verdicts.md, made by
benchmarks/verdicts.py.
"""

from collections.abc import Mapping

import numpy as np

READ = ("energy_spread", "energy_level", "auroc")  # measures without which there is no verdict
FLAT_SPREAD = 0.1  # in units of 1/beta or of the margin, the smaller: below it exp(-beta F) is all but uniform
FLAT_SHARE = 0.01  # of its spread at the start
FLAT_RELATIVE = 1e-4  # of |mean F|: a spread that is only rounding beside its level
UNBOUNDED_SPREAD = 3e4  # in units of 1/beta or of the margin, the larger: good energies stay below a tenth of it
CHANCE = 0.5  # the auroc of an energy that knows nothing
UNBOUNDED_GAP = -1e2  # likewise: the median example has a wrong answer that far below the right one
SPURIOUS_SHARE = 0.1  # of the far region: half trained ones on `checkerboard` have 0.04, untrained ones 0.24 and more

VERDICTS = {
    "healthy": "the energy tells right answers from others, and has neither collapsed nor run away",
    "flat": f"the energies of all answers are nearly the same: they spread over less than {FLAT_SPREAD:g} of the "
    f"run's scale (1/beta or the margin), or over {100 * FLAT_SHARE:g} % of what they began with; such an "
    "energy says nothing",
    "inverted": f"right answers have higher energies than others: auroc is below {CHANCE:g}",
    "spurious": f"more than {100 * SPURIOUS_SHARE:g} % of what lies far from the data has energies as low as the "
    "data's, or more than nine right answers of ten lie above a wrong one",
    "unbounded": f"the energies run away: they spread over more than {UNBOUNDED_SPREAD:,.0f} times the run's scale "
    f"(1/beta or the margin), or the most offending answer lies {-UNBOUNDED_GAP:g} times that below the right one",
    "diverged": "the loss, its gradient or the energies were not finite; the measures are those of the last "
    "chunk before",
    "not judged": f"the task does not measure what a verdict is read from: {', '.join(READ)}",
}


def auroc(right: np.ndarray, other: np.ndarray) -> float:
    """P(F(right) < F(other)) + P(equal)/2: 1 is perfect, 0.5 is chance, below it the energy is upside down."""
    order = np.sort(other)
    above = len(order) - np.searchsorted(order, right, side="right")
    level = np.searchsorted(order, right, side="right") - np.searchsorted(order, right, side="left")
    return float(np.mean(above + 0.5 * level) / len(order))


def verdict(
    last: Mapping[str, float | None], first: Mapping[str, float | None], small: float = 1.0, large: float = 1.0
) -> tuple[str, str]:
    """(verdict, its reason in words), from the measures at the end and at the start of a run.

    small, large: the scales of energy that the run has, 1/beta and where there is one the margin.
    Reads energy_spread, energy_level, auroc and, where they are there, low_energy_share, gap_q50 and gap_q90. A task
    that does not measure the first three is not judged.
    """
    missing = [name for name in READ if last.get(name) is None or (name == READ[0] and first.get(name) is None)]
    if missing:
        return "not judged", f"the task does not measure {', '.join(missing)}"
    spread, start = last["energy_spread"] or 0.0, first["energy_spread"] or 0.0
    level, area = abs(last["energy_level"] or 0.0), last["auroc"] or 0.0
    low, median, top = (last.get(name) or 0.0 for name in ("low_energy_share", "gap_q50", "gap_q90"))
    grown = f"the energy spreads over {spread:.2g}, it began with {start:.2g}"
    if spread > start and spread > UNBOUNDED_SPREAD * large:
        return "unbounded", f"{grown}; that is far more than the run's scale {large:.2g}"
    if spread < FLAT_SPREAD * small or spread < FLAT_SHARE * start or spread < FLAT_RELATIVE * level:
        return (
            "flat",
            f"{grown}; that is little beside its level {level:.2g}, its start, or the run's scale {small:.2g}",
        )
    if area < CHANCE:
        return "inverted", f"right answers have the higher energy: auroc {area:.2f}"
    if spread > start and median < UNBOUNDED_GAP * large:
        return "unbounded", f"{grown}; the most offending answer lies {-median:.2g} below the right one"
    if low > SPURIOUS_SHARE:
        return "spurious", f"{low:.0%} of the region far from the data has energies as low as the data's"
    if top < 0:
        return "spurious", f"more than nine right answers of ten lie above a wrong one (gap {median:.2g} in the median)"
    return "healthy", f"auroc {area:.3f}, spread {spread:.2g}"
