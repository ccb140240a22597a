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


def away(answers: np.ndarray, branches: np.ndarray) -> np.ndarray:
    """[N, G]: how far each of the answers [G] lies from the nearest right one of a question, of branches [N, M]."""
    return np.nanmin(np.abs(answers[None, :, None] - branches[:, None]), axis=2)


def inferred(energy: np.ndarray) -> np.ndarray:
    """[N, G] bool: the answers that an energy gives, of which there may be several to a question.

    Those are the lowest of all, and every other local minimum in y that lies below the middle between the lowest and
    the median energy. Of a plateau the first cell counts.
    """
    beyond = np.full((len(energy), 1), np.inf)
    lower = (energy < np.hstack([beyond, energy[:, :-1]])) & (energy <= np.hstack([energy[:, 1:], beyond]))
    lowest = energy.min(axis=1, keepdims=True)
    return lower & (energy <= (lowest + np.median(energy, axis=1, keepdims=True)) / 2)


def inference(
    energy: np.ndarray, answers: np.ndarray, away: np.ndarray, right: np.ndarray, near: float
) -> dict[str, float | None]:
    """What is inferred where a question has several right answers, one row of N for each of them.

    energy: [N, G] of the answers [G]. away: [N, G], how far these are from any right one. right: [N], the row's own.
    answer_error: of the answer of lowest energy, to the nearest right one. branches_found: the share of right answers
    that are nearer than `near` to one that is inferred. false_answers: the share of the inferred that are near none.
    """
    given = inferred(energy.astype(np.float64))
    rows = np.arange(len(energy))
    found = (given & (np.abs(answers - right[:, None]) <= near)).any(axis=1)
    return {
        "answer_error": float(away[rows, energy.argmin(axis=1)].mean()),
        "branches_found": float(found.mean()),
        "false_answers": float((given & (away > near)).sum() / given.sum()),
    }
