"""Markov chains in y, walking down the energy with noise. All target exp(-beta F) on the box of the task."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ebmcli.core.batching import scored
from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.registry import sampler
from ebmcli.core.types import Batch, Count, Energy, Negatives, Positive, Sampler, Setting, Share, Steps
from ebmcli.numerics.precision import Precision, at_precision
from ebmcli.samplers._box import reflect, uniformly

Score = Callable[[Array], Array]  # y [..., D] -> [...] energies


def _of(model: Energy, batch: Batch) -> Score:
    return lambda y: scored(model, batch, y)


AT_ONCE = 16  # steps whose noise is drawn together, which takes half the time


def walk(
    key: Array, energies: Score, y: Array, steps: int, step_size: Array | float, at: Setting,
    precision: Precision = "float32",
) -> Array:  # fmt: skip
    """`steps` of unadjusted Langevin dynamics, y <- y - eta grad F + sqrt(2 eta / beta) xi, reflected at the walls.

    y: [..., D]. Drift and noise share the one step size eta, so the chain's target is exp(-beta F).
    precision: of the matrix products in grad F.
    """
    box: Any = at.space
    slope = at_precision(precision, jax.grad(lambda y: energies(y).sum()))
    spread = jnp.sqrt(2 * step_size / at.beta)

    def some(first, number, y):
        noise = jax.vmap(lambda t: jax.random.normal(jax.random.fold_in(key, t), y.shape))(first + jnp.arange(number))
        return jax.lax.fori_loop(0, number, lambda t, y: reflect(y - step_size * slope(y) + spread * noise[t], box), y)

    whole, rest = divmod(steps, AT_ONCE)
    if whole:
        y = jax.lax.fori_loop(0, whole, lambda n, y: some(n * AT_ONCE, AT_ONCE, y), y)
    return some(whole * AT_ONCE, rest, y) if rest else y


@sampler(continuous="negatives model", reference="Welling & Teh 2011; short runs: Nijkamp et al. 2019")
def langevin(
    at: Setting,
    negatives: Count = 256,
    chain_steps: Count = 10,
    step_size: Positive = 0.1,
    chain_precision: Precision = "float32",
) -> Sampler:
    """K chains that start uniformly on the box at every training step: y <- y - eta grad F + sqrt(2 eta/beta) xi"""

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        start, noise = jax.random.split(key)
        y = uniformly(start, at.shape(negatives), at.space)
        return Negatives(walk(noise, _of(model, batch), y, chain_steps, step_size, at, chain_precision)), state

    walked = at.total(negatives) * chain_steps
    return Sampler(lambda key, first: (), draw, evaluations=walked + at.total(negatives), gradients=walked)


@sampler(continuous="negatives model", reference="Hinton 2002")
def cd(
    at: Setting, chain_steps: Steps = 10, step_size: Positive = 0.1, chain_precision: Precision = "float32"
) -> Sampler:
    """contrastive divergence: a chain of k Langevin steps from each right answer of the batch"""

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        start = batch.y[:, None] if at.conditional else batch.y
        end = walk(key, _of(model, batch), start, chain_steps, step_size, at, chain_precision)
        return Negatives(end), state

    walked = at.batch_size * chain_steps
    return Sampler(lambda key, first: (), draw, evaluations=walked + at.batch_size, gradients=walked)


# --- chains that are kept from step to step --------------------------------------------------------------------------


class Kept(NamedTuple):
    """The state of kept chains."""

    y: Array  # [..., D]
    acceptance: Array  # [] share of the proposals of the last draw that was accepted


def _kept(
    at: Setting, negatives: int, restart: Array | float, move: Callable[..., Kept], gradients: int, proposals: int
) -> Sampler:
    """K chains, a share of them restarted uniformly on the box. move: (key, energies, y) -> Kept.

    gradients: that one chain costs in a draw; proposals: 0, or how many are accepted or not.
    """

    def init(key: Array, first: Batch) -> Kept:
        return Kept(uniformly(key, at.shape(negatives), at.space), jnp.zeros(()))

    def draw(key: Array, state: Kept, model: Energy, batch: Batch) -> tuple[Negatives, Kept]:
        which, start, noise = jax.random.split(key, 3)
        fresh = jax.random.bernoulli(which, restart, (*at.shape(negatives), 1))
        y = jnp.where(fresh, uniformly(start, at.shape(negatives), at.space), state.y)
        after = move(noise, _of(model, batch), y)
        return Negatives(after.y), after

    cost = at.total(negatives) * gradients
    report = (lambda state: {"acceptance": state.acceptance}) if proposals else (lambda state: {})
    return Sampler(init, draw, evaluations=cost + at.total(negatives), gradients=cost, report=report)


@sampler(continuous="negatives model", reference="Tieleman 2008")
def pcd(
    at: Setting,
    negatives: Count = 256,
    chain_steps: Count = 5,
    step_size: Positive = 0.1,
    restart: Share = 0.05,
    chain_precision: Precision = "float32",
) -> Sampler:
    """K Langevin chains kept from step to step, a share of them restarted uniformly on the box"""

    def move(key: Array, energies: Score, y: Array) -> Kept:
        return Kept(walk(key, energies, y, chain_steps, step_size, at, chain_precision), jnp.zeros(()))

    return _kept(at, negatives, restart, move, gradients=chain_steps, proposals=0)


@sampler(continuous="negatives model", reference="Roberts & Tweedie 1996")
def mala(
    at: Setting, negatives: Count = 256, chain_steps: Count = 5, step_size: Positive = 0.1, restart: Share = 0.05
) -> Sampler:
    """kept chains of Langevin proposals accepted by the Metropolis rule; one outside the box is rejected"""

    def move(key: Array, energies: Score, y: Array) -> Kept:
        return metropolis_langevin(key, energies, y, chain_steps, step_size, at)

    return _kept(at, negatives, restart, move, gradients=chain_steps + 1, proposals=chain_steps)


@sampler(continuous="negatives model", reference="Neal 2011")
def hmc(
    at: Setting,
    negatives: Count = 256,
    chain_steps: Count = 1,
    leaps: Count = 5,
    step_size: Positive = 0.2,
    restart: Share = 0.05,
) -> Sampler:
    """kept chains of Hamiltonian proposals (`leaps` leapfrog steps of step_size) accepted by the Metropolis rule"""

    def move(key: Array, energies: Score, y: Array) -> Kept:
        return hamiltonian(key, energies, y, chain_steps, leaps, step_size, at)

    return _kept(at, negatives, restart, move, gradients=chain_steps * leaps + 1, proposals=chain_steps)


class Point(NamedTuple):
    """Where chains are, and what is known there."""

    y: Array  # [..., D]
    energy: Array  # [...]
    slope: Array  # [..., D]


def _at(energies: Score) -> Callable[[Array], Point]:
    """y -> Point, with one evaluation of the energy and its slope."""
    both = jax.value_and_grad(lambda y: (lambda f: (f.sum(), f))(energies(y)), has_aux=True)

    def point(y: Array) -> Point:
        (_, energy), slope = both(y)
        return Point(y, energy, slope)

    return point


def _metropolis(
    key: Array, at: Setting, start: Point, steps: int, propose: Callable[[Array, Point], tuple[Point, Array]]
) -> Kept:
    """`steps` of the Metropolis rule. propose: (key, here) -> (there, log of the ratio by which it is accepted)."""
    box: Any = at.space

    def step(t, carry):
        here, accepted = carry
        moving, deciding = jax.random.split(jax.random.fold_in(key, t))
        there, log_ratio = propose(moving, here)
        inside = ((there.y >= box.low) & (there.y <= box.high)).all(axis=-1)
        # A ratio that is not a number is rejected, as one outside the box is: there the density is 0.
        taken = inside & (jnp.log(jax.random.uniform(deciding, log_ratio.shape)) < log_ratio)

        def chosen(new: Array, old: Array) -> Array:
            return jnp.where(taken.reshape(taken.shape + (1,) * (new.ndim - taken.ndim)), new, old)

        return jax.tree.map(chosen, there, here), accepted + taken.mean() / steps

    end, accepted = jax.lax.fori_loop(0, steps, step, (start, jnp.zeros(())))
    return Kept(end.y, accepted)


def metropolis_langevin(
    key: Array, energies: Score, y: Array, steps: int, step_size: Array | float, at: Setting
) -> Kept:
    """Metropolis-adjusted Langevin: leaves exp(-beta F) on the box exactly as it is. y: [..., D]."""
    point = _at(energies)

    def log_proposal(to: Point, start: Point) -> Array:
        drifted = start.y - step_size * start.slope
        return -at.beta * jnp.sum(jnp.square(to.y - drifted), axis=-1) / (4 * step_size)

    def propose(key: Array, here: Point) -> tuple[Point, Array]:
        noise = jnp.sqrt(2 * step_size / at.beta) * jax.random.normal(key, here.y.shape)
        there = point(here.y - step_size * here.slope + noise)
        back, forth = log_proposal(here, there), log_proposal(there, here)
        return there, at.beta * (here.energy - there.energy) + back - forth

    return _metropolis(key, at, point(y), steps, propose)


def hamiltonian(
    key: Array, energies: Score, y: Array, steps: int, leaps: int, step_size: Array | float, at: Setting
) -> Kept:
    """Hamiltonian Monte Carlo with unit mass: leaves exp(-beta F) on the box exactly as it is. y: [..., D]."""
    point = _at(energies)

    def propose(key: Array, here: Point) -> tuple[Point, Array]:
        kick = step_size * at.beta

        def leap(_, carry):
            there, p = carry
            there = point(there.y + step_size * p)
            return there, p - kick * there.slope

        momentum = jax.random.normal(key, here.y.shape)
        there, p = jax.lax.fori_loop(0, leaps, leap, (here, momentum - kick / 2 * here.slope))
        p = p + kick / 2 * there.slope  # the last kick is half of one
        kinetic = (jnp.sum(jnp.square(momentum), axis=-1) - jnp.sum(jnp.square(p), axis=-1)) / 2
        return there, at.beta * (here.energy - there.energy) + kinetic

    return _metropolis(key, at, point(y), steps, propose)
