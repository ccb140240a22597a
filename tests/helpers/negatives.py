"""What tests of samplers share: settings, models and batches on which negatives are drawn."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from ebmcli.core import registry
from ebmcli.core.types import Batch, Box, Energy, Labels, Setting, Strings, Word, bind

SAMPLERS = registry.units("sampler")
BOX, LABELS = Box(-5.0, 5.0), Labels(7)
KEY = jax.random.key(20)
SIZE = 6  # of a batch, where a test does not say otherwise


def energy_of(function) -> Energy:
    """A model, parameters bound, from a function of y alone."""
    return Energy(init=lambda *_: None, apply=lambda x, y: function(y))


def at(space=BOX, beta=1.0, reward=0.0, size=SIZE, conditional=False) -> Setting:
    return Setting(size, space, conditional, jnp.float32(beta), jnp.float32(reward))


def sampler(name, setting, **values):
    return SAMPLERS[name].build(values, setting)


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
    best = jax.jit(jax.vmap(partial(LINEAR.argmin, params)))(x)
    return params, bind(LINEAR, params), Batch(x, jnp.where(np.arange(size)[:, None] < size // 2, y, best))


def scene(answers, conditional, reward=0.0):
    """A setting, a model that looks at its question if it has one, and a batch. Points are in one dimension then."""
    if answers == "sequence":
        return (at(STRINGS, reward=reward, conditional=True), *words()[1:])
    x = jax.random.normal(KEY, (SIZE, 3)) if conditional else None

    def apply(x, y):
        seen = 0.0 if x is None else x.sum()
        return jnp.sin(1.7 * y + seen) if answers == "finite" else jnp.sum(jnp.square(y - 1.0)) + jnp.sin(y[0] + seen)

    space = LABELS if answers == "finite" else Box(-1.0, 2.0, 1) if conditional else BOX
    y = jnp.arange(SIZE) % 4 if answers == "finite" else jax.random.uniform(KEY, (SIZE, space.dims), maxval=2.0)
    return at(space, reward=reward, conditional=conditional), Energy(lambda *_: None, apply), Batch(x, y)


def drawn(drawer, key, state, model, batch):
    """The answers and the state, without the functions that a jitted program cannot return."""
    negatives, after = drawer.draw(key, state, model, batch)
    return negatives.y, after
