"""Questions whose answers are labels: F(x, y), y one of a few."""

from functools import lru_cache
from typing import Any

import numpy as np

from ebmcli.core import streams
from ebmcli.core.decorators import task
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import Batch, Labels, Model, Task
from ebmcli.metrics import answers as of
from ebmcli.metrics.density import grid
from ebmcli.tasks import _pinwheel as pinwheel
from ebmcli.tasks._defaults import ANSWERED_BY_LOOKING, FEW_ANSWERS

SHOWN = (-4.0, 4.0, 64)  # the square of questions that the picture shows, and its cells a side
HELD_OUT = {True: 5_000, False: 1_000}
HELD_OUT_SEED = 2006


def _held_out(fine: bool) -> Batch:
    x, y = jax.jit(pinwheel.draw, static_argnums=1)(streams.of_tests(HELD_OUT_SEED), max(HELD_OUT.values()))
    return Batch(x[: HELD_OUT[fine]], y[: HELD_OUT[fine]])


@lru_cache
def bayes_error(fine: bool) -> float:
    """The share of the held-out points that lie likelier on another arm than on theirs: what no energy gets below,
    but for chance."""
    x, y = _held_out(fine)
    return float(np.mean(pinwheel.arm_log_densities(np.asarray(x, np.float64)).argmax(axis=1) != np.asarray(y)))


@task(
    answers="finite",
    conditional=True,
    energy="mlp",
    samplers=ANSWERED_BY_LOOKING,
    defaults=FEW_ANSWERS,
    measures="error bayes_error nll auroc",
    reference="pinwheel of Johnson et al. 2016",
)
def classes() -> Task:
    """which of the five arms of a pinwheel a point lies on"""

    def draw(key: Key, data: Any, size: int) -> Batch:
        return Batch(*pinwheel.draw(key, size))

    def probe(model: Model, data: Any, targets: dict[str, Array]) -> dict[str, Array]:
        of_labels = jax.vmap(jax.vmap(model.apply, (None, 0)), (0, None))
        labels = jnp.arange(pinwheel.ARMS)
        energy = of_labels(targets["x"], labels)
        return {"energy": energy, "shown": of_labels(targets["shown"], labels).argmin(axis=1)}

    def measure(probed: dict[str, np.ndarray], fine: bool, beta: float, threshold: float) -> tuple[Any, ...]:
        energy, wrong = probed["energy"], np.arange(pinwheel.ARMS) != np.asarray(_held_out(fine).y)[:, None]
        right = energy[~wrong]
        read = of.ClassesEvaluation(energy, wrong, right, bayes_error(fine))
        return read, of.of_answers(energy, right, wrong, 1.0, beta, threshold)

    def targets(fine: bool) -> dict[str, Any]:
        return {"x": _held_out(fine).x, "shown": grid(SHOWN[:2], SHOWN[2]).astype(np.float32)}

    return Task(
        data=dict,
        draw=draw,
        distance=lambda y, other: (y != other).astype(jnp.float32),
        targets=targets,
        probe=probe,
        measure=measure,
        keep=lambda probed: {"label": probed["shown"].reshape(SHOWN[2], SHOWN[2]), "shown": np.array(SHOWN[:2])},
        space=Labels(pinwheel.ARMS),
        truth=pinwheel.arm_log_densities,
        film=lambda probed: {"label": probed["shown"].reshape(SHOWN[2], SHOWN[2])},
        test_seed=HELD_OUT_SEED,
    )
