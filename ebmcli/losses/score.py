"""Losses without negatives: they look at the energy round the right answer, at its slope or at perturbed points."""

from ebmcli.core.citations import LECTURE
from ebmcli.core.decorators import loss
from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.types import Positive, View

PERTURBED = 16  # points of the energy discrepancy


def _noise(v: View, *shape: int) -> Array:
    return jax.random.normal(v.key, (*shape, *v.y.shape))


@loss(
    "view smooth",
    promised="-",
    flat="0",
    evaluations=3,
    gradients=3,
    reference=f"{LECTURE}; Hyvärinen 2005",
    also="sm score hyvarinen",
)
def score_matching(v: View) -> Array:
    """1/2 |beta grad_y F|^2 - beta laplacian_y F"""
    slope, curved = jax.linearize(jax.grad(v.energy), v.y)
    # One direction after the other: jax.hessian, which takes all side by side, takes nearly four times as long.
    laplacian = sum(curved(axis)[i] for i, axis in enumerate(jnp.eye(v.y.size)))
    return jnp.sum(jnp.square(v.beta * slope)) / 2 - v.beta * laplacian


@loss("view smooth", promised="-", flat="0", evaluations=2, gradients=2, reference="Song et al. 2019", also="ssm score")
def sliced_score_matching(v: View) -> Array:
    """1/2 |beta grad_y F|^2 - beta u' (grad_y^2 F) u, u a random direction drawn from N(0, 1)"""
    direction = _noise(v)
    slope, curved = jax.jvp(jax.grad(v.energy), (v.y,), (direction,))
    return jnp.sum(jnp.square(v.beta * slope)) / 2 - v.beta * direction @ curved


@loss("view", promised="-", flat="D/2", gradients=1, reference="Vincent 2011", also="dsm score diffusion")
def denoising_score_matching(v: View, sigma: Positive = 0.2) -> Array:
    """1/2 |sigma beta grad F(y + sigma e) - e|^2, e drawn from N(0, 1)"""
    noise = _noise(v)
    slope = jax.grad(v.energy)(v.y + sigma * noise)
    return jnp.sum(jnp.square(sigma * v.beta * slope - noise)) / 2


@loss(
    "view reconstruct",
    promised="-",
    flat="|y|^2, where g = 0",
    reference=f"{LECTURE}; Vincent et al. 2010",
    also="dae reconstruction mse",
)
def denoising(v: View, corruption: Positive = 0.3) -> Array:
    """|y - g(y + corruption e)|^2, e drawn from N(0, 1), g the reconstruction of the energy |y - g(y)|^2"""
    return jnp.sum(jnp.square(v.y - v.reconstruct(v.y + corruption * _noise(v))))  # type: ignore[misc]


@loss(
    "view",
    promised="-",
    flat="ln(1 + w/M) (M = 16)",
    evaluations=1 + PERTURBED,
    reference="Schröder et al. 2023",
    also="ed",
)
def energy_discrepancy(v: View, t: Positive = 0.25, w: Positive = 1.0) -> Array:
    """log(w/M + 1/M sum over M of exp(beta (F+ - F(y + sqrt(t) e + sqrt(t) e_j)))), e and e_j drawn from N(0, 1)"""
    noise = _noise(v, 1 + PERTURBED)
    perturbed = v.y[None] + jnp.sqrt(t) * (noise[:1] + noise[1:])
    others = jax.lax.map(jax.checkpoint(v.energy), perturbed)  # a third faster than vmap: what it needs stays in caches
    return jax.nn.logsumexp(jnp.append(v.beta * (v.energy(v.y) - others), jnp.log(w))) - jnp.log(PERTURBED)
