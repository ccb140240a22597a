"""Heads: what is made of a network's output so that it is an energy of either sign, or one that is never negative."""

from collections.abc import Callable
from typing import Literal

from ebmcli.core.lazy import Array, jax, jnp

Head = Literal["free", "softplus", "square"]
NONNEGATIVE = {"head": "softplus square"}  # the heads with which F >= 0, as the registry wants it


def head_function(head: Head) -> Callable[[Array], Array]:
    """The function of that name."""
    heads: dict[str, Callable[[Array], Array]] = {
        "free": lambda output: output,
        "softplus": lambda output: jax.nn.softplus(output),
        "square": lambda output: jnp.square(output),
    }
    return heads[head]
