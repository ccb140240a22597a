"""Markov chains in y, walking down the energy with noise: one kernel, one temperature."""

from typing import Any

from ebmcli.lazy import Array, jax, jnp
from ebmcli.registry import sampler
from ebmcli.types import Count, Energy, Negatives, Positive, Sampler, Setting, Share


def reflect(y: Array, low: float, high: float) -> Array:
    """Fold y back into [low, high] as a mirror at each wall does (clipping would pile mass on the walls)."""
    width = high - low
    turn = jnp.mod(y - low, 2 * width)
    return low + jnp.where(turn > width, 2 * width - turn, turn)


def walk(key: Array, model: Energy, y: Array, steps: int, step_size: Array | float, at: Setting) -> Array:
    """`steps` of unadjusted Langevin dynamics, y <- y - eta grad F + sqrt(2 eta / beta) xi, reflected at the walls.

    y: [K, 2]. Drift and noise share the one step size eta, so the chain's target is exp(-beta F).
    """
    slope = jax.grad(lambda points: jax.vmap(model.apply, (None, 0))(None, points).sum())
    low, high = at.box  # type: ignore[misc]

    def step(t, y):
        noise = jnp.sqrt(2 * step_size / at.beta) * jax.random.normal(jax.random.fold_in(key, t), y.shape)
        return reflect(y - step_size * slope(y) + noise, low, high)

    return jax.lax.fori_loop(0, steps, step, y)


def _uniform(key: Array, shape: tuple[int, ...], at: Setting) -> Array:
    low, high = at.box  # type: ignore[misc]
    return jax.random.uniform(key, shape, jnp.float32, low, high)


@sampler(continuous="negatives", reference="Welling & Teh 2011; short runs: Nijkamp et al. 2019")
def langevin(at: Setting, negatives: Count = 256, chain_steps: Count = 10, step_size: Positive = 0.1) -> Sampler:
    """K chains that start uniformly on the box at every training step: y <- y - eta grad F + sqrt(2 eta/beta) xi"""

    def draw(key: Array, state: Any, model: Energy, batch: Any) -> tuple[Negatives, Any]:
        start, noise = jax.random.split(key)
        y = walk(noise, model, _uniform(start, (negatives, 2), at), chain_steps, step_size, at)
        return Negatives(y), state

    walked = negatives * chain_steps
    return Sampler(lambda key: (), draw, evaluations=walked + negatives, gradients=walked)


@sampler(continuous="negatives", reference="Tieleman 2008")
def pcd(
    at: Setting, negatives: Count = 256, chain_steps: Count = 5, step_size: Positive = 0.1, restart: Share = 0.05
) -> Sampler:
    """K Langevin chains kept from step to step, a share of them restarted uniformly on the box"""

    def draw(key: Array, state: Array, model: Energy, batch: Any) -> tuple[Negatives, Array]:
        which, start, noise = jax.random.split(key, 3)
        fresh = jax.random.bernoulli(which, restart, (negatives, 1))
        y = jnp.where(fresh, _uniform(start, state.shape, at), state)
        y = walk(noise, model, y, chain_steps, step_size, at)
        return Negatives(y), y

    walked = negatives * chain_steps
    first = (negatives, 2)
    return Sampler(lambda key: _uniform(key, first, at), draw, evaluations=walked + negatives, gradients=walked)
