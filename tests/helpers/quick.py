"""Programs of tests: compiled fast, not to run fast."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import numpy as np

# Small kernels one by one compile in a quarter of the time that fused ones take.
OPTIONS: dict[str, Any] = {"xla_backend_optimization_level": 0}
if jax.__version_info__ < (0, 11):  # the option is gone since
    OPTIONS["xla_cpu_use_fusion_emitters"] = False


def quick(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit` of it."""
    return jax.jit(function, compiler_options=OPTIONS)


@cache
def mapped(function: Callable[..., Any], *axes: Any, **static: Any) -> Callable[..., Any]:
    """A program of the function with these keywords, mapped over these axes of its arguments, one map inside the
    other, the first outermost; the same program whenever it is asked for."""
    function = partial(function, **static)
    for over in reversed(axes):
        function = jax.vmap(function, over)
    return quick(function)


def double(program: Callable[..., Any], *arguments: Any) -> Any:
    """What it returns in float64, as numpy."""
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, program(*arguments))
