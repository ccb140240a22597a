"""The activation of the networks against x / (1 + exp(-x)) and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmcli.numerics.silu import silu


@pytest.mark.parametrize("order", [0, 1, 2])
def test_silu_and_its_derivatives(order: int) -> None:
    """Against x / (1 + exp(-x)) in float64, and central differences of it."""
    x = np.concatenate([np.linspace(-12, 12, 97), [-1e4, -90.0, 90.0, 1e4]])

    def plain(x: np.ndarray) -> np.ndarray:
        return x * np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-np.abs(x)))

    h = 1e-4
    wanted = {
        0: plain(x),
        1: (plain(x + h) - plain(x - h)) / (2 * h),
        2: (plain(x + h) - 2 * plain(x) + plain(x - h)) / h**2,
    }[order]
    found = silu
    for _ in range(order):
        found = jax.grad(found)
    near = np.abs(x) < 1e3  # a difference of numbers as large as 1e4 says nothing
    one = np.asarray(jax.jit(jax.vmap(found))(jnp.asarray(x, jnp.float32)))
    assert np.isfinite(one).all()
    np.testing.assert_allclose(one[near], wanted[near], atol=2e-6 if order < 2 else 3e-5, rtol=1e-5)


def test_silu_is_differentiated_forward_over_reverse_too() -> None:
    """As score matching does, with the same result as reverse over reverse."""
    x = jnp.linspace(-3.0, 3.0, 7)
    forward = jax.jit(lambda x: jax.jvp(jax.vmap(jax.grad(silu)), (x,), (jnp.ones_like(x),))[1])
    np.testing.assert_allclose(forward(x), jax.jit(jax.vmap(jax.grad(jax.grad(silu))))(x), atol=1e-6)


def test_silu_keeps_its_relative_precision() -> None:
    """Where it is all but 0, too: to 2.5e-6 of its value between -40 and 40, at 10,001 points."""
    x = np.linspace(-40, 40, 10_001).astype(np.float32)
    wanted = x / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(jax.jit(silu)(x), wanted, rtol=2.5e-6)
