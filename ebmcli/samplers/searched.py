"""Negatives that are sought: the answers of lowest energy, or all answers."""

from collections.abc import Callable
from typing import Annotated, Any

from annotated_types import Ge, Le

from ebmcli.core.batching import scored
from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.registry import sampler
from ebmcli.core.types import Batch, Box, Count, Energy, Labels, Negatives, Positive, Sampler, Setting
from ebmcli.samplers._box import reflect, uniformly

Radius = Annotated[float, Ge(1e-12), Le(1)]  # at most half of a box: its surface then meets the box everywhere


def _searched(find: Callable[[Array, Energy, Batch], Array], evaluations: int, gradients: int = 0) -> Sampler:
    """A sampler without state. find: (key, model, batch) -> y [B, 1, ...], through which nothing is differentiated."""

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        return Negatives(jax.lax.stop_gradient(find(key, model, batch))), state

    return Sampler(lambda key, first: (), draw, evaluations, gradients)


def _best_different(at: Setting, reward: Array | None) -> Sampler:
    """For each example the answer other than y with the lowest F - reward * distance, as the energy finds it."""

    def among_labels(key: Array, model: Energy, batch: Batch) -> Array:
        answers = jnp.arange(at.space.size)  # type: ignore[union-attr]
        wrong = answers != batch.y[:, None]
        energy = jnp.broadcast_to(scored(model, batch, answers), wrong.shape)
        return jnp.argmin(jnp.where(wrong, energy, jnp.inf), axis=1)[:, None]  # all wrong labels are equally far

    def among_sequences(key: Array, model: Energy, batch: Batch) -> Array:
        return jax.vmap(lambda x, y: model.best_different(x, y, reward))(batch.x, batch.y)[:, None]  # type: ignore[misc]

    if isinstance(at.space, Labels):
        return _searched(among_labels, at.batch_size * (at.space.size + 1))
    return _searched(among_sequences, 2 * at.batch_size)


def _descent(at: Setting, radius: Array | float, starts: int, steps: int, step_size: Array | float) -> Sampler:
    """For each example the lowest end of several descents on F, kept out of a ball round the right answer."""
    box: Any = at.space

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

    def find(key: Array, model: Energy, batch: Batch) -> Array:
        centre = batch.y[:, None]
        slope = jax.grad(lambda y: scored(model, batch, y).sum())
        y = outside(uniformly(key, (at.batch_size, starts), box), centre)
        y = jax.lax.fori_loop(0, steps, lambda _, y: outside(reflect(y - step_size * slope(y), box), centre), y)
        lowest = jnp.argmin(scored(model, batch, y), axis=1)
        return jnp.take_along_axis(y, lowest[:, None, None], axis=1)

    walked = at.batch_size * starts * steps
    return _searched(find, walked + at.batch_size * (starts + 1), walked)


@sampler(
    needs="best_different",
    continuous="negatives hardest",
    finite="negatives minimum hardest",
    sequence="negatives minimum hardest",
    reference="LeCun et al. 2006, section 2.2.1",
)
def most_offending(
    at: Setting,
    radius: Radius = 0.3,
    starts: Count = 4,
    descent_steps: Count = 10,
    step_size: Positive = 0.1,
) -> Sampler:
    """argmin over y- other than y of F(y-): exactly; on the plane by descent, farther than `radius` from y"""
    if isinstance(at.space, Box):
        return _descent(at, radius, starts, descent_steps, step_size)
    return _best_different(at, None)


@sampler(
    needs="best_different",
    finite="negatives augmented hardest",
    sequence="negatives augmented hardest",
    reference="Taskar et al. 2003; Tsochantaridis et al. 2005",
)
def loss_augmented(at: Setting) -> Sampler:
    """argmin over y- other than y of F(y-) - m(y, y-): exactly, on strips among the 8 words of lowest energy"""
    return _best_different(at, at.reward)


@sampler(
    needs="free best_different",
    costly="partition minimum",
    finite="negatives all partition probability minimum",
    sequence="partition probability minimum",
)
def exhaustive(at: Setting) -> Sampler:
    """all answers: one by one, or by the forward algorithm (free energy) and the Viterbi algorithm (minimum)"""
    if not isinstance(at.space, Labels):
        # The minimum over all answers is that over F(y) and the best different one: a loss compares the two itself.
        return _best_different(at, None)
    count = at.space.size
    answers = jnp.arange(count)
    every = Negatives(answers, jnp.zeros(count))
    return Sampler(lambda key, first: (), lambda key, state, model, batch: (every, state), at.batch_size * count, 0)
