"""Questions with answers: F(x, y), y a number or a label."""

from functools import lru_cache
from typing import Any

import numpy as np

from ebmcli.densities import ARMS, pinwheel_arms
from ebmcli.lazy import jax, jnp
from ebmcli.metrics import conditional
from ebmcli.metrics.density import grid
from ebmcli.registry import task
from ebmcli.sources import TUTORIAL
from ebmcli.tasks import pinwheel
from ebmcli.types import Batch, Box, Labels, Task

POINTS = 200  # of the parabola
VALUES = Box(-1.0, 2.0, 1)  # of y
NEAR = 0.1  # an answer closer than this to the right one is not wrong
CELLS = {True: 600, False: 60}  # of VALUES, on which the energy is looked at
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


def _wrong(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return np.abs(answers - y) > NEAR


@task(
    answers="continuous",
    conditional=True,
    smooth=False,
    energy="mlp",
    samplers=SAMPLERS | ON_A_BOX,
    defaults=DEFAULTS,
    measures="answer_error nll auroc",
    reference=f"{TUTORIAL}, section 2.2.2",
)
def parabola() -> Task:
    """y = x^2 at 200 values of x between -1 and 1: the tutorial's demonstration of collapse"""
    x = (2 * (np.arange(POINTS) + 0.5) / POINTS - 1).astype(np.float32)[:, None]
    between = (x[1:] + x[:-1]) / 2  # held out

    def draw(key, data, size):
        chosen = jax.random.randint(key, (size,), 0, POINTS)
        return Batch(data["x"][chosen], jnp.square(data["x"][chosen]))

    def targets(fine):
        middle = VALUES.low + (VALUES.high - VALUES.low) * (np.arange(CELLS[fine]) + 0.5) / CELLS[fine]
        return {"x": between, "answers": middle.astype(np.float32)[:, None]}

    def probe(model, data, targets):
        answers = jax.vmap(jax.vmap(model.apply, (None, 0)), (0, None))
        return {
            "energy": answers(targets["x"], targets["answers"]),
            "right": jax.vmap(model.apply)(targets["x"], jnp.square(targets["x"])),
        }

    def measure(probed, fine, beta, threshold):
        y, answers = np.square(between), targets(fine)["answers"][:, 0]
        cell = (VALUES.high - VALUES.low) / len(answers)
        found = answers[probed["energy"].argmin(axis=1)]
        error = {"answer_error": float(np.abs(found - y[:, 0]).mean())}
        wrong = _wrong(y, answers)
        return error | conditional.measures(probed["energy"], probed["right"], wrong, cell, beta, threshold)

    return Task(
        data=lambda: {"x": x},
        draw=draw,
        distance=lambda y, other: jnp.ones(()),
        targets=targets,
        probe=probe,
        measure=measure,
        keep=lambda probed: {"energy": probed["energy"], "questions": between},
        space=VALUES,
        examples=POINTS,
    )


def _held_out(fine: bool) -> Batch:
    x, y = pinwheel(jax.random.key(HELD_OUT_SEED), max(HELD_OUT.values()))
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
