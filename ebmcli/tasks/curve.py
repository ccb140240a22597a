"""Questions with answers: F(x, y), y a number or a label."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ebmcli.core.citations import TUTORIAL
from ebmcli.core.lazy import jax, jnp
from ebmcli.core.registry import task
from ebmcli.core.types import Batch, Box, Labels, Task
from ebmcli.metrics import answers as conditional
from ebmcli.metrics.density import grid
from ebmcli.tasks._log_densities import ARMS, pinwheel_arms
from ebmcli.tasks._plane import pinwheel

POINTS = 200  # of a training set
NEAR = 0.1  # an answer closer than this to the right one is not wrong
CELLS = {True: 600, False: 60}  # of the answers, on which the energy is looked at
SHOWN = (-4.0, 4.0, 64)  # the square of questions that the picture of `classes` shows, and its cells a side
HELD_OUT = {True: 5_000, False: 1_000}
HELD_OUT_SEED = 2006
DEFAULTS = {"steps": 1_000, "batch_size": 64, "lr": 5e-3, "negatives": 8}
SAMPLERS = {
    "log_q": "uniform",
    "independent": "uniform",
    "model": "exact",
    "partition": "exhaustive",
    "minimum": "exhaustive",
    "all": "exhaustive",
    "negatives": "most-offending",
    "": "none",
}
ON_A_BOX = {"partition": "quadrature", "minimum": "quadrature", "all": "quadrature", "negatives": "langevin"}
NUMBER: dict[str, Any] = {
    "answers": "continuous",
    "conditional": True,
    "smooth": False,
    "energy": "mlp",
    "samplers": SAMPLERS | ON_A_BOX,
    "defaults": DEFAULTS,
    "measures": "answer_error branches_found nll auroc",
    "reference": f"{TUTORIAL}, section 2.2.2",
}

Path = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # t [N] -> (x, y)


@task(**NUMBER)
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
    """Questions x and answers y on a curve in their plane, without noise. path: t [N] -> (x, y)."""
    x, y = (c.astype(np.float32)[:, None] for c in path(ends[0] + (ends[1] - ends[0]) * middles(POINTS)))
    questions, branches = crossings(path, ends)
    example, branch = np.nonzero(np.isfinite(branches))  # a row for each answer of each question
    asked, right = questions[example].astype(np.float32)[:, None], branches[example, branch].astype(np.float32)[:, None]

    def draw(key, data, size):
        chosen = jax.random.randint(key, (size,), 0, POINTS)
        return Batch(data["x"][chosen], data["y"][chosen])

    def answers(fine):
        return box.low + (box.high - box.low) * middles(CELLS[fine])

    def measure(probed, fine, beta, threshold):
        cell = (box.high - box.low) / CELLS[fine]
        away = conditional.away(answers(fine), branches)[example]
        found = conditional.inference(probed["energy"], answers(fine), away, right[:, 0], NEAR)
        return found | conditional.measures(probed["energy"], probed["right"], away > NEAR, cell, beta, threshold)

    def keep(probed):
        first = np.unique(example, return_index=True)[1]
        return {"energy": probed["energy"][first], "questions": questions[:, None].astype(np.float32)}

    return Task(
        data=lambda: {"x": x, "y": y},
        draw=draw,
        distance=lambda y, other: jnp.ones(()),
        targets=lambda fine: {"asked": asked, "right": right, "answers": answers(fine).astype(np.float32)[:, None]},
        probe=_probe_path,
        measure=measure,
        keep=keep,
        space=box,
        examples=POINTS,
    )


def _probe_path(model, data, targets):
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
    found = []
    for question in questions:
        at = np.flatnonzero((x[:-1] < question) != (x[1:] < question))
        found.append(y[at] + (y[at + 1] - y[at]) * (question - x[at]) / (x[at + 1] - x[at]))
    branches = np.full((len(found), max(map(len, found))), np.nan)
    for row, answers in zip(branches, found, strict=True):
        row[: len(answers)] = answers
    return questions, branches


def _held_out(fine: bool) -> Batch:
    x, y = jax.jit(pinwheel, static_argnums=1)(jax.random.key(HELD_OUT_SEED), max(HELD_OUT.values()))
    return Batch(x[: HELD_OUT[fine]], y[: HELD_OUT[fine]])


@lru_cache
def bayes_error(fine: bool) -> float:
    """The share of the held-out points that lie likelier on another arm than on theirs: what no energy gets below,
    but for chance."""
    x, y = _held_out(fine)
    return float(np.mean(pinwheel_arms(np.asarray(x, np.float64)).argmax(axis=1) != np.asarray(y)))


@task(
    answers="finite",
    conditional=True,
    energy="mlp",
    samplers=SAMPLERS,
    defaults=DEFAULTS,
    measures="error bayes_error nll auroc",
    reference="pinwheel of Johnson et al. 2016",
)
def classes() -> Task:
    """which of the five arms of a pinwheel a point lies on"""

    def probe(model, data, targets):
        of_labels = jax.vmap(jax.vmap(model.apply, (None, 0)), (0, None))
        labels = jnp.arange(ARMS)
        energy = of_labels(targets["x"], labels)
        return {"energy": energy, "shown": of_labels(targets["shown"], labels).argmin(axis=1)}

    def measure(probed, fine, beta, threshold):
        y = np.asarray(_held_out(fine).y)
        energy, wrong = probed["energy"], np.arange(ARMS) != y[:, None]
        right = energy[~wrong]
        # A tie is read wrong, so that a flat energy is not called perfect.
        error = {"error": float(np.mean(np.where(wrong, energy, np.inf).min(axis=1) <= right))}
        error["bayes_error"] = bayes_error(fine)  # stands beside every figure
        return error | conditional.measures(energy, right, wrong, 1.0, beta, threshold)

    def targets(fine) -> dict[str, Any]:
        return {"x": _held_out(fine).x, "shown": grid(SHOWN[:2], SHOWN[2]).astype(np.float32)}

    return Task(
        data=dict,
        draw=lambda key, data, size: Batch(*pinwheel(key, size)),
        distance=lambda y, other: (y != other).astype(jnp.float32),
        targets=targets,
        probe=probe,
        measure=measure,
        keep=lambda probed: {"label": probed["shown"].reshape(SHOWN[2], SHOWN[2]), "shown": np.array(SHOWN[:2])},
        space=Labels(ARMS),
    )
