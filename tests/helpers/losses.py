"""The registered losses of energies, on examples: their values and their slopes, in float32 and in float64."""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ebmcli.core import registry
from ebmcli.core.types import Energies

LOSSES = {name: unit for name, unit in registry.units("loss").items() if "view" not in unit.traits.needs}
LOSS = {name: unit.function for name, unit in LOSSES.items()}
LN = [math.log(max(n, 1)) for n in range(13)]


def record(right, wrong, distance=1.0, log_q=0.0, log_q_positive=0.0, log_z=0.0, beta=1.0) -> Energies:
    """Examples, [] or [N], whose answers are the right one and the wrong ones [..., K], all of them; in float64."""
    wrong, beta = np.asarray(wrong, float), np.asarray(beta, float)
    every = np.concatenate([np.asarray(right, float)[..., None], wrong], axis=-1)
    free = -np.logaddexp.reduce(-beta[..., None] * every, axis=-1) / beta
    away, density = (np.broadcast_to(np.asarray(field, float), wrong.shape) for field in (distance, log_q))
    scalars = (log_q_positive, free, every.min(axis=-1), log_z, beta)
    return Energies(every[..., 0], wrong, away, density, *(np.broadcast_to(s, free.shape) for s in scalars))


def value(function, right, wrong, hyperparameters=None, **fields) -> jax.Array:
    """The loss of one example."""
    return function(jax.tree.map(jnp.asarray, record(right, wrong, **fields)), **(hyperparameters or {}))


class Examples(NamedTuple):
    """N records of K negatives."""

    point: np.ndarray  # [N, 1 + K + 1] energies, that of the right answer first; then log_z
    distance: np.ndarray  # [N, K]
    log_q: np.ndarray  # [N, 1 + K]
    beta: np.ndarray  # [N]

    def at(self, energies) -> "Examples":
        """Others in the place of these energies."""
        return self._replace(point=np.c_[energies, self.point[:, -1]])

    def records(self) -> Energies:
        """What a loss sees."""
        p, q = self.point, self.log_q
        return record(p[:, 0], p[:, 1:-1], self.distance, q[:, 1:], q[:, 0], p[:, -1], self.beta)

    def pull(self, pulls: Energies) -> np.ndarray:
        """Slopes in the point from those in the fields."""
        f = self.point[:, :-1]
        shares = np.exp(-self.beta[:, None] * (f - self.records().free[:, None]))
        lowest = f == f.min(axis=1, keepdims=True)
        direct = np.c_[pulls.positive, pulls.negatives]
        through = pulls.free[:, None] * shares + pulls.minimum[:, None] * lowest / lowest.sum(axis=1, keepdims=True)
        return np.c_[direct + through, pulls.log_z]


class Found(NamedTuple):
    """Of N examples."""

    loss: np.ndarray  # [N]
    slopes: np.ndarray  # [N, 1 + K + 1] in the point
    pulls: Energies  # in the fields of the records


# Small kernels one by one compile in a third of the time that fused ones take.
QUICK = {"xla_backend_optimization_level": 0}
if jax.__version_info__ < (0, 11):  # the option is gone since
    QUICK["xla_cpu_use_fusion_emitters"] = False


@cache
def compiled(function) -> Callable:
    """Energies with a leading axis N -> the losses [N], their slopes in the fields."""

    def one(seen):
        loss, pull = jax.vjp(function, seen)
        return loss, pull(jnp.ones_like(loss))[0]

    return jax.jit(jax.vmap(one), compiler_options=QUICK)


def slopes(function, *arguments, **fields) -> Energies:
    """The slopes of the loss of one example in all fields, in float32."""
    one = jax.tree.map(lambda leaf: leaf[None], record(*arguments, **fields))
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), compiled(function)(one)[1])


def single(function, examples: Examples) -> Found:
    """The losses of the examples and their slopes, in float32."""
    loss, pulls = jax.tree.map(np.asarray, compiled(function)(examples.records()))
    return Found(loss, examples.pull(pulls), pulls)


def double(function, examples: Examples) -> Found:
    """The same in float64."""
    with jax.enable_x64(True):
        return single(function, examples)


def some(nonnegative=False, size=40, negatives=5) -> Examples:
    """Random records, their energies of either sign or not: with this seed far from any kink."""
    rng = np.random.default_rng(0)
    energies = rng.uniform(-4, 4, (size, 1 + negatives))
    log_z = rng.normal(0, 1, (size, 1))
    distance = rng.integers(1, 4, (size, negatives)).astype(float)
    log_q = rng.integers(-8, 9, (size, 1 + negatives)) / 8  # exact beside energies of 1e4
    point = np.c_[np.abs(energies) if nonnegative else energies, log_z]
    return Examples(point, distance, log_q, rng.choice([0.5, 1, 3], size))


@cache
def at(name, **hyperparameters) -> Callable:
    """A registered loss at these; the same object at the same ones, so that it is compiled once."""
    return partial(LOSS[name], **hyperparameters)


def found(name, examples: Examples) -> Found:
    return double(LOSS[name], examples)


def plain(e: Examples) -> Examples:
    """At beta 1 and with a uniform q."""
    return e._replace(beta=np.ones_like(e.beta), log_q=np.zeros_like(e.log_q))


def assert_same(here: Found, there: Found, scale=1.0) -> None:
    """Values and slopes."""
    np.testing.assert_allclose(here.loss, scale * there.loss, rtol=1e-9)
    np.testing.assert_allclose(here.slopes, (scale * there.slopes.T).T, rtol=1e-6, atol=1e-9)
