"""Points of a box (drawn uniformly, reflected at its walls, one in each of its cells), and samplers without a state."""

from collections.abc import Callable
from typing import Any

from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import Batch, Box, Model, Negatives, Sampler, Space


def uniformly(key: Key, shape: tuple[int, ...], space: Space) -> Array:
    """Draw answers uniformly: [*shape, D] on a box, [*shape] labels."""
    if isinstance(space, Box):
        return jax.random.uniform(key, (*shape, space.dims), jnp.float32, space.low, space.high)
    return jax.random.randint(key, shape, 0, space.size)  # type: ignore[union-attr]


def reflect(y: Array, box: Box) -> Array:
    """Fold y back into the box as a mirror at each wall does (clipping would pile mass on the walls)."""
    width = box.high - box.low
    turn = jnp.mod(y - box.low, 2 * width)
    return box.low + jnp.where(turn > width, 2 * width - turn, turn)


def inside(y: Array, box: Box) -> Array:
    """[...] bool: whether points y [..., D] lie in the box."""
    return ((y >= box.low) & (y <= box.high)).all(axis=-1)


def nodes_of(box: Box, side: int, place: Array | float) -> Array:
    """[side^D, D]: a point in each of side^D equal cells. place: where in its cell, between 0 and 1."""
    width = (box.high - box.low) / side
    corner = box.low + width * jnp.arange(side, dtype=jnp.float32)
    cells = jnp.stack(jnp.meshgrid(*[corner] * box.dims), axis=-1).reshape(-1, box.dims)
    return cells + width * place


def stateless(draw: Callable[[Key, Model, Batch], Negatives]) -> Sampler:
    """A sampler that carries nothing from step to step. draw: (key, model, batch) -> negatives."""

    def drawn(key: Key, state: tuple[()], model: Model, batch: Batch) -> tuple[Negatives, tuple[()]]:
        return draw(key, model, batch), state

    return Sampler(lambda key, first: (), drawn)


def box_of(space: Space) -> Box:
    """The box of a continuous task. Raises TypeError for other answers, for which the registry refuses the sampler."""
    if not isinstance(space, Box):
        raise TypeError(f"points are drawn on a box, the answers are {type(space).__name__}")
    return space


def negatives_as(y: Any) -> Negatives:
    """Negatives through which nothing is differentiated."""
    return Negatives(jax.lax.stop_gradient(y))
