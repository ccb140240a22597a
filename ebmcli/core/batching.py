"""Functions of one example, over a batch and its negatives."""

from collections.abc import Callable
from functools import partial
from typing import Any

from ebmcli.core.lazy import Array, jax
from ebmcli.core.types import Batch, Model


def encode_batch(model: Model, batch: Batch) -> Batch:
    """Put what the energy makes of each x in its place, so that it is worked out and differentiated once."""
    return batch if model.encode is None else batch._replace(x=jax.vmap(model.encode)(batch.x))


def negative_energies(model: Model, batch: Batch, y: Any) -> Array:
    """Energies of the negatives y: [K] where neither they nor the energy depend on the example, else [B, K]."""
    return each_negative(model.apply, batch, y)


def each_negative(function: Callable[[Any, Any], Array], batch: Batch, y: Any) -> Array:
    """A function of question and answer, of each negative: [K] where neither depends on the example, else [B, K]."""
    if batch.x is not None:
        return pairs(function, batch.x, y, batch)
    over: Callable[[Any], Array] = jax.vmap(partial(function, None))
    return over(y) if _shared(batch, y) else jax.vmap(over)(y)


def pairs(function: Callable[[Any, Any], Array], examples: Any, y: Any, batch: Batch) -> Array:
    """[B, K]: the function of each example and each of its negatives."""
    return jax.vmap(jax.vmap(function, (None, 0)), (0, None if _shared(batch, y) else 0))(examples, y)


def _shared(batch: Batch, y: Any) -> bool:
    """True if negatives are [K, ...], the same for all examples, rather than [B, K, ...]."""
    return bool(y.ndim == batch.y.ndim)
