"""jax, flax and optax, imported at their first use.

Reading the registry (`ebm list`, completion, every refusal) must take milliseconds; importing jax takes
most of a second. Units are written as ordinary jax code over these names.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ebmcli.core.errors import MachineError

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
            return getattr(_imported(self._name), attribute)

    def _imported(name: str) -> Any:
        try:
            return import_module(name)
        except Exception as error:  # of a setting that is none, jax raises anything
            line = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            raise MachineError(f"{name} does not start{spoken_settings()}: {line}") from error

    jax = _Lazy("jax")
    jnp = _Lazy("jax.numpy")
    nn = _Lazy("flax.linen")
    optax = _Lazy("optax")
    Array = Key = Any


def spoken_settings() -> str:
    """The variables by which the user has configured jax, for a message."""
    named = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith(("JAX_", "XLA_"))]
    return f" with {', '.join(named)}" if named else ""


__all__ = ["Array", "Key", "jax", "jnp", "nn", "optax", "spoken_settings"]
