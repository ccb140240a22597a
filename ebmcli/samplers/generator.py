"""Negatives from a network that is trained against the energy."""

from typing import Any

from ebmcli.core.batching import negative_energies
from ebmcli.core.decorators import sampler
from ebmcli.core.lazy import Array, Key, jax, jnp, nn, optax
from ebmcli.core.types import Batch, BatchShape, Cost, Count, Model, Negatives, Positive, Sampler, SamplerContext
from ebmcli.samplers._box import box_of, negatives_as


def _trained_and_scored(shape: BatchShape, negatives: int) -> Cost:
    return Cost(2 * shape.total(negatives), shape.total(negatives))


@sampler(
    continuous="negatives adversarial",
    cost=_trained_and_scored,
    reference="Goodfellow et al. 2014; Zhao et al. 2017",
    also="gan adversarial",
)
def generator(
    context: SamplerContext,
    negatives: Count = 256,
    latent: Count = 8,
    generator_hidden: Count = 64,
    generator_lr: Positive = 1e-3,
) -> Sampler:
    """K outputs of a network g(z), z drawn from N(0, 1), which at every step is trained to lower F(g(z))"""
    box, conditional = box_of(context.space), context.shape.conditional
    units: Any = [nn.Dense(generator_hidden), nn.silu, nn.Dense(generator_hidden), nn.silu, nn.Dense(box.dims)]
    net: Any = nn.Sequential(units)
    optimiser = optax.adam(generator_lr)

    def generate(params: Any, z: Array, batch: Batch) -> Array:
        if conditional:
            x = batch.x.reshape(len(batch.x), 1, -1)
            z = jnp.concatenate([z, jnp.broadcast_to(x, (*z.shape[:2], x.shape[-1]))], axis=-1)
        middle, half = (box.high + box.low) / 2, (box.high - box.low) / 2
        return middle + half * jnp.tanh(net.apply(params, z))

    def init(key: Key, first: Batch) -> tuple[Any, Any]:
        size = latent + (first.x[0].size if conditional else 0)
        params = net.init(key, jnp.zeros(size))
        return params, optimiser.init(params)

    def draw(key: Key, state: tuple[Any, Any], model: Model, batch: Batch) -> tuple[Negatives, tuple[Any, Any]]:
        params, moments = state
        z = jax.random.normal(key, (*context.shape.negatives(negatives), latent))

        def height(params: Any) -> tuple[Array, Array]:
            y = generate(params, z, batch)
            return negative_energies(model, batch, y).mean(), y

        slope, y = jax.grad(height, has_aux=True)(params)
        updates, moments = optimiser.update(slope, moments)
        return negatives_as(y), (optax.apply_updates(params, updates), moments)

    return Sampler(init, draw)
