"""Negatives that do not look at the energy."""

from typing import Any, NamedTuple

from ebmcli.core.decorators import sampler
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import (
    Batch,
    BatchShape,
    Box,
    Cost,
    Count,
    Model,
    Negatives,
    Positive,
    Sampler,
    SamplerContext,
    Strings,
)
from ebmcli.samplers._box import box_of, inside, nodes_of, reflect, stateless, uniformly

KNOWN = "negatives log_q independent"


def _one_each(shape: BatchShape, negatives: int) -> Cost:
    """The cost of negatives that are drawn for nothing and scored once."""
    return Cost(shape.total(negatives))


@sampler(continuous="", finite="", sequence="", cost=lambda shape: Cost(0))
def none(context: SamplerContext) -> Sampler:
    """no negatives"""
    return stateless(lambda key, model, batch: Negatives(None))


@sampler(continuous=KNOWN, finite=KNOWN, sequence=KNOWN, cost=_one_each, also="random")
def uniform(context: SamplerContext, negatives: Count = 256) -> Sampler:
    """K answers drawn uniformly: on the box of the task, among all labels, y included, or random words"""
    shape, space = context.shape.negatives(negatives), context.space
    if isinstance(space, Strings):
        return _random_words(shape, space)
    log_q: Any = -space.log_volume if isinstance(space, Box) else -jnp.log(space.size)

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        return Negatives(uniformly(key, shape, space), log_q=lambda x, y: log_q)

    return stateless(draw)


def _random_words(shape: tuple[int, ...], space: Strings) -> Sampler:
    """Letters drawn uniformly; so is the length, from 1 to the longest, unless x says it."""

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        spelling, ending = jax.random.split(key)
        y = jax.random.randint(spelling, (*shape, space.length), 0, space.labels)
        length = jax.random.randint(ending, (*shape, 1), 1, space.length + 1)
        place = jnp.arange(space.length).reshape((1,) * len(shape) + (-1,))
        present = batch.x.mask[:, None] if space.fixed else place < length
        return Negatives(jnp.where(present, y, space.padding), log_q=log_q)

    def log_q(x: Any, y: Array) -> Array:
        lengths = 1 if space.fixed else space.length
        return -space.present(x, y).sum() * jnp.log(space.labels) - jnp.log(lengths)

    return stateless(draw)


class Fitted(NamedTuple):
    """A Gaussian fitted to data."""

    mean: Array  # [D]
    root: Array  # [D, D] Cholesky factor of the covariance
    outside: Array  # [] the share of its mass that lies outside the box


@sampler(continuous=KNOWN, cost=_one_each, also="normal gauss")
def gaussian(context: SamplerContext, negatives: Count = 256) -> Sampler:
    """K points of a Gaussian with mean and covariance of the data; what falls outside the box is redrawn uniformly

    It is at least as wide as a 128th of the box in every direction.
    """
    box, shape = box_of(context.space), context.shape.negatives(negatives)

    def init(key: Key, first: Batch) -> Fitted:
        mean, covariance = first.y.mean(axis=0), jnp.cov(first.y, rowvar=False).reshape(box.dims, box.dims)
        nodes = 128 if box.dims < 3 else 16
        root = jnp.linalg.cholesky(_at_least(covariance, (box.high - box.low) / nodes))
        middle = nodes_of(box, nodes, 0.5)
        share = jnp.mean(jnp.exp(_normal(middle, mean, root) + box.log_volume))
        return Fitted(mean, root, jnp.clip(1 - share, 1e-6, 1))

    def draw(key: Key, state: Fitted, model: Model, batch: Batch) -> tuple[Negatives, Fitted]:
        normal, redrawn = jax.random.split(key)
        spread = jax.random.normal(normal, (*shape, box.dims)) @ state.root.T
        y = state.mean.reshape((1,) * len(shape) + (-1,)) + spread
        y = jnp.where(inside(y, box)[..., None], y, uniformly(redrawn, shape, box))
        flat = jnp.log(state.outside) - box.log_volume
        return Negatives(y, log_q=lambda x, y: jnp.logaddexp(_normal(y, state.mean, state.root), flat)), state

    return Sampler(init, draw)


def _at_least(covariance: Array, spread: float) -> Array:
    """The covariance; or where the data lie on a line, or all but, one that is wider in every direction by as much as
    makes its smallest standard deviation `spread`: a narrower density has no root in float32, and no sum over nodes."""
    lacking = jnp.maximum(spread**2 - jnp.linalg.eigvalsh(covariance)[0], 0)
    return covariance + lacking * jnp.eye(len(covariance))


def _normal(y: Array, mean: Array, root: Array) -> Array:
    """[...]: the log density of a Gaussian at y [..., D]; root: the Cholesky factor of its covariance."""
    standard = jax.scipy.linalg.solve_triangular(root, y.reshape(-1, len(mean)).T - mean[:, None], lower=True)
    squared = jnp.sum(jnp.square(standard), axis=0).reshape(y.shape[:-1])
    return -squared / 2 - jnp.log(jnp.diag(root)).sum() - len(mean) / 2 * jnp.log(2 * jnp.pi)


@sampler(
    continuous="negatives",
    cost=lambda shape, per_example: Cost(shape.batch_size * per_example),
    also="jitter perturbation",
)
def noise(context: SamplerContext, per_example: Count = 8, spread: Positive = 0.5) -> Sampler:
    """the right answer plus Gaussian noise of standard deviation `spread`, per_example of them for each example"""
    box = box_of(context.space)

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        y = batch.y[:, None] + spread * jax.random.normal(key, (len(batch.y), per_example, box.dims))
        return Negatives(reflect(y, box))

    return stateless(draw)


@sampler(
    continuous="negatives independent",
    finite="negatives independent",
    sequence="negatives",
    conditional=True,
    impossible=lambda config: (
        "" if config["batch_size"] > 1 else "a batch of 1 has no other examples, --batch-size 2 has"
    ),
    cost=lambda shape: Cost(shape.batch_size * (shape.batch_size - 1)),
    also="batch permutation shuffle",
)
def in_batch(context: SamplerContext) -> Sampler:
    """the right answers of the other examples of the batch; of words whose length x knows, cut or continued as y"""
    size, space = context.shape.batch_size, context.space

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        place = jnp.arange(size)
        others = (place[:, None] + 1 + place[None, :-1]) % size  # all but its own
        y = batch.y[others]
        if isinstance(space, Strings) and space.fixed:
            both = batch.x.mask[others] & batch.x.mask[:, None]
            y = jnp.where(both, y, batch.y[:, None])  # few words of a batch are as long as y
        return Negatives(y)

    return stateless(draw)


def _every_node(shape: BatchShape, nodes: int) -> Cost:
    count = nodes ** box_of(shape.space).dims
    return Cost(count * (shape.batch_size if shape.conditional else 1))


@sampler(continuous="negatives partition minimum independent", cost=_every_node, also="grid integral integration")
def quadrature(context: SamplerContext, nodes: Count = 32) -> Sampler:
    """all of the box: a point of each of nodes^D cells, drawn anew in its cell at every step, with its weight"""
    box = box_of(context.space)
    count = nodes**box.dims
    log_weight = box.log_volume - jnp.log(count)

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        points = nodes_of(box, nodes, jax.random.uniform(key, (count, box.dims)))
        return Negatives(points, jnp.full(count, log_weight, jnp.float32))

    return stateless(draw)
