"""Points of a box: drawn uniformly, reflected at its walls, one in each of its cells."""

from typing import Any

from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.types import Box, Space


def uniformly(key: Array, shape: tuple[int, ...], space: Space) -> Array:
    """Answers drawn uniformly: [*shape, D] on a box, [*shape] labels."""
    if isinstance(space, Box):
        return jax.random.uniform(key, (*shape, space.dims), jnp.float32, space.low, space.high)
    return jax.random.randint(key, shape, 0, space.size)  # type: ignore[union-attr]


def reflect(y: Array, box: Box) -> Array:
    """Fold y back into the box as a mirror at each wall does (clipping would pile mass on the walls)."""
    width = box.high - box.low
    turn = jnp.mod(y - box.low, 2 * width)
    return box.low + jnp.where(turn > width, 2 * width - turn, turn)


def nodes_of(box: Box, side: int, place: Any) -> Array:
    """[side^D, D]: a point in each of side^D equal cells. place: where in its cell, between 0 and 1."""
    width = (box.high - box.low) / side
    corner = box.low + width * jnp.arange(side, dtype=jnp.float32)
    cells = jnp.stack(jnp.meshgrid(*[corner] * box.dims), axis=-1).reshape(-1, box.dims)
    return cells + width * place
