"""Matrix products in bfloat16: which of a function's, how they are rounded, and those of chains."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.quick import quick
from jax.extend.core import jaxprs_in_params

from ebmcli.core import registry
from ebmcli.core.types import Batch, BatchShape, Box, SamplerContext, bind
from ebmcli.numerics.precision import LEAST, at_precision

RNG = np.random.default_rng(4)
X, W = RNG.normal(size=(2, 3 * LEAST, 3 * LEAST)).astype(np.float32)


def rounded(array):
    """The nearest numbers of 8 bits."""
    return np.asarray(array).astype(jnp.bfloat16).astype(np.float64)


def products(function, *arguments):
    """The types of the factors and the results of all matrix products that a function computes."""

    def of(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                yield equation.invars[0].aval.dtype.name, equation.outvars[0].aval.dtype.name
            for inner in jaxprs_in_params(equation.params):
                yield from of(inner)

    return [*of(jax.make_jaxpr(function)(*arguments).jaxpr)]


def test_float32_changes_nothing():
    def function(x):
        return x @ W

    assert at_precision("float32", function) is function


def test_factors_are_rounded_and_summed_in_float32():
    found = quick(at_precision("bfloat16", lambda x: x @ W + 1))(X)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, rounded(X) @ rounded(W) + 1, rtol=1e-5, atol=1e-5)
    assert np.abs(found - (X.astype(float) @ W + 1)).max() > 1e-3  # eight bits, not 24


def test_the_derivative_is_rounded_too():
    """d/dx sum of (x W)^2 / 2 = (x W) W', each product of rounded factors."""
    found = quick(at_precision("bfloat16", jax.grad(lambda x: jnp.square(x @ W).sum() / 2)))(X)
    forward = np.float32(rounded(X) @ rounded(W))
    np.testing.assert_allclose(found, rounded(forward) @ rounded(W).T, rtol=1e-2, atol=1e-2 * np.abs(found).max())
    kinds = products(at_precision("bfloat16", jax.grad(lambda x: jnp.square(x @ W).sum())), X)
    assert kinds == [("bfloat16", "float32")] * 2


@pytest.mark.parametrize("sizes", [(1, 99, 99), (99, 2, 99), (99, 99, 1), (LEAST - 1, 99, 99), (99, 99, LEAST - 1)])
def test_a_thin_product_stays(sizes):
    rows, depth, columns = sizes
    x, w = RNG.normal(size=(rows, depth)).astype(np.float32), RNG.normal(size=(depth, columns)).astype(np.float32)
    assert products(at_precision("bfloat16", lambda x: x @ w), x) == [("float32", "float32")]


def test_examples_side_by_side_make_a_product_thick():
    """[K, B, 1, D] @ [D, D] is a product of K B rows; a product of each example's own matrices is a thin one."""
    shared = at_precision("bfloat16", jax.vmap(jax.vmap(lambda x: x @ W)))
    assert products(shared, X.reshape(8, -1, len(W))) == [("bfloat16", "float32")]
    own = at_precision("bfloat16", jax.vmap(lambda x: x[:, None] @ x[None]))
    assert products(own, X) == [("float32", "float32")]


def test_products_in_called_functions_are_found_and_those_in_loops_stay():
    @jax.custom_jvp
    def called(x):
        return x @ W

    called.defjvp(lambda primals, tangents: (called(*primals), tangents[0] @ W))
    kinds = partial(products, at_precision("bfloat16", lambda x: called(jax.jit(lambda x: x @ W)(x))))
    assert kinds(X) == [("bfloat16", "float32")] * 2
    looped = at_precision("bfloat16", lambda x: jax.lax.fori_loop(0, 2, lambda _, x: x @ W, x))
    assert products(looped, X) == [("float32", "float32")]
    np.testing.assert_allclose(quick(looped)(X), X @ W @ W, rtol=1e-4, atol=1e-3)


def test_what_is_no_product_is_as_before():
    def function(x):
        order = jnp.argsort(x, axis=1)
        return jnp.where(x > 0, jnp.take_along_axis(jax.nn.softmax(x), order, axis=1), jnp.cumsum(x, axis=0)) * 2

    np.testing.assert_array_equal(quick(at_precision("bfloat16", function))(X), quick(function)(X))


NET = registry.find("energy", "mlp").build({"hidden": 32, "layers": 2}, Box(-5.0, 5.0))
CHAINS = {"langevin": {"negatives": 64, "chain_steps": 3}, "cd": {"chain_steps": 3}, "pcd": {"negatives": 64}}


@cache
def parameters():
    return quick(lambda: NET.init(jax.random.key(2), None, jnp.zeros(2)))()


@pytest.mark.parametrize("name", CHAINS)
def test_chains_take_the_precision_that_they_are_told(name):
    """All thick products of a chain in bfloat16, none of them by default; the ends differ a little."""
    context = SamplerContext(BatchShape(64, Box(-5.0, 5.0), False), jnp.float32(1.0), jnp.float32(0.0))
    batch = Batch(None, jnp.asarray(np.random.default_rng(1).normal(size=(64, 2)), jnp.float32))
    model = bind(NET, parameters())

    def draw(**precision):
        drawer = registry.find("sampler", name).build(CHAINS[name] | precision, context)
        return lambda key: drawer.draw(key, drawer.init(jax.random.key(3), batch), model, batch)[0].y

    key, default, coarse = jax.random.key(4), draw(), draw(chain_precision="bfloat16")
    usual, rounded_ones = products(default, key), products(coarse, key)
    assert {kind for kind, _ in usual} == {"float32"}
    assert rounded_ones.count(("bfloat16", "float32")) == 2  # of the hidden layer, there and back
    assert len(rounded_ones) == len(usual)
    by_default, explicit, rounded_ends = (
        np.asarray(quick(program)(key)) for program in (default, draw(chain_precision="float32"), coarse)
    )
    np.testing.assert_array_equal(by_default, explicit)
    assert 0 < np.abs(by_default - rounded_ends).max() < 0.02
