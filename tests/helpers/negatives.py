"""What tests of samplers share: contexts, models and batches on which negatives are drawn."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from helpers.quick import quick

from ebmcli.core import registry
from ebmcli.core.parameters import arguments_for
from ebmcli.core.types import Batch, BatchShape, Box, Cost, Labels, Model, SamplerContext, Strings, Word, bind

SAMPLERS = registry.units("sampler")
BOX, LABELS = Box(-5.0, 5.0), Labels(7)
KEY = jax.random.key(20)
SIZE = 6  # of a batch, where a test does not say otherwise


def energy_of(function) -> Model:
    """A model, parameters bound, from a function of y alone."""
    return Model(lambda x, y: function(y))


def context(space=BOX, beta=1.0, reward=0.0, size=SIZE, conditional=False) -> SamplerContext:
    return SamplerContext(BatchShape(size, space, conditional), jnp.float32(beta), jnp.float32(reward))


def sampler(name, context, **values):
    return SAMPLERS[name].build(values, context)


def declared_cost(name, shape, **values) -> Cost:
    """What it says that a step costs, in a run with these hyperparameters and else its defaults."""
    unit = SAMPLERS[name]
    assert unit.traits.cost is not None, f"{name} declares no cost"
    config = {one.name: one.default for one in unit.parameters.values()} | values
    return unit.traits.cost(shape, **arguments_for(unit.traits.cost, config))


BOWL = energy_of(lambda y: jnp.sum(jnp.square(y - 1.0)))
PLANE = Batch(None, jnp.zeros((SIZE, 2)))
TASK = registry.find("task", "moons").build({})
STRINGS = Strings(26, 3, fixed=True)
LINEAR = registry.find("energy", "linear-chain").build({}, STRINGS)


@cache
def words(size=SIZE, positions=3):
    """Random tables, a model of them, and words of 1 to 3 letters, padded: the second half those of lowest energy."""
    rng = np.random.default_rng(3)
    length = 1 + np.arange(size) % positions
    mask = np.arange(positions) < length[:, None]
    y = jnp.asarray(np.where(mask, rng.integers(0, 26, (size, positions)), 0), jnp.int32)
    x = Word(jnp.asarray(rng.integers(0, 2, (size, positions, 128)) * mask[..., None], jnp.float32), jnp.asarray(mask))
    first = jax.tree.map(lambda leaf: leaf[0], (x, y))
    shapes = jax.eval_shape(LINEAR.init, KEY, *first)
    params = jax.tree.map(lambda p: jnp.asarray(rng.normal(0, 0.2, p.shape), p.dtype), shapes)
    best = quick(jax.vmap(partial(LINEAR.argmin, params)))(x)
    y = jnp.asarray(np.where(np.arange(size)[:, None] < size // 2, y, best))
    return params, bind(LINEAR, params), Batch(x, y)


def scene(answers, conditional, reward=0.0):
    """A context, a model that looks at its question if it has one, and a batch. Points are in one dimension then."""
    if answers == "sequence":
        return (context(STRINGS, reward=reward, conditional=True), *words()[1:])
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(SIZE, 3)), jnp.float32) if conditional else None

    def apply(x, y):
        seen = 0.0 if x is None else x.sum()
        return jnp.sin(1.7 * y + seen) if answers == "finite" else jnp.sum(jnp.square(y - 1.0)) + jnp.sin(y[0] + seen)

    space = LABELS if answers == "finite" else Box(-1.0, 2.0, 1) if conditional else BOX
    y = np.arange(SIZE, dtype=np.int32) % 4
    if answers == "continuous":
        y = rng.uniform(0, 2, (SIZE, space.dims)).astype(np.float32)
    return context(space, reward=reward, conditional=conditional), Model(apply), Batch(x, jnp.asarray(y))


def drawn(drawer, key, state, model, batch):
    """The answers and the state, without the functions that a jitted program cannot return."""
    negatives, after = drawer.draw(key, state, model, batch)
    return negatives.y, after
