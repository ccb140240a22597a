"""Negatives that are searched for: the answers of lowest energy, or all answers."""

from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Le

from ebmcli.core.batching import negative_energies
from ebmcli.core.decorators import sampler
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import (
    Batch,
    BatchShape,
    Box,
    Cost,
    Count,
    Labels,
    Model,
    Negatives,
    Positive,
    Sampler,
    SamplerContext,
    Strings,
)
from ebmcli.samplers._box import negatives_as, reflect, stateless, uniformly

Radius = Annotated[float, Ge(1e-12), Le(1)]  # at most half of a box: its surface then meets the box everywhere


def _one_search(shape: BatchShape) -> Cost:
    """The cost of the best different answer of each example: among labels all are scored, words are searched."""
    searched = shape.total(shape.space.size) if isinstance(shape.space, Labels) else shape.batch_size
    return Cost(searched + shape.batch_size)


def _best_different(context: SamplerContext, reward: Array | None) -> Sampler:
    """For each example the answer other than y with the lowest F - reward * distance, as the energy finds it."""
    space = context.space

    def among_labels(key: Key, model: Model, batch: Batch) -> Negatives:
        answers = jnp.arange(space.size)  # type: ignore[union-attr]
        wrong = answers[None] != batch.y[:, None]
        energy = jnp.broadcast_to(negative_energies(model, batch, answers), wrong.shape)
        return negatives_as(jnp.argmin(jnp.where(wrong, energy, jnp.inf), axis=1)[:, None])  # all are equally far

    def among_words(key: Key, model: Model, batch: Batch) -> Negatives:
        assert model.best_different is not None
        search = model.best_different
        return negatives_as(jax.vmap(lambda x, y: search(x, y, reward))(batch.x, batch.y)[:, None])

    return stateless(among_labels if isinstance(space, Labels) else among_words)


def _descent(
    box: Box, size: int, radius: Array | float, starts: int, steps: int, step_size: Array | float
) -> Callable[[Key, Model, Batch], Negatives]:
    """For each example the lowest end of several descents on F, kept out of a ball round the right answer."""
    middle = (box.low + box.high) / 2

    def unit(away: Array, otherwise: Array | float) -> Array:
        length = jnp.sqrt(jnp.sum(jnp.square(away), axis=-1, keepdims=True))
        return jnp.where(length > 0, away / jnp.where(length > 0, length, 1), otherwise)

    def outside(y: Array, centre: Array) -> Array:
        """y, or where it lies in the ball a point of the ball's surface; towards the middle, that is in the box."""
        inward = unit(middle - centre, jnp.eye(1, box.dims))
        pushed = centre + radius * unit(y - centre, inward)
        legal = ((pushed >= box.low) & (pushed <= box.high)).all(axis=-1, keepdims=True)
        inside_ball = jnp.sum(jnp.square(y - centre), axis=-1, keepdims=True) < radius**2
        return jnp.where(inside_ball, jnp.where(legal, pushed, centre + radius * inward), y)

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        centre = batch.y[:, None]
        slope = jax.grad(lambda y: negative_energies(model, batch, y).sum())
        y = outside(uniformly(key, (size, starts), box), centre)
        y = jax.lax.fori_loop(0, steps, lambda _, y: outside(reflect(y - step_size * slope(y), box), centre), y)
        lowest = jnp.argmin(negative_energies(model, batch, y), axis=1)
        return negatives_as(jnp.take_along_axis(y, lowest[:, None, None], axis=1))

    return draw


def _offending_cost(shape: BatchShape, starts: int, descent_steps: int) -> Cost:
    if not isinstance(shape.space, Box):
        return _one_search(shape)
    walked = shape.batch_size * starts * descent_steps
    return Cost(walked + shape.batch_size * (starts + 1), walked)


@sampler(
    needs="best_different",
    continuous="negatives hardest",
    finite="negatives minimum hardest",
    sequence="negatives minimum hardest",
    cost=_offending_cost,
    reference="LeCun et al. 2006, section 2.2.1",
    also="hard hardest hard-negative hard-negatives argmin viterbi",
)
def most_offending(
    context: SamplerContext,
    radius: Radius = 0.3,
    starts: Count = 4,
    descent_steps: Count = 10,
    step_size: Positive = 0.1,
) -> Sampler:
    """argmin over y- other than y of F(y-): exactly; on the plane by descent, farther than `radius` from y"""
    box = context.space
    if isinstance(box, Box):
        return stateless(_descent(box, context.shape.batch_size, radius, starts, descent_steps, step_size))
    return _best_different(context, None)


@sampler(
    needs="best_different",
    finite="negatives augmented hardest",
    sequence="negatives augmented hardest",
    cost=_one_search,
    reference="Taskar et al. 2003; Tsochantaridis et al. 2005",
    also="cost-augmented margin-rescaling",
)
def loss_augmented(context: SamplerContext) -> Sampler:
    """argmin over y- other than y of F(y-) - m(y, y-): exactly, on strips among the 8 words of lowest energy"""
    return _best_different(context, context.reward)


@sampler(
    needs="n_best",
    sequence="negatives minimum",
    cost=lambda shape, negatives: Cost(shape.batch_size + shape.total(negatives)),
    reference="Lawler 1972; Nilsson & Goldberger 2001",
    also="top-k k-best beam",
)
def n_best(context: SamplerContext, negatives: Count = 8) -> Sampler:
    """the K answers other than y with the lowest F(y-), exactly and each once"""

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        assert model.n_best is not None
        search = model.n_best
        return negatives_as(jax.vmap(lambda x, y: search(x, y, negatives))(batch.x, batch.y))

    return stateless(draw)


def _every_answer(shape: BatchShape) -> Cost:
    if isinstance(shape.space, Labels):
        return Cost(shape.total(shape.space.size))
    return _one_search(shape)


@sampler(
    needs="free best_different",
    costly="partition minimum",
    finite="negatives all partition probability minimum",
    sequence="partition probability minimum",
    cost=_every_answer,
    also="enumeration forward forward-backward",
)
def exhaustive(context: SamplerContext) -> Sampler:
    """all answers: one by one, or by the forward algorithm (free energy) and the Viterbi algorithm (minimum)"""
    space = context.space
    if isinstance(space, Strings):
        # The minimum over all answers is that over F(y) and the best different one: a loss compares the two itself.
        return _best_different(context, None)
    count = space.size  # type: ignore[union-attr]
    every = Negatives(jnp.arange(count), jnp.zeros(count))
    return stateless(lambda key, model, batch: every)
