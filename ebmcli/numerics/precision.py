"""Matrix products in bfloat16, where that is enough: on processors that are made for it they take less time."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Literal

from ebmcli.core.lazy import Array, jax, jnp

Precision = Literal["float32", "bfloat16"]
LEAST = 16  # sizes: a thinner product gains no time, and one over the coordinates of a point would lose its place
CALLS = {  # the primitives that only call a function, and where they hold it
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


def at_precision(precision: Precision, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function as it is (float32), or with its matrix products in bfloat16.

    The factors are rounded to the 8 bits of a bfloat16, their products summed in float32; all else stays float32. What
    is changed is the function as jax traces it, so a derivative is taken first: at_precision(p, jax.grad(f)). Products
    inside a loop or a branch of the function stay as they are.
    """
    if precision == "float32":
        return function
    return lambda argument: _evaluated(jax.make_jaxpr(function)(argument), [argument])[0]


def _evaluated(traced: Any, arguments: Sequence[Array]) -> list[Array]:
    """Evaluate a closed jaxpr with its matrix products in bfloat16."""
    known = dict(zip(traced.jaxpr.constvars + traced.jaxpr.invars, [*traced.consts, *arguments], strict=True))

    def read(name: Any) -> Any:
        return name.val if hasattr(name, "val") else known[name]  # a literal, or a variable

    for equation in traced.jaxpr.eqns:
        known.update(zip(equation.outvars, _applied(equation, [*map(read, equation.invars)]), strict=True))
    return [*map(read, traced.jaxpr.outvars)]


def _applied(equation: Any, inputs: list[Array]) -> Sequence[Array]:
    """Evaluate one equation of a jaxpr."""
    primitive, params = equation.primitive, equation.params
    if primitive.name in CALLS:
        return _evaluated(params[CALLS[primitive.name]], inputs)
    if primitive.name == "dot_general" and _thick(params["dimension_numbers"], *(leaf.shape for leaf in inputs)):
        inputs = [leaf.astype(jnp.bfloat16) for leaf in inputs]
        params = params | {"preferred_element_type": jnp.dtype("float32")}
    outputs = primitive.bind(*inputs, **params)
    return outputs if primitive.multiple_results else [outputs]


def _thick(dimensions: Any, left: Sequence[int], right: Sequence[int]) -> bool:
    """True if a product is long, wide and deep enough."""
    (over_left, over_right), (batch_left, batch_right) = dimensions
    free = [
        prod(size for axis, size in enumerate(shape) if axis not in used)
        for shape, used in ((left, (*over_left, *batch_left)), (right, (*over_right, *batch_right)))
    ]
    return min(*free, prod(left[axis] for axis in over_left)) >= LEAST
