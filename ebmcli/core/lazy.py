"""jax, flax and optax, imported at their first use.

Reading the registry (`ebm list`, completion, every refusal) must take milliseconds; importing jax takes
most of a second. Units are written as ordinary jax code over these names.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import optax
    from flax import linen as nn
    from jax import Array

    Key = Array
else:

    class _Lazy:
        def __init__(self, name: str):
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            if attribute.startswith("__"):  # a look at the proxy itself (doctest, inspect) must not import
                raise AttributeError(attribute)
            return getattr(import_module(self._name), attribute)

    jax = _Lazy("jax")
    jnp = _Lazy("jax.numpy")
    nn = _Lazy("flax.linen")
    optax = _Lazy("optax")
    Array = Key = Any

__all__ = ["Array", "Key", "jax", "jnp", "nn", "optax"]
