"""Questions whose answers are numbers: F(x, y) on a curve in the plane of x and y, without noise."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ebmcli.core.citations import TUTORIAL
from ebmcli.core.decorators import task
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import Batch, Box, Model, Task
from ebmcli.metrics import answers as of
from ebmcli.tasks._defaults import ANSWERED_BY_LOOKING, FEW_ANSWERS

POINTS = 200  # of a training set
NEAR = 0.1  # an answer closer than this to the right one is not wrong
CELLS = {True: 600, False: 60}  # of the answers, on which the energy is looked at
ON_A_BOX = {"partition": "quadrature", "minimum": "quadrature", "all": "quadrature", "negatives": "langevin"}
NUMBER: dict[str, Any] = {
    "answers": "continuous",
    "conditional": True,
    "smooth": False,
    "energy": "mlp",
    "samplers": ANSWERED_BY_LOOKING | ON_A_BOX,
    "defaults": FEW_ANSWERS,
    "measures": "answer_error branches_found nll auroc",
    "reference": f"{TUTORIAL}, section 2.2.2",
}

Path = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # t [N] -> (x, y)


@task(**NUMBER, also="quadratic")
def parabola() -> Task:
    """y = x^2 at 200 values of x between -1 and 1: the tutorial's demonstration of collapse"""
    return _on_a_path(lambda t: (t, t**2), (-1.0, 1.0), Box(-1.0, 2.0, 1))


@task(**NUMBER)
def ellipse() -> Task:
    """200 points of the ellipse (1.5 cos t, sin t): two answers for an x"""
    return _on_a_path(lambda t: (1.5 * np.cos(t), np.sin(t)), (0.0, 2 * np.pi), Box(-2.0, 2.0, 1))


@task(**NUMBER)
def spiral() -> Task:
    """200 points of the spiral (t cos t, t sin t)/7, t between pi and 4 pi: one to four answers for an x"""
    return _on_a_path(lambda t: (t * np.cos(t) / 7, t * np.sin(t) / 7), (np.pi, 4 * np.pi), Box(-2.0, 2.0, 1))


def _on_a_path(path: Path, ends: tuple[float, float], box: Box) -> Task:
    """Make a task of questions x and answers y on a curve in their plane, the part of a path between two ends."""
    x, y = (c.astype(np.float32)[:, None] for c in path(ends[0] + (ends[1] - ends[0]) * middles(POINTS)))
    questions, branches = crossings(path, ends)
    example, branch = np.nonzero(np.isfinite(branches))  # a row for each answer of each question
    inputs, right = (
        questions[example].astype(np.float32)[:, None],
        branches[example, branch].astype(np.float32)[:, None],
    )

    def draw(key: Key, data: dict[str, Array], size: int) -> Batch:
        chosen = jax.random.randint(key, (size,), 0, POINTS)
        return Batch(data["x"][chosen], data["y"][chosen])

    def answers(fine: bool) -> np.ndarray:
        return box.low + (box.high - box.low) * middles(CELLS[fine])

    def measure(probed: dict[str, np.ndarray], fine: bool, beta: float, threshold: float) -> tuple[Any, ...]:
        cell, energy = (box.high - box.low) / CELLS[fine], probed["energy"]
        away = of.distance_to_right(answers(fine), branches)[example]
        inferred = of.BranchesEvaluation(energy, answers(fine), away, right[:, 0], NEAR)
        return inferred, of.of_answers(energy, probed["right"], away > NEAR, cell, beta, threshold)

    def keep(probed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        first = np.unique(example, return_index=True)[1]
        return {"energy": probed["energy"][first], "questions": questions[:, None].astype(np.float32)}

    return Task(
        data=lambda: {"x": x, "y": y},
        draw=draw,
        distance=lambda y, other: jnp.ones(()),
        targets=lambda fine: {"asked": inputs, "right": right, "answers": answers(fine).astype(np.float32)[:, None]},
        probe=_probe,
        measure=measure,
        keep=keep,
        film=lambda probed: {name: array[::2] for name, array in keep(probed).items()},
        space=box,
        examples=POINTS,
    )


def _probe(model: Model, data: Any, targets: dict[str, Array]) -> dict[str, Array]:
    of_answers = jax.vmap(jax.vmap(model.apply, (None, 0)), (0, None))
    return {
        "energy": of_answers(targets["asked"], targets["answers"]),
        "right": jax.vmap(model.apply)(targets["asked"], targets["right"]),
    }


def middles(count: int) -> np.ndarray:
    """The middles of that many equal parts of the unit interval."""
    return (np.arange(count) + 0.5) / count


def crossings(path: Path, ends: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """(held-out questions [N], all right answers to each [N, M]): where a curve meets lines of constant x.

    The questions lie evenly between its ends in x; rows with fewer than M answers are filled up with NaN.
    """
    x, y = path(np.linspace(*ends, 50_001))
    questions = x.min() + (x.max() - x.min()) * np.arange(1, POINTS) / POINTS
    rows = []
    for question in questions:
        before = np.flatnonzero((x[:-1] < question) != (x[1:] < question))
        rows.append(y[before] + (y[before + 1] - y[before]) * (question - x[before]) / (x[before + 1] - x[before]))
    branches = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, answers in zip(branches, rows, strict=True):
        row[: len(answers)] = answers
    return questions, branches
