"""Negatives from a network that is trained against the energy."""

from typing import Any

from ebmcli.core.batching import scored
from ebmcli.core.lazy import Array, jax, jnp, nn, optax
from ebmcli.core.registry import sampler
from ebmcli.core.types import Batch, Count, Energy, Negatives, Positive, Sampler, Setting


@sampler(continuous="negatives adversarial", reference="Goodfellow et al. 2014; Zhao et al. 2017")
def generator(
    at: Setting,
    negatives: Count = 256,
    latent: Count = 8,
    generator_hidden: Count = 64,
    generator_lr: Positive = 1e-3,
) -> Sampler:
    """K outputs of a network g(z), z drawn from N(0, 1), which at every step is trained to lower F(g(z))"""
    box: Any = at.space
    units: Any = [nn.Dense(generator_hidden), nn.silu, nn.Dense(generator_hidden), nn.silu, nn.Dense(box.dims)]
    net: Any = nn.Sequential(units)
    optimiser = optax.adam(generator_lr)

    def generate(params: Any, z: Array, batch: Batch) -> Array:
        if at.conditional:
            x = batch.x.reshape(len(batch.x), 1, -1)
            z = jnp.concatenate([z, jnp.broadcast_to(x, (*z.shape[:2], x.shape[-1]))], axis=-1)
        middle, half = (box.high + box.low) / 2, (box.high - box.low) / 2
        return middle + half * jnp.tanh(net.apply(params, z))

    def init(key: Array, first: Batch) -> tuple[Any, Any]:
        size = latent + (first.x[0].size if at.conditional else 0)
        params = net.init(key, jnp.zeros(size))
        return params, optimiser.init(params)

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        params, moments = state
        z = jax.random.normal(key, (*at.shape(negatives), latent))

        def height(params: Any) -> tuple[Array, Array]:
            y = generate(params, z, batch)
            return scored(model, batch, y).mean(), y

        slope, y = jax.grad(height, has_aux=True)(params)
        updates, moments = optimiser.update(slope, moments)
        return Negatives(jax.lax.stop_gradient(y)), (optax.apply_updates(params, updates), moments)

    return Sampler(init, draw, evaluations=2 * at.total(negatives), gradients=at.total(negatives))
