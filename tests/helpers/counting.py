"""How often a program evaluates an energy: the model leaves a mark at every use, and the marks of a traced program are
counted. Nothing is run, and nothing of what the program says of itself is believed."""

from math import prod

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive, jaxprs_in_params
from jax.interpreters import ad, batching

# Of one energy [], or of as many as vmap makes of it; the second where the energy is differentiated.
EVALUATION, SLOPE = Primitive("evaluation"), Primitive("slope")
for _one in (EVALUATION, SLOPE):
    _one.def_abstract_eval(lambda energy: energy)
    batching.primitive_batchers[_one] = lambda given, axes, one=_one: (one.bind(*given), axes[0])
ad.primitive_jvps[EVALUATION] = lambda given, tangents: (EVALUATION.bind(*given), SLOPE.bind(*given) * tangents[0])

EVALUATE = ("apply", "free", "argmin", "best_different", "sample", "n_best")  # of the functions of a model


def spied(model):
    """The model with a mark at every use of it: one for each answer, or for each x whose answers it goes through."""

    def marked(function):
        def spy(*given):
            found = function(*given)
            mark = EVALUATION.bind(jnp.sum(found, dtype=jnp.float32))
            return found + (0 * mark).astype(found.dtype)

        return function and spy

    return model._replace(**{name: marked(getattr(model, name)) for name in EVALUATE})


def count(function, *given):
    """The evaluations, and the slopes, of a call of the function."""
    program = jax.make_jaxpr(function)(*given).jaxpr
    return _marks(program, EVALUATION), _marks(program, SLOPE)


def _marks(jaxpr, mark):
    total = 0
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        inner = sum(_marks(one, mark) for one in jaxprs_in_params(params))
        assert not inner or name not in ("while", "cond"), f"nobody knows how often a {name} evaluates"
        total += params["length"] * inner if name == "scan" else inner
        total += prod(equation.outvars[0].aval.shape) if equation.primitive is mark else 0
    return total
