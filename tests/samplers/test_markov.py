"""Samples of the model: Markov chains and exact draws have the distribution exp(-beta F), within Monte-Carlo error, and
planted faults have not; kernels agree with blackjax; chains live on, or start where they say."""

import inspect
from functools import cache, partial

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from blackjax.mcmc.diffusions import overdamped_langevin
from jax.flatten_util import ravel_pytree
from helpers.negatives import BOWL, BOX, KEY, PLANE, at, energy_of, sampler
from scipy import stats

from ebmcli.core import registry
from ebmcli.core.batching import negative_energies
from ebmcli.core.types import Batch, Box, Energy, Labels, bind
from ebmcli.samplers import exact, markov
from ebmcli.samplers._box import reflect
from ebmcli.training.objective import Choice, Weights, contrasted

COUNT = 8_000  # samples of a check, independent or nearly so: all start apart
ERRORS = 4  # standard errors that are allowed

# --- distributions ---------------------------------------------------------------------------------------------------

MEAN, COVARIANCE = np.array([0.7, -0.4], np.float32), np.array([[0.5, 0.2], [0.2, 0.3]])
PRECISION = np.linalg.inv(COVARIANCE)
CENTRES, SPREAD, SHARES = np.array([-1.0, 1.0]), 0.6, np.array([0.3, 0.7])  # of two round Gaussians, y_1 = 0


# Targets: a Gaussian, a mixture of two, and a ramp whose density piles up at a wall.
def gaussian(y):
    return 0.5 * (y - MEAN) @ jnp.asarray(PRECISION, jnp.float32) @ (y - MEAN)


def mixture(y):
    terms = np.log(SHARES) + CENTRES / SPREAD**2 * y[0]
    return (jnp.sum(jnp.square(y)) + 1) / (2 * SPREAD**2) - jnp.logaddexp(*terms)


def ramp(y):
    return 0.8 * (y[0] - BOX.low)


# Long enough to forget a start anywhere on the box. The steps of MALA and HMC are so large that a wrong rule of
# acceptance shows; those of Hamiltonian dynamics are in units of 1/sqrt(beta).
RUNS = {
    "langevin": {
        gaussian: {"chain_steps": 250, "step_size": 0.05},
        mixture: {"chain_steps": 800, "step_size": 0.04},
        ramp: {"chain_steps": 1_000, "step_size": 0.05},
    },
    "mala": {
        gaussian: {"chain_steps": 120, "step_size": 0.12},
        mixture: {"chain_steps": 500, "step_size": 0.12},
        ramp: {"chain_steps": 250, "step_size": 1.0},
    },
    "hmc": {
        gaussian: {"chain_steps": 50, "leaps": 5, "step_size": 0.35},
        mixture: {"chain_steps": 80, "leaps": 5, "step_size": 0.3},
        ramp: {"chain_steps": 100, "leaps": 5, "step_size": 0.5},
    },
    "exact": {target: {"table": 48} for target in (gaussian, mixture, ramp)},
}


def runner(name, target):
    """A program: beta -> [COUNT, 2], the ends of chains from all over the box, or exact draws from 50 tables."""
    values, energies = RUNS[name][target], jax.vmap(target)
    starts = np.random.default_rng(0).uniform(-5, 5, (COUNT, 2)).astype(np.float32)

    def draw(key, beta):
        if name == "mala":
            return markov.metropolis_langevin(key, energies, starts, *values.values(), at(beta=beta)).y
        if name == "hmc":
            steps, leaps, step_size = values.values()
            return markov.hamiltonian(key, energies, starts, steps, leaps, step_size / jnp.sqrt(beta), at(beta=beta)).y
        drawer = sampler(name, at(beta=beta), **values, negatives=COUNT // (50 if name == "exact" else 1))
        return drawer.draw(key, (), energy_of(target), PLANE)[0].y

    program, key = jax.jit(jax.vmap(draw, (0, None)) if name == "exact" else draw), jax.random.key(2)
    key = jax.random.split(key, 50) if name == "exact" else key
    return lambda beta: np.asarray(program(key, jnp.float32(beta)), np.float64).reshape(COUNT, 2)


sound = cache(runner)  # the programs of the functions as they are


def check_gaussian(name, beta, run=sound):
    """Mean, covariance and a quantile. Of unadjusted chains, those at this step size, which are known."""
    y = run(name, gaussian)(beta)
    true = COVARIANCE / beta
    if name == "langevin":  # y <- (1 - eta P) y + noise is stationary at C (1 - eta P / 2)^-1
        true = np.linalg.inv(PRECISION @ (np.eye(2) - RUNS[name][gaussian]["step_size"] * PRECISION / 2)) / beta
    variance, error = np.diag(true), ERRORS / np.sqrt(COUNT)
    assert (np.abs(y.mean(axis=0) - MEAN) < error * np.sqrt(variance)).all()
    assert (np.abs(np.cov(y.T) - true) < error * np.sqrt(np.outer(variance, variance) + true**2)).all()
    below = (y < MEAN + np.sqrt(variance) * stats.norm.ppf(0.9)).mean(axis=0)
    assert (np.abs(below - 0.9) < error * np.sqrt(0.09)).all()


@cache
def mixture_truth(beta):
    """The share of the left half, and the mean and sd of y_0: by quadrature."""
    y = np.linspace(-5, 5, 4_001)
    modes = np.exp(-np.square(y[:, None] - CENTRES) / (2 * SPREAD**2)) @ SHARES
    density = modes**beta / (modes**beta).sum()  # y_1 is independent of y_0
    mean = density @ y
    return density[y < 0].sum(), mean, np.sqrt(density @ np.square(y - mean))


def check_mixture(name, beta, run=sound):
    """The weights of the modes, and the mean."""
    y = run(name, mixture)(beta)[:, 0]
    left, mean, sd = mixture_truth(beta)
    assert abs((y < 0).mean() - left) < ERRORS * np.sqrt(left * (1 - left) / COUNT)
    assert abs(y.mean() - mean) < ERRORS * sd / np.sqrt(COUNT)


def check_ramp(name, beta, run=sound):
    """In tenths of the box u, exp(-8 beta u_0): mean 1/(8 beta) - 1/(e^(8 beta) - 1), and uniform in u_1."""
    u, steep = run(name, ramp)(beta) / 10 + 0.5, 8 * beta
    assert ((u >= 0) & (u <= 1)).all()
    assert abs(u[:, 0].mean() - 1 / steep + 1 / np.expm1(steep)) < ERRORS / steep / np.sqrt(COUNT)
    assert stats.kstest(u[:, 1], "uniform").pvalue > 1e-3


@pytest.mark.parametrize("beta", [1.0, 4.0])
@pytest.mark.parametrize("check", [check_gaussian, check_mixture])
@pytest.mark.parametrize("name", RUNS)
def test_distribution(name, check, beta):
    check(name, beta)


@pytest.mark.parametrize("name", RUNS)
def test_distribution_at_walls(name):
    check_ramp(name, 1.0)


LANGEVIN, MALA, HMC = ("langevin", "walk"), ("mala", "metropolis_langevin"), ("hmc", "hamiltonian")
MOVED = "here.y - step_size * here.slope + noise"
FAULTS = {  # sampler and function of `chains`, what is put wrong in its source, and the check that is to see it
    "noise that does not know beta": (*LANGEVIN, "size / at.beta", "size", check_gaussian, 4.0),
    "beta in the drift too": (*LANGEVIN, "- step_size * slope", "- at.beta * step_size * slope", check_gaussian, 4.0),
    "clipping for reflecting": (*LANGEVIN, "reflect(y - ", "(lambda y, box: jnp.clip(y, -5, 5))(y - ", check_ramp, 1.0),
    "no proposal densities": (*MALA, " + back - forth", "", check_gaussian, 1.0),
    "energies that do not know beta": (*MALA, "at.beta * (here", "(here", check_gaussian, 4.0),
    "a plain reflected proposal": (*MALA, MOVED, f"reflect({MOVED}, at.space)", check_ramp, 1.0),
    "walls that let through": ("hmc", "_metropolis", "inside & ", "", check_ramp, 1.0),
    "no last half step": (*HMC, "p + kick / 2 * there.slope", "p", check_gaussian, 1.0),
    "kinetic energy upside down": (*HMC, ") + kinetic", ") - kinetic", check_gaussian, 1.0),
    "potential energy without beta": (*HMC, "at.beta * (here.energy", "(here.energy", check_gaussian, 4.0),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault, monkeypatch):
    """A piece of one function's source is put wrong."""
    name, function, right, wrong, check, beta = FAULTS[fault]
    source, scope = inspect.getsource(getattr(markov, function)), dict(vars(markov))
    assert source.count(right) == 1, f"{function} has changed: plant this fault anew"
    exec(source.replace(right, wrong), scope)
    monkeypatch.setattr(markov, function, scope[function])
    with pytest.raises(AssertionError):
        check(name, beta, runner)


def test_exact_draws_without_weights_are_caught(monkeypatch):
    monkeypatch.setattr(exact, "scored", lambda *given: 0 * negative_energies(*given))
    with pytest.raises(AssertionError):
        check_gaussian("exact", 1.0, runner)


@pytest.mark.parametrize(("name", "conditional"), [("exact", False), ("exact", True), ("gibbs", True)])
def test_exact_labels(name, conditional):
    """Frequencies against the softmax, for every question."""
    table = jnp.asarray(np.random.default_rng(4).normal(size=(6, 7)), jnp.float32)
    lookup = Energy(lambda *_: None, lambda x, y: table[0 if x is None else x, y])
    batch = Batch(jnp.arange(6) if conditional else None, jnp.zeros(6, jnp.int32))

    @jax.jit
    def draw(beta):
        drawer = sampler(name, at(Labels(7), beta, conditional=conditional), negatives=10_000)
        return drawer.draw(KEY, (), lookup, batch)[0].y

    for beta in (1.0, 3.0):
        for i, y in enumerate(np.atleast_2d(draw(beta))):
            weight = np.exp(-beta * np.asarray(table[i], np.float64))
            assert stats.chisquare(np.bincount(y, minlength=7), 10_000 * weight / weight.sum()).pvalue > 1e-3


# --- the gradient of the likelihood ----------------------------------------------------------------------------------


def slopes_of(space, batch, draws=400):
    """A program: beta -> a random small network's gradients: of nll [P], of ml with exact negatives [draws, P]."""
    energy = registry.find("energy", "mlp").build({"hidden": 6, "layers": 2}, space)
    on_box, keys, rng = isinstance(space, Box), jax.random.split(KEY, draws), np.random.default_rng(6)
    shapes = jax.eval_shape(energy.init, KEY, *jax.tree.map(lambda leaf: leaf[0], batch))
    weights = Weights(jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.7, leaf.shape), leaf.dtype), shapes), None)

    def slope(loss, name, values, beta, key, *of_loss):
        drawer = sampler(name, at(space, beta, size=len(batch.y), conditional=batch.x is not None), **values)
        found, _ = drawer.draw(key, (), bind(energy, weights.energy), batch)
        unit = registry.find("loss", loss)
        choice = Choice([unit], jnp.int32(0), jnp.array(of_loss))
        gradient = contrasted(choice, unit.needs, energy, MOONS, weights, beta, batch, found)[1]
        return ravel_pytree(gradient)[0]

    @jax.jit
    def both(beta):
        side = round(16_384 ** (1 / space.dims)) if on_box else 0
        complete = ("quadrature", {"nodes": side}) if on_box else ("exhaustive", {})
        some = {"negatives": 64} | ({"table": 24} if on_box else {})
        drawn = jax.vmap(lambda key: slope("ml", "exact", some, beta, key, 0.0))(keys)
        return slope("nll", *complete, beta, KEY), drawn

    return lambda beta: [np.asarray(found, np.float64) for found in both(jnp.float32(beta))]


MOONS = registry.find("task", "moons").build({})
POINTS = jnp.asarray(np.random.default_rng(5).normal(0, 2, (32, 2)), jnp.float32)
LIKELIHOODS = {
    "box": (BOX, Batch(None, POINTS)),
    "box-x": (Box(-1.0, 2.0, 1), Batch(POINTS, jnp.square(POINTS[:, :1] / 8))),
    "labels-x": (Labels(5), Batch(POINTS, jnp.arange(32) % 5)),
}


@pytest.mark.parametrize("where", LIKELIHOODS)
def test_exact_negatives_give_ml_the_gradient_of_nll(where):
    """Parameter by parameter; on a box against quadrature, on labels against the sum over all."""
    slopes = slopes_of(*LIKELIHOODS[where])
    gradients = {beta: slopes(beta) for beta in (1.0, 2.0)}
    for complete, drawn in gradients.values():
        error = drawn.std(axis=0) / np.sqrt(len(drawn))
        assert (np.abs(drawn.mean(axis=0) - complete) < ERRORS * error + 1e-5).all()  # the rest is float32
        assert np.linalg.norm(error) < 0.05 * np.linalg.norm(complete), "too few draws to tell"
    at_another = gradients[1.0][0]
    assert (np.abs(drawn.mean(axis=0) - at_another) > ERRORS * error + 1e-5).any(), "the test cannot tell beta"


# --- kernels against blackjax ----------------------------------------------------------------------------------------


@pytest.fixture
def compare(monkeypatch):
    """(ours, theirs), functions of (key, y, beta): a proposal and how it is accepted, from the same noise."""
    # Our kernels without their last step: they return what they would decide about.
    monkeypatch.setattr(markov, "_metropolis", lambda key, at, start, steps, propose: propose(key, start))
    starts = jax.random.uniform(KEY, (300, 2), minval=-2.5, maxval=2.5)
    keys = jax.random.split(KEY, 300)

    def check(ours, theirs):
        both = jax.jit(jax.vmap(lambda *given: (ours(*given), theirs(*given)), (0, 0, None)))
        for beta in (1.0, 4.0):
            (proposed, log_ratio), (expected, accepted) = both(keys, starts, beta)
            np.testing.assert_allclose(proposed.y, expected, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(np.minimum(1, np.exp(log_ratio)), accepted, atol=2e-4)
            assert np.histogram(accepted, [0, 0.2, 0.8, 1])[0].min() > 5, "all are alike: the test shows nothing"

    return check


def test_mala_proposes_and_accepts_as_blackjax(compare):
    """Its step is eta grad log p and sqrt(2 eta) noise; with beta, ours is eta / beta there."""

    def theirs(key, y, beta):
        value, step = (lambda y: -beta * mixture(y)), 0.4 / beta
        state = blackjax.mala.init(y, value)
        _, info = blackjax.mala.build_kernel()(key, state, value, step)
        moved = overdamped_langevin(jax.value_and_grad(value))(jax.random.split(key)[0], state, step)
        return moved.position, info.acceptance_rate

    def ours(key, y, beta):
        return markov.metropolis_langevin(jax.random.split(key)[0], mixture, y, 1, 0.4, at(beta=beta))

    compare(ours, theirs)


def test_hmc_proposes_and_accepts_as_blackjax(compare):
    """With unit mass."""

    def theirs(key, y, beta):
        def value(y):
            return -beta * mixture(y)

        state = blackjax.hmc.init(y, value)
        _, info = blackjax.hmc.build_kernel()(key, state, value, 0.9 / jnp.sqrt(beta), jnp.ones(2), 4)
        return info.proposal.position, info.acceptance_rate

    def ours(key, y, beta):
        return markov.hamiltonian(jax.random.split(key)[0], mixture, y, 1, 4, 0.9 / jnp.sqrt(beta), at(beta=beta))

    compare(ours, theirs)


# --- acceptance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "tiny", "usual", "huge"), [("mala", 1e-4, 0.4, 100.0), ("hmc", 1e-3, 0.7, 30.0)])
def test_acceptance(name, tiny, usual, huge):
    """Near 1 and near 0 at the ends, and always the share that moved; never to where the energy is no number."""
    start = jax.random.uniform(KEY, (2_000, 2), minval=-2.0, maxval=1.0)

    @jax.jit
    def step(step_size, end):
        drawer = sampler(name, at(), negatives=2_000, chain_steps=1, restart=0.0, step_size=step_size)
        broken = energy_of(lambda y: jnp.where(y[0] > end, jnp.nan, BOWL.apply(None, y)))
        _, after = drawer.draw(KEY, markov.Kept(start, jnp.zeros(())), broken, PLANE)
        return drawer.report(after)["acceptance"], (after.y != start).any(axis=1).mean(), after.y[:, 0].max()

    steps = ((tiny, jnp.inf), (usual, jnp.inf), (huge, jnp.inf), (usual, 2.0))
    reported, moved, farthest = zip(*(step(*of) for of in steps), strict=True)
    np.testing.assert_allclose(reported, moved, atol=1e-6)
    assert reported[0] > 0.99
    assert 0.3 < reported[1] < 0.98
    assert reported[2] < 0.01
    assert farthest[3] <= 2 < farthest[1]
    assert 0 < reported[3] < reported[1] - 0.03


# --- where chains start, and how they live on ------------------------------------------------------------------------


@pytest.mark.parametrize("box", [BOX, Box(-1.0, 2.0, 1)])
def test_reflect(box):
    """The identity inside, a mirror at each wall, and inside from wherever it comes."""
    low, high, width = box.low, box.high, box.high - box.low
    inside = jnp.linspace(low, high, 101)
    np.testing.assert_allclose(reflect(inside, box), inside, atol=2e-6)
    past = width * jnp.array([0.025, 0.1, 0.4, 0.975])
    np.testing.assert_allclose(reflect(high + past, box), high - past, atol=2e-6)
    np.testing.assert_allclose(reflect(low - past, box), low + past, atol=2e-6)
    np.testing.assert_allclose(reflect(past + 4 * width, box), reflect(past, box), atol=1e-5)  # two turns
    far = reflect(jnp.array([-1e6, -12345.6, 777.7, 1e6, 3e38]), box)
    assert ((far >= low) & (far <= high)).all()


@pytest.mark.parametrize(
    "steps", [0, 1, markov.AT_ONCE, markov.AT_ONCE + 3, 2 * markov.AT_ONCE, 3 * markov.AT_ONCE - 1]
)
def test_every_step_of_a_walk_has_noise_of_its_own(steps):
    """However many steps have theirs drawn together: the walk is that of one step after the other."""
    wanted = jax.random.uniform(KEY, (7, 2))
    found = markov.walk(KEY, lambda y: jnp.square(y - 1.0).sum(-1), wanted, steps, 0.02, at(beta=2.0))
    for t in range(steps):
        noise = jax.random.normal(jax.random.fold_in(KEY, t), wanted.shape)
        wanted = reflect(wanted - 0.04 * (wanted - 1.0) + np.sqrt(2 * 0.02 / 2.0) * noise, BOX)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


STILL = {"pcd": 1e-12, "mala": 1e-12, "hmc": 1e-6}  # steps that hardly move: they show where chains started


def test_langevin_starts_afresh_at_every_draw():
    """Uniformly on the box, without memory."""
    drawer = sampler("langevin", at(), negatives=4_000, chain_steps=1, step_size=1e-12)
    assert drawer.init(KEY, PLANE) == ()
    draw = jax.jit(lambda key: drawer.draw(key, (), BOWL, PLANE)[0].y)
    one, two = map(draw, jax.random.split(KEY))
    for axis in range(2):
        assert stats.kstest(np.asarray(one[:, axis]), stats.uniform(-5, 10).cdf).pvalue > 1e-3
        assert abs(np.corrcoef(one[:, axis], two[:, axis])[0, 1]) < ERRORS / np.sqrt(4_000)


@pytest.mark.parametrize("conditional", [False, True])
def test_cd_starts_from_the_data(conditional):
    """Each right answer with a chain of its own: the answer itself after no steps, near it after small ones."""
    y = jax.random.uniform(KEY, (500, 2), minval=-4.0, maxval=4.0)
    batch, setting = Batch(y if conditional else None, y), at(size=500, conditional=conditional)
    uphill = Energy(lambda *_: None, lambda x, y: -3 * y[0])

    @partial(jax.jit, static_argnums=0)
    def ends(chain_steps, step_size):
        drawer = sampler("cd", setting, chain_steps=chain_steps, step_size=step_size)
        found = drawer.draw(KEY, drawer.init(KEY, batch), uphill, batch)[0].y
        return found[:, 0] if conditional else found

    np.testing.assert_array_equal(ends(0, 0.1), y)
    np.testing.assert_allclose(ends(4, 1e-12), y, atol=1e-4)
    moved = np.asarray(ends(4, 1e-3)) - y  # by 4 eta 3 e_0, and noise of variance 8 eta
    np.testing.assert_allclose(moved.mean(axis=0), [0.012, 0], atol=ERRORS * np.sqrt(0.008 / 500))
    np.testing.assert_allclose(moved.var(axis=0), 0.008, rtol=ERRORS * np.sqrt(2 / 500))


@cache
def lives(name, draws=40, count=4_000):
    """A program: (first chains or None, beta, restart, step_size) -> the first, and the negatives of every draw."""

    def run(begin, beta, restart, step_size):
        drawer = sampler(name, at(beta=beta), negatives=count, chain_steps=3, step_size=step_size, restart=restart)
        first = drawer.init(KEY, PLANE)
        first = first._replace(y=jnp.where(jnp.isnan(begin), first.y, begin))

        def step(state, key):
            negatives, after = drawer.draw(key, state, BOWL, PLANE)
            return after, (negatives.y, after.y)

        _, (y, kept) = jax.lax.scan(step, first, jax.random.split(KEY, draws))
        return first.y, y, kept

    return jax.jit(run)


@pytest.mark.parametrize("restart", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("name", STILL)
def test_kept_chains_live_on(name, restart):
    """The negatives are the state; between draws only the restarted share jumps, to anywhere on the box."""
    _, y, kept = map(np.asarray, lives(name)(2.0, 1.0, restart, STILL[name]))
    np.testing.assert_array_equal(y, kept)
    jumped = np.abs(np.diff(y, axis=0, prepend=2.0)).max(axis=2) > 1e-2
    low, high = stats.binom.interval(0.9999, jumped.size, restart)
    assert low * 0.9999 <= jumped.sum() <= high  # few land where they were
    ever = jumped.any(axis=0)
    np.testing.assert_allclose(y[-1][~ever], 2.0, atol=1e-2)
    if restart:
        assert (y[-1][ever].std(axis=0) > 2.7).all()  # of the box: 2.89


@pytest.mark.parametrize(("name", "step_size", "bias"), [("pcd", 0.05, 0.95), ("mala", 0.1, 1.0), ("hmc", 0.1, 1.0)])
def test_kept_chains_begin_uniformly_and_equilibrate_over_draws(name, step_size, bias):
    """Many draws of three steps are one long walk: mean and variance reach the bowl's."""
    first, y, _ = map(np.asarray, lives(name)(jnp.nan, 2.0, 0.0, step_size))
    assert all(stats.kstest(axis, stats.uniform(-5, 10).cdf).pvalue > 1e-3 for axis in first.T)
    true = 1 / 4 / bias  # 1/(2 beta), and the bias of an unadjusted step
    np.testing.assert_allclose(y[-1].mean(axis=0), 1.0, atol=ERRORS * np.sqrt(true / 4_000))
    np.testing.assert_allclose(y[-1].var(axis=0), true, rtol=ERRORS * np.sqrt(2 / 4_000))


def test_chains_of_a_question_walk_on_its_energy():
    """Where answers depend on x, each example's chains end round its own answer."""
    x = jnp.array([[-3.0, 0.0], [2.0, -1.0], [0.0, 3.0]])
    bowls = Energy(lambda *_: None, lambda x, y: 5 * jnp.sum(jnp.square(y - x)))
    drawer = sampler("mala", at(size=3, conditional=True), negatives=500, chain_steps=100, step_size=0.04, restart=0.0)
    batch = Batch(x, x)
    y = jax.jit(lambda key: drawer.draw(key, drawer.init(key, batch), bowls, batch)[0].y)(KEY)
    np.testing.assert_allclose(y.mean(axis=1), x, atol=ERRORS * np.sqrt(0.1 / 500))
