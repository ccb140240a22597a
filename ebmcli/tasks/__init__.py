"""Sources of examples, and what several of them share."""

from ebmcli.densities import ACROSS, ALONG, ARMS, SCALE, TWIST
from ebmcli.lazy import Array, jax, jnp


def pinwheel(key: Array, size: int) -> tuple[Array, Array]:
    """Points [size, 2] of the pinwheel and the arms [size] that they lie on (see densities.pinwheel)."""
    arm, noise = jax.random.split(key)
    y = jax.random.randint(arm, (size,), 0, ARMS)
    spread = jnp.array([ALONG, ACROSS])
    along, across = (spread * jax.random.normal(noise, (size, 2)) + jnp.array([1.0, 0.0])).T
    angle = -(2 * jnp.pi * y / ARMS + TWIST * jnp.exp(along))  # clockwise
    turned = [along * jnp.cos(angle) - across * jnp.sin(angle), along * jnp.sin(angle) + across * jnp.cos(angle)]
    return SCALE * jnp.stack(turned, axis=1), y
