"""Negatives that do not look at the energy."""

from typing import Any

from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.registry import sampler
from ebmcli.core.types import Batch, Box, Count, Negatives, Positive, Sampler, Setting, Strings
from ebmcli.samplers._box import nodes_of, reflect, uniformly


def _still(key: Any, first: Any) -> tuple[()]:
    """The state of a sampler that has none."""
    return ()


@sampler(continuous="", finite="", sequence="")
def none(at: Setting) -> Sampler:
    """no negatives"""
    return Sampler(_still, lambda key, state, model, batch: (Negatives(None), state), 0, 0)


KNOWN = "negatives log_q independent"


@sampler(continuous=KNOWN, finite=KNOWN, sequence=KNOWN)
def uniform(at: Setting, negatives: Count = 256) -> Sampler:
    """K answers drawn uniformly: on the box of the task, among all labels, y included, or random words"""
    space = at.space
    if isinstance(space, Strings):
        return _random_words(at, space, negatives)
    log_q = -space.log_volume if isinstance(space, Box) else -jnp.log(space.size)  # type: ignore[union-attr]

    def draw(key, state, model, batch):
        return Negatives(uniformly(key, at.shape(negatives), space), log_q=lambda x, y: log_q), state

    return Sampler(_still, draw, evaluations=at.total(negatives), gradients=0)


def _random_words(at: Setting, space: Strings, negatives: int) -> Sampler:
    """Letters drawn uniformly; so is the length, from 1 to the longest, unless x says it."""

    def draw(key, state, model, batch):
        spelling, ending = jax.random.split(key)
        y = jax.random.randint(spelling, (*at.shape(negatives), space.length), 0, space.labels)
        length = jax.random.randint(ending, (*at.shape(negatives), 1), 1, space.length + 1)
        there = batch.x.mask[:, None] if space.fixed else jnp.arange(space.length) < length
        return Negatives(jnp.where(there, y, space.padding), log_q=log_q), state

    def log_q(x, y):
        lengths = 1 if space.fixed else space.length
        return -space.present(x, y).sum() * jnp.log(space.labels) - jnp.log(lengths)

    return Sampler(_still, draw, evaluations=at.total(negatives), gradients=0)


@sampler(continuous=KNOWN)
def gaussian(at: Setting, negatives: Count = 256) -> Sampler:
    """K points of a Gaussian with mean and covariance of the data; what falls outside the box is redrawn uniformly"""
    box: Any = at.space

    def init(key: Array, first: Batch) -> tuple[Array, Array, Array]:
        mean, covariance = first.y.mean(axis=0), jnp.cov(first.y, rowvar=False).reshape(box.dims, box.dims)
        root = jnp.linalg.cholesky(covariance)
        middle = nodes_of(box, 128 if box.dims < 3 else 16, 0.5)
        inside = jnp.mean(jnp.exp(_normal(middle, mean, root) + box.log_volume))
        return mean, root, jnp.clip(1 - inside, 1e-6, 1)  # the share that falls outside

    def draw(key, state, model, batch):
        mean, root, outside = state
        normal, redrawn = jax.random.split(key)
        y = mean + jax.random.normal(normal, (*at.shape(negatives), box.dims)) @ root.T
        within = ((y >= box.low) & (y <= box.high)).all(axis=-1, keepdims=True)
        y = jnp.where(within, y, uniformly(redrawn, at.shape(negatives), box))
        flat = jnp.log(outside) - box.log_volume
        return Negatives(y, log_q=lambda x, y: jnp.logaddexp(_normal(y, mean, root), flat)), state

    return Sampler(init, draw, evaluations=at.total(negatives), gradients=0)


def _normal(y: Array, mean: Array, root: Array) -> Array:
    """[...]: the log density of a Gaussian at y [..., D]; root: the Cholesky factor of its covariance."""
    standard = jax.scipy.linalg.solve_triangular(root, (y - mean).reshape(-1, len(mean)).T, lower=True)
    squared = jnp.sum(jnp.square(standard), axis=0).reshape(y.shape[:-1])
    return -squared / 2 - jnp.log(jnp.diag(root)).sum() - len(mean) / 2 * jnp.log(2 * jnp.pi)


@sampler(continuous="negatives")
def noise(at: Setting, per_example: Count = 8, spread: Positive = 0.5) -> Sampler:
    """the right answer plus Gaussian noise of standard deviation `spread`, per_example of them for each example"""
    box: Any = at.space

    def draw(key, state, model, batch):
        y = batch.y[:, None] + spread * jax.random.normal(key, (len(batch.y), per_example, box.dims))
        return Negatives(reflect(y, box)), state

    return Sampler(_still, draw, evaluations=at.batch_size * per_example, gradients=0)


@sampler(continuous="negatives independent", finite="negatives independent", sequence="negatives", conditional=True)
def in_batch(at: Setting) -> Sampler:
    """the right answers of the other examples of the batch; of words whose length x knows, cut or continued as y"""

    def draw(key, state, model, batch):
        place = jnp.arange(at.batch_size)
        others = (place[:, None] + 1 + place[:-1]) % at.batch_size  # all but its own
        y = batch.y[others]
        if isinstance(at.space, Strings) and at.space.fixed:
            both = batch.x.mask[others] & batch.x.mask[:, None]
            y = jnp.where(both, y, batch.y[:, None])  # few words of a batch are as long as y
        return Negatives(y), state

    return Sampler(_still, draw, evaluations=at.batch_size * (at.batch_size - 1), gradients=0)


@sampler(continuous="negatives partition minimum independent")
def quadrature(at: Setting, nodes: Count = 32) -> Sampler:
    """all of the box: a point of each of nodes^D cells, drawn anew in its cell at every step, with its weight"""
    box: Any = at.space
    count = nodes**box.dims
    log_weight = box.log_volume - jnp.log(count)

    def draw(key, state, model, batch):
        points = nodes_of(box, nodes, jax.random.uniform(key, (count, box.dims)))
        return Negatives(points, jnp.full(count, log_weight, jnp.float32)), state

    return Sampler(_still, draw, evaluations=count * (at.batch_size if at.conditional else 1), gradients=0)
