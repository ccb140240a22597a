"""Measures of an energy F(x, y) whose answers can all be looked at: labels, or the cells of a box.

Any f(x) may be added to such an energy, so nothing is compared across examples.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ebmcli.core.decorators import measure


@dataclass(frozen=True)
class AnswersEvaluation:
    """An energy of every answer to N questions. G: answers that are looked at, each standing for a volume `cell`."""

    energy: np.ndarray  # [N, G] float64
    right: np.ndarray  # [N, 1] float64, of the right answers
    wrong: np.ndarray  # [N, G] bool, the answers that count as wrong
    cell: float  # 1 for a label
    beta: float
    threshold: float  # the gap that counts as kept

    @cached_property
    def offending(self) -> np.ndarray:
        """[N]: the lowest energy of a wrong answer."""
        return np.where(self.wrong, self.energy, np.inf).min(axis=1)

    @cached_property
    def gaps(self) -> np.ndarray:
        """[N]: how far the most offending answer lies above the right one."""
        return self.offending - self.right[:, 0]


def of_answers(
    energy: np.ndarray, right: np.ndarray, wrong: np.ndarray, cell: float, beta: float, threshold: float
) -> AnswersEvaluation:
    """Make the evaluation of energies [N, G] and right [N] of any float type."""
    return AnswersEvaluation(energy.astype(np.float64), right.astype(np.float64)[:, None], wrong, cell, beta, threshold)


@measure()
def nll(e: AnswersEvaluation) -> float:
    """Negative log-likelihood of the right answers, nats an example."""
    exponent = -e.beta * (e.energy - e.right)
    top = exponent.max(axis=1, keepdims=True)
    log_partition = top[:, 0] + np.log(np.exp(exponent - top).sum(axis=1) * e.cell)  # relative to the right answer
    return float(log_partition.mean())


@measure()
def auroc(e: AnswersEvaluation) -> float:
    """The probability that a right answer has a lower energy than a wrong one to the same question."""
    above = ((e.energy > e.right) + 0.5 * (e.energy == e.right))[e.wrong]
    return float(above.mean())


@measure()
def energy_spread(e: AnswersEvaluation) -> float:
    """The standard deviation of the energy over the answers to a question."""
    return float(e.energy.std(axis=1).mean())


@measure()
def energy_level(e: AnswersEvaluation) -> float:
    """The mean energy of the right answers."""
    return float(e.right.mean())


@measure()
def offending_level(e: AnswersEvaluation) -> float:
    """The mean of the lowest energies of wrong answers."""
    return float(e.offending.mean())


# --- labels ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassesEvaluation:
    """The labels that an energy reads, beside the error of the true posterior."""

    energy: np.ndarray  # [N, C]
    wrong: np.ndarray  # [N, C] bool
    right: np.ndarray  # [N]
    bayes_error: float


@measure(better="lower", accuracy=True, curve=True)
def error(e: ClassesEvaluation) -> float:
    """The share of questions that are answered wrong; a tie is, so that a flat energy is not called perfect."""
    return float(np.mean(np.where(e.wrong, e.energy, np.inf).min(axis=1) <= e.right))


@measure(
    heading="bayes error",
    accuracy=True,
    note="bayes error: that of the true posterior on the same points, which is what can be reached.",
)
def bayes_error(e: ClassesEvaluation) -> float:
    """The error of the true posterior on the same points."""
    return e.bayes_error


# --- several right answers -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BranchesEvaluation:
    """The answers that are inferred where a question has several right ones, one row of N for each of these."""

    energy: np.ndarray  # [N, G]
    answers: np.ndarray  # [G]
    distance_to_right: np.ndarray  # [N, G] the distance of the answers from the nearest right one
    right: np.ndarray  # [N] the right answer of the row
    near: float  # what is not farther counts as the same answer

    @cached_property
    def given(self) -> np.ndarray:
        """[N, G] bool: the answers that are inferred."""
        return inferred_answers(self.energy.astype(np.float64))


@measure(heading="error of the answer", better="lower", accuracy=True)
def answer_error(e: BranchesEvaluation) -> float:
    """The distance of the answer of lowest energy from the nearest right one."""
    return float(e.distance_to_right[np.arange(len(e.energy)), e.energy.argmin(axis=1)].mean())


@measure(
    heading="answers found",
    better="higher",
    accuracy=True,
    note="answers found: share of the right answers to a question that are inferred.",
)
def branches_found(e: BranchesEvaluation) -> float:
    """The share of right answers that are near one that is inferred."""
    near = (e.given & (np.abs(e.answers - e.right[:, None]) <= e.near)).any(axis=1)
    return float(near.mean())


@measure()
def false_answers(e: BranchesEvaluation) -> float:
    """The share of the inferred answers that are near no right one."""
    return float((e.given & (e.distance_to_right > e.near)).sum() / e.given.sum())


def distance_to_right(answers: np.ndarray, branches: np.ndarray) -> np.ndarray:
    """[N, G]: how far each of the answers [G] lies from the nearest right one of a question, of branches [N, M]."""
    return np.nanmin(np.abs(answers[None, :, None] - branches[:, None]), axis=2)


def inferred_answers(energy: np.ndarray) -> np.ndarray:
    """[N, G] bool: the answers that an energy gives, of which there may be several to a question.

    Those are the lowest of all, and every other local minimum in y that lies below the middle between the lowest and
    the median energy. Of a plateau the first cell counts.
    """
    beyond = np.full((len(energy), 1), np.inf)
    lower = (energy < np.hstack([beyond, energy[:, :-1]])) & (energy <= np.hstack([energy[:, 1:], beyond]))
    lowest = energy.min(axis=1, keepdims=True)
    return lower & (energy <= (lowest + np.median(energy, axis=1, keepdims=True)) / 2)
