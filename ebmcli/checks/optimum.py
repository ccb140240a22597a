"""Where a loss of a density is lowest: on four answers its expectation is exact, and its optimum at their chances."""

from collections.abc import Callable, Iterable, Mapping
from itertools import product

import numpy as np

from ebmcli.checks.evaluation import Records, Subject
from ebmcli.checks.facts import Facts, K
from ebmcli.checks.judgement import Judgement, judged
from ebmcli.core.needs import Need

P = np.array([0.4, 0.3, 0.2, 0.1])  # of the data
PROPOSALS = (
    np.array([0.1, 0.2, 0.3, 0.4]),
    np.array([0.3, 0.1, 0.4, 0.2]),
)  # tenths: ten negatives can be in proportion
LEVEL = 0.7  # log Z
BETAS = (1.0, 2.0)
STILL = 1e-6  # share of its slopes that an expectation may have left at its lowest point


def optimum(facts: Facts) -> Judgement | None:
    """In expectation a loss of a density has no slope where F = -(1/beta) log p + c, whatever q draws the negatives.

    Its expectation is over three negatives that q draws or, for a loss that is right in the limit of many, over so many
    that they are there in proportion to q. One with a hyperparameter may find log p at another temperature, but at the
    same one for each beta and q.
    """
    subject = facts.subject
    if not facts.estimates or not subject.needs & {Need.NEGATIVES, Need.PARTITION}:
        return None
    for sampled in (_drawn, _in_proportion):
        scale = _temperature(subject, sampled) if subject.defaults.keys() - subject.bare else 1.0
        if all(_still(subject, draws, beta, scale) for beta, draws in _draws(subject, sampled)):
            return judged("optimum", "-log p / beta", "-log p / beta" if scale == 1 else f"{scale:.3g} times it")
    wrong = (
        "on four answers of known probability its slopes do not vanish where -beta F is their log"
        + ("" if facts.reads_beta or not _by_q(subject) else ": it never reads beta")
        + ("" if facts.reads_q or not _by_q(subject) else ": it never reads log q")
    )
    return judged("optimum", "-log p / beta", "another", wrong)


def _by_q(subject: Subject) -> bool:
    return Need.PARTITION not in subject.needs and Need.MODEL not in subject.asks


class _Draws:
    """Examples of a right answer and negatives, as places among the four answers, with the chance of each."""

    def __init__(self, answers: Iterable[Iterable[int]], chance: np.ndarray, q: np.ndarray):
        self.answers, self.chance, self.q = np.array(list(answers)), chance, q


def _drawn(q: np.ndarray) -> _Draws:
    """Three negatives, each drawn from q."""
    answers = np.array(list(product(range(len(P)), repeat=1 + K)))
    return _Draws(answers, P[answers[:, 0]] * np.prod(q[answers[:, 1:]], axis=1), q)


_Draw = Callable[[np.ndarray], _Draws]  # the density q of the negatives -> the draws


def _in_proportion(q: np.ndarray) -> _Draws:
    """Ten negatives in proportion to q."""
    negatives = np.repeat(np.arange(len(P)), np.round(10 * q).astype(int))
    return _Draws([[right, *negatives] for right in range(len(P))], P, q)


def _others(q: np.ndarray) -> _Draws:
    """All others, whatever q: so a loss over all answers sees them."""
    answers = [[right, *(other for other in range(len(P)) if other != right)] for right in range(len(P))]
    return _Draws(answers, P, q)


def _draws(subject: Subject, sampled: _Draw) -> list[tuple[float, _Draws]]:
    """The draws that the loss is judged by, at every beta."""
    if not _by_q(subject):
        all_answers = Need.PARTITION in subject.needs
        return [(beta, (_others if all_answers else sampled)(P)) for beta in BETAS]
    return [(beta, sampled(q)) for beta in BETAS for q in PROPOSALS]


def _slopes(subject: Subject, draws: _Draws, beta: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The slopes of the expected loss in the four energies and in log Z, and the sums of their sizes."""
    level = LEVEL if scale == 1 else 0.0
    table, answers = -(scale * np.log(P) + level) / beta, draws.answers
    distance = (answers[:, 1:] != answers[:, :1]).astype(float)
    values: Mapping[str, float] = subject.bare
    seen = subject(Records(table[answers], distance, np.log(draws.q)[answers], level, beta, values))
    each = draws.chance[:, None] * seen.slopes
    sums = [np.bincount(answers.ravel(), column.ravel(), len(P)) for column in (each, np.abs(each))]
    log_z = draws.chance * seen.log_z
    return np.append(sums[0], log_z.sum()), np.append(sums[1], np.abs(log_z).sum())


def _still(subject: Subject, draws: _Draws, beta: float, scale: float) -> bool:
    left, size = _slopes(subject, draws, beta, scale)
    return bool((np.abs(left) <= STILL * size.max()).all() and size[:-1].min() > 0)


def _temperature(subject: Subject, sampled: _Draw) -> float:
    """The factor of log p at which the expected loss is lowest; 1 where it is so there, or where none is between."""
    beta, draws = _draws(subject, sampled)[0]
    if _still(subject, draws, beta, 1.0):
        return 1.0

    def along(scale: float) -> float:
        return float(_slopes(subject, draws, beta, scale)[0][:-1] @ -np.log(P))

    low, high = 0.01, 100.0
    if not along(low) < 0 < along(high):
        return 1.0
    for _ in range(50):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if along(middle) < 0 else (low, middle)
    return float(np.sqrt(low * high))
