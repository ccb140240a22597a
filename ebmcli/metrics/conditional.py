"""Measures of an energy F(x, y) whose answers can all be looked at: labels, or the cells of a box."""

import numpy as np

from ebmcli.metrics import margin


def measures(
    energy: np.ndarray, right: np.ndarray, wrong: np.ndarray, cell: float, beta: float, threshold: float
) -> dict[str, float | None]:
    """Means over N examples. Any f(x) may be added to an energy, so nothing is compared across examples.

    energy: [N, G] of every answer, each standing for a volume `cell` (1 for a label). right: [N] of the right answer.
    wrong: [N, G] bool, the answers that count as wrong. threshold: the gap that counts as kept.
    """
    energy, right = energy.astype(np.float64), right.astype(np.float64)[:, None]
    exponent = -beta * (energy - right)
    top = exponent.max(axis=1, keepdims=True)
    log_partition = top[:, 0] + np.log(np.exp(exponent - top).sum(axis=1) * cell)  # relative to the right answer
    above = ((energy > right) + 0.5 * (energy == right))[wrong]
    offending = np.where(wrong, energy, np.inf).min(axis=1)
    return {
        "nll": float(log_partition.mean()),
        "auroc": float(above.mean()),
        "energy_spread": float(energy.std(axis=1).mean()),
        "energy_level": float(right.mean()),
        "offending_level": float(offending.mean()),
        **margin.summary(offending - right[:, 0], threshold),
    }
