"""Markov chains that walk down the energy with noise. All target exp(-beta F): in y on the box of the task, or over
letters by Gibbs sampling."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from ebmcli.core.batching import negative_energies
from ebmcli.core.decorators import sampler
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.parameters import Also
from ebmcli.core.types import (
    Batch,
    Cost,
    Count,
    Model,
    Negatives,
    Positive,
    Sampler,
    SamplerContext,
    Share,
    TimesBeta,
)
from ebmcli.numerics.precision import Precision, at_precision
from ebmcli.samplers._box import box_of, inside, reflect, stateless, uniformly

Score = Callable[[Array], Array]  # y [..., D] -> [...] energies
Move = Callable[[Key, Score, Array], "Kept"]  # (key, energies, y) -> the chains after one draw

# Of a step of Langevin dynamics. With G = beta F, y <- y - eta grad F + sqrt(2 eta/beta) xi has steps of eta/beta on G,
# which fits the data alike at every beta. (Leapfrog steps are on G as they stand.)
Length = Annotated[Positive, TimesBeta]
AT_ONCE = 16  # steps whose noise is drawn together, which takes half the time


def _energies_of(model: Model, batch: Batch) -> Score:
    return lambda y: negative_energies(model, batch, y)


def walk(
    key: Key,
    energies: Score,
    y: Array,
    steps: int,
    step_size: Array | float,
    context: SamplerContext,
    precision: Precision = "float32",
) -> Array:
    """`steps` of unadjusted Langevin dynamics, y <- y - eta grad F + sqrt(2 eta / beta) xi, reflected at the walls.

    y: [..., D]. Drift and noise share the one step size eta, so the chain's target is exp(-beta F).
    precision: of the matrix products in grad F.
    """
    box = box_of(context.space)
    slope = at_precision(precision, jax.grad(lambda y: energies(y).sum()))
    spread = jnp.sqrt(2 * step_size / context.beta)

    def some(first: Array | int, number: int, y: Array) -> Array:
        noise = jax.vmap(lambda t: jax.random.normal(jax.random.fold_in(key, t), y.shape))(first + jnp.arange(number))
        return jax.lax.fori_loop(0, number, lambda t, y: reflect(y - step_size * slope(y) + spread * noise[t], box), y)

    whole, rest = divmod(steps, AT_ONCE)
    if whole:
        y = jax.lax.fori_loop(0, whole, lambda n, y: some(n * AT_ONCE, AT_ONCE, y), y)
    return some(whole * AT_ONCE, rest, y) if rest else y


def moved(start: Array, end: Array, context: SamplerContext) -> Array:
    """[]: how far chains went in a draw, the mean over them, in widths of the box."""
    box = box_of(context.space)
    return jnp.sqrt(jnp.sum(jnp.square(end - start), axis=-1)).mean() / (box.high - box.low)


def reflected(key: Key, energies: Score, y: Array, step_size: Array | float, context: SamplerContext) -> Array:
    """[]: the share of chains at y that a step of Langevin dynamics takes out of the box, before it is reflected."""
    noise = jnp.sqrt(2 * step_size / context.beta) * jax.random.normal(key, y.shape)
    there = y - step_size * jax.grad(lambda y: energies(y).sum())(y) + noise
    return 1 - inside(there, box_of(context.space)).mean()


def _walked(chains: int, gradients: int) -> Cost:
    """The cost of that many chains, each with that many slopes, and of scoring their ends."""
    return Cost(chains * gradients + chains, chains * gradients)


# --- chains that start anew at every step ----------------------------------------------------------------------------


def _afresh(
    context: SamplerContext,
    start: Callable[[Key, Batch], tuple[Array, Key]],
    steps: int,
    step_size: Array | float,
    precision: Precision,
) -> Sampler:
    """Chains of Langevin steps. start: (key, batch) -> where they begin, and the key of their noise."""

    def ends(key: Key, model: Model, batch: Batch) -> tuple[Array, Array]:
        y, noise = start(key, batch)
        return y, walk(noise, _energies_of(model, batch), y, steps, step_size, context, precision)

    def watch(key: Key, state: Any, model: Model, batch: Batch) -> dict[str, Array]:
        first, last = ends(key, model, batch)
        left = reflected(key, _energies_of(model, batch), last, step_size, context)
        return {"moved": moved(first, last, context), "reflected": left}

    return stateless(lambda key, model, batch: Negatives(ends(key, model, batch)[1]))._replace(watch=watch)


@sampler(
    continuous="negatives model",
    cost=lambda shape, negatives, chain_steps: _walked(shape.total(negatives), chain_steps),
    reference="Welling & Teh 2011; short runs: Nijkamp et al. 2019",
    also="sgld ula mcmc short-run",
)
def langevin(
    context: SamplerContext,
    negatives: Count = 256,
    chain_steps: Annotated[Count, Also("mcmc-steps langevin-steps chain-length")] = 10,
    step_size: Length = 0.1,
    chain_precision: Precision = "float32",
) -> Sampler:
    """K chains that start uniformly on the box at every training step: y <- y - eta grad F + sqrt(2 eta/beta) xi"""
    shape = context.shape.negatives(negatives)

    def start(key: Key, batch: Batch) -> tuple[Array, Key]:
        place, noise = jax.random.split(key)
        return uniformly(place, shape, context.space), noise

    return _afresh(context, start, chain_steps, step_size, chain_precision)


@sampler(
    continuous="negatives model",
    cost=lambda shape, chain_steps: _walked(shape.batch_size, chain_steps),
    reference="Hinton 2002",
    also="contrastive-divergence cd-k cd-1 cd1",
)
def cd(
    context: SamplerContext, chain_steps: Count = 10, step_size: Length = 0.1, chain_precision: Precision = "float32"
) -> Sampler:
    """contrastive divergence: a chain of k Langevin steps from each right answer of the batch"""

    def start(key: Key, batch: Batch) -> tuple[Array, Key]:
        return batch.y[:, None] if context.shape.conditional else batch.y, key

    return _afresh(context, start, chain_steps, step_size, chain_precision)


# --- chains that are kept from step to step --------------------------------------------------------------------------


class Kept(NamedTuple):
    """The state of kept chains."""

    y: Array  # [..., D]
    acceptance: Array  # [] share of the proposals of the last draw that was accepted


def _kept(
    context: SamplerContext,
    negatives: int,
    restart: Array | float,
    move: Move,
    acceptance: bool = False,
    unadjusted: Array | float | None = None,
) -> Sampler:
    """K chains, a share of them restarted uniformly on the box.

    acceptance: whether the share accepted is reported. unadjusted: the step size of chains that accept every move.
    """
    shape, space = context.shape.negatives(negatives), context.space

    def init(key: Key, first: Batch) -> Kept:
        return Kept(uniformly(key, shape, space), jnp.zeros(()))

    def ends(key: Key, state: Kept, model: Model, batch: Batch) -> tuple[Array, Kept]:
        which, start, noise = jax.random.split(key, 3)
        fresh = jax.random.bernoulli(which, restart, (*shape, 1))
        y = jnp.where(fresh, uniformly(start, shape, space), state.y)
        return y, move(noise, _energies_of(model, batch), y)

    def draw(key: Key, state: Kept, model: Model, batch: Batch) -> tuple[Negatives, Kept]:
        _, after = ends(key, state, model, batch)
        return Negatives(after.y), after

    def report(state: Kept) -> dict[str, Array]:
        return {"acceptance": state.acceptance} if acceptance else {}

    def watch(key: Key, state: Kept, model: Model, batch: Batch) -> dict[str, Array]:
        first, last = ends(key, state, model, batch)
        measures = {"moved": moved(first, last.y, context)}
        if unadjusted is not None:
            measures["reflected"] = reflected(key, _energies_of(model, batch), last.y, unadjusted, context)
        return measures

    return Sampler(init, draw, report, watch)


@sampler(
    continuous="negatives model",
    cost=lambda shape, negatives, chain_steps: _walked(shape.total(negatives), chain_steps),
    reference="Tieleman 2008",
    also="persistent persistent-contrastive-divergence replay replay-buffer buffer sml",
)
def pcd(
    context: SamplerContext,
    negatives: Count = 256,
    chain_steps: Count = 5,
    step_size: Length = 0.1,
    restart: Share = 0.05,
    chain_precision: Precision = "float32",
) -> Sampler:
    """K Langevin chains kept from step to step, a share of them restarted uniformly on the box"""

    def move(key: Key, energies: Score, y: Array) -> Kept:
        return Kept(walk(key, energies, y, chain_steps, step_size, context, chain_precision), jnp.zeros(()))

    return _kept(context, negatives, restart, move, unadjusted=step_size)


@sampler(
    continuous="negatives model",
    cost=lambda shape, negatives, chain_steps: _walked(shape.total(negatives), chain_steps + 1),
    reference="Roberts & Tweedie 1996",
    also="mcmc metropolis metropolis-hastings",
)
def mala(
    context: SamplerContext,
    negatives: Count = 256,
    chain_steps: Count = 5,
    step_size: Length = 0.1,
    restart: Share = 0.05,
) -> Sampler:
    """kept chains of Langevin proposals accepted by the Metropolis rule; one outside the box is rejected"""

    def move(key: Key, energies: Score, y: Array) -> Kept:
        return metropolis_langevin(key, energies, y, chain_steps, step_size, context)

    return _kept(context, negatives, restart, move, acceptance=True)


@sampler(
    continuous="negatives model",
    cost=lambda shape, negatives, chain_steps, leaps: _walked(shape.total(negatives), chain_steps * leaps + 1),
    reference="Neal 2011",
    also="mcmc hamiltonian hybrid-monte-carlo nuts",
)
def hmc(
    context: SamplerContext,
    negatives: Count = 256,
    chain_steps: Count = 1,
    leaps: Count = 5,
    step_size: Positive = 0.2,
    restart: Share = 0.05,
) -> Sampler:
    """kept chains of Hamiltonian proposals (`leaps` leapfrog steps of step_size) accepted by the Metropolis rule"""

    def move(key: Key, energies: Score, y: Array) -> Kept:
        return hamiltonian(key, energies, y, chain_steps, leaps, step_size, context)

    return _kept(context, negatives, restart, move, acceptance=True)


class Point(NamedTuple):
    """A place of chains, with the energy and its slope there."""

    y: Array  # [..., D]
    energy: Array  # [...]
    slope: Array  # [..., D]


Proposal = Callable[[Key, Point], tuple[Point, Array]]  # (key, here) -> (there, log of the ratio of its acceptance)


def _point_of(energies: Score) -> Callable[[Array], Point]:
    """y -> Point, with one evaluation of the energy and its slope."""
    both = jax.value_and_grad(lambda y: (lambda f: (f.sum(), f))(energies(y)), has_aux=True)

    def point(y: Array) -> Point:
        (_, energy), slope = both(y)
        return Point(y, energy, slope)

    return point


def _metropolis(key: Key, context: SamplerContext, start: Point, steps: int, propose: Proposal) -> Kept:
    """`steps` of the Metropolis rule, from `start` on."""
    box = box_of(context.space)

    def step(t: Array, carry: tuple[Point, Array]) -> tuple[Point, Array]:
        here, accepted = carry
        moving, deciding = jax.random.split(jax.random.fold_in(key, t))
        proposed, log_ratio = propose(moving, here)
        # A ratio that is not a number is rejected, as one outside the box is: there the density is 0.
        taken = inside(proposed.y, box) & (jnp.log(jax.random.uniform(deciding, log_ratio.shape)) < log_ratio)

        def chosen(new: Array, old: Array) -> Array:
            return jnp.where(taken.reshape(taken.shape + (1,) * (new.ndim - taken.ndim)), new, old)

        return jax.tree.map(chosen, proposed, here), accepted + taken.mean() / steps

    end, accepted = jax.lax.fori_loop(0, steps, step, (start, jnp.zeros(())))
    return Kept(end.y, accepted)


def metropolis_langevin(
    key: Key, energies: Score, y: Array, steps: int, step_size: Array | float, context: SamplerContext
) -> Kept:
    """Metropolis-adjusted Langevin: leaves exp(-beta F) on the box exactly as it is. y: [..., D]."""
    point = _point_of(energies)

    def log_proposal(to: Point, start: Point) -> Array:
        drifted = start.y - step_size * start.slope
        return -context.beta * jnp.sum(jnp.square(to.y - drifted), axis=-1) / (4 * step_size)

    def propose(key: Key, here: Point) -> tuple[Point, Array]:
        noise = jnp.sqrt(2 * step_size / context.beta) * jax.random.normal(key, here.y.shape)
        proposed = point(here.y - step_size * here.slope + noise)
        back, forth = log_proposal(here, proposed), log_proposal(proposed, here)
        return proposed, context.beta * (here.energy - proposed.energy) + back - forth

    return _metropolis(key, context, point(y), steps, propose)


def hamiltonian(
    key: Key, energies: Score, y: Array, steps: int, leaps: int, step_size: Array | float, context: SamplerContext
) -> Kept:
    """Hamiltonian Monte Carlo with unit mass: leaves exp(-beta F) on the box exactly as it is. y: [..., D]."""
    point = _point_of(energies)

    def propose(key: Key, here: Point) -> tuple[Point, Array]:
        kick = step_size * context.beta

        def leap(_: Any, carry: tuple[Point, Array]) -> tuple[Point, Array]:
            proposed, p = carry
            proposed = point(proposed.y + step_size * p)
            return proposed, p - kick * proposed.slope

        momentum = jax.random.normal(key, here.y.shape)
        proposed, p = jax.lax.fori_loop(0, leaps, leap, (here, momentum - kick / 2 * here.slope))
        p = p + kick / 2 * proposed.slope  # the last kick is half of one
        kinetic = (jnp.sum(jnp.square(momentum), axis=-1) - jnp.sum(jnp.square(p), axis=-1)) / 2
        return proposed, context.beta * (here.energy - proposed.energy) + kinetic

    return _metropolis(key, context, point(y), steps, propose)
