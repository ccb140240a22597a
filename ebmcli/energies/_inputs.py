"""Inputs of networks, made of a question and an answer."""

from typing import Any

from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.types import Labels, Space


def answer(y: Any, space: Space) -> Array:
    """[D]: a point as it is, a label one-hot."""
    return jax.nn.one_hot(y, space.size) if isinstance(space, Labels) else y


def features(x: Any, y: Any, space: Space) -> Array:
    """[...]: the question (where there is one) and the answer, side by side."""
    return answer(y, space) if x is None else jnp.concatenate([jnp.ravel(x), answer(y, space)])
