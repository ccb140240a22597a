"""The registered losses of a View, on a model whose slopes and curvatures are known by hand."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from helpers.losses import QUICK

from ebmcli.core import registry
from ebmcli.core.parameters import parameters_of
from ebmcli.core.types import View

LOSSES = {name: unit for name, unit in registry.units("loss").items() if "view" in unit.traits.needs}
LOSS = {name: unit.function for name, unit in LOSSES.items()}
PERTURBED = LOSSES["energy-discrepancy"].traits.cost.evaluations - 1  # all energies that it evaluates but F+
BETA = 0.7


def quartic(params, y):
    """a y1^4 + b y1^2 y2^2 + c y2^3 + q |y|^2 / 2 + d"""
    a, b, c, q, d = params
    return a * y[0] ** 4 + b * y[0] ** 2 * y[1] ** 2 + c * y[1] ** 3 + q * (y[0] ** 2 + y[1] ** 2) / 2 + d


def slope(params, y):
    a, b, c, q, _ = params
    return (
        np.array([4 * a * y[0] ** 3 + 2 * b * y[0] * y[1] ** 2, 2 * b * y[0] ** 2 * y[1] + 3 * c * y[1] ** 2]) + q * y
    )


def curvature(params, y):
    a, b, c, q, _ = params
    cross = 4 * b * y[0] * y[1]
    return np.array(
        [[12 * a * y[0] ** 2 + 2 * b * y[1] ** 2 + q, cross], [cross, 2 * b * y[0] ** 2 + 6 * c * y[1] + q]]
    )


def linear(params, y):
    """A reconstruction by the same numbers."""
    a, b, c, q, _ = params
    return jnp.stack([a * y[0] + b * y[1] + c, c * y[0] + q * y[1]])


class Example(NamedTuple):
    """All that a View is made of, as arrays with a leading axis N."""

    params: Any
    y: Any
    key: Any
    beta: Any


def keys(size):
    return jax.random.split(jax.random.key(3), size)


def some(size=64) -> Example:
    """Random models and answers at two inverse temperatures."""
    rng = np.random.default_rng(0)
    beta = np.where(np.arange(size) % 2, BETA, 2.0)
    return Example(rng.normal(0, 0.5, (size, 5)), rng.normal(0, 0.7, (size, 2)), keys(size), beta)


def noise(e: Example, *shape) -> np.ndarray:
    """[N, ..., D]: what these keys draw in float64."""
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(lambda key: jax.random.normal(key, (*shape, e.y.shape[1]), float))(e.key))


@cache
def compiled(function, energy) -> Callable:
    """(Example, hyperparameters) -> the losses [N], their slopes in the parameters [N, ...]."""

    def one(params, e, values):
        return function(View(partial(energy, params), partial(linear, params), e.y, e.key, e.beta), **values)

    def batch(e, values):
        return jax.vmap(lambda e: jax.value_and_grad(one)(e.params, e, values))(e)

    return jax.jit(batch, compiler_options=QUICK)


def single(function, e: Example, energy=quartic, **hyperparameters) -> tuple[np.ndarray, Any]:
    """In float32, at the defaults of the function but for those given."""
    defaults = {name: parameter.default for name, parameter in parameters_of(function).items()}
    return jax.tree.map(np.asarray, compiled(function, energy)(e, defaults | hyperparameters))


def double(*arguments, **hyperparameters) -> tuple[np.ndarray, Any]:
    """The same in float64."""
    with jax.enable_x64(True):
        return single(*arguments, **hyperparameters)
