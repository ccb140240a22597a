"""Markov chains have the distribution exp(-beta F), within Monte-Carlo error, and those with planted faults do not;
kernels agree with blackjax; chains live on, or start where they say."""

import inspect
from functools import cache

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from blackjax.mcmc.diffusions import overdamped_langevin
from helpers.negatives import BOWL, BOX, KEY, PLANE, SAMPLERS, context, energy_of, sampler
from helpers.quick import quick
from helpers.targets import CHECKS, COUNT, ERRORS, gaussian, long, mixture, ramp
from scipy import stats

from ebmcli.core.types import Batch, Box, Model
from ebmcli.metrics import chains
from ebmcli.samplers import markov
from ebmcli.samplers._box import reflect

# --- distributions ---------------------------------------------------------------------------------------------------

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
}


def runner(name, target):
    """A program: beta -> [COUNT, 2], the ends of chains from all over the box."""
    values, energies = RUNS[name][target], jax.vmap(target)
    starts = np.random.default_rng(0).uniform(-5, 5, (COUNT, 2)).astype(np.float32)

    @long
    def draw(key, beta):
        here = context(beta=beta)
        if name == "mala":
            return markov.metropolis_langevin(key, energies, starts, *values.values(), here).y
        if name == "hmc":
            steps, leaps, step_size = values.values()
            return markov.hamiltonian(key, energies, starts, steps, leaps, step_size / jnp.sqrt(beta), here).y
        drawer = sampler(name, here, **values, negatives=COUNT)
        return drawer.draw(key, (), energy_of(target), PLANE)[0].y

    return lambda beta: np.asarray(draw(jax.random.key(2), jnp.float32(beta)), np.float64)


sound = cache(runner)  # the programs of the functions as they are


def check(name, target, beta, run=sound):
    y = run(name, target)(beta)
    biased = name == "langevin" and target is gaussian  # an unadjusted chain
    CHECKS[target](y, beta, *([RUNS[name][target]["step_size"]] if biased else []))


@pytest.mark.parametrize("beta", [1.0, 4.0])
@pytest.mark.parametrize("target", [gaussian, mixture])
@pytest.mark.parametrize("name", RUNS)
def test_chains_have_the_distribution_of_the_model(name, target, beta):
    check(name, target, beta)


@pytest.mark.parametrize("name", RUNS)
def test_chains_have_the_distribution_of_the_model_at_walls(name):
    check(name, ramp, 1.0)


LANGEVIN, MALA, HMC = ("langevin", "walk"), ("mala", "metropolis_langevin"), ("hmc", "hamiltonian")
MOVED = "here.y - step_size * here.slope + noise"
FAULTS = {  # sampler and function of `markov`, what is put wrong in its source, and the target on which it shows
    "noise that does not know beta": (*LANGEVIN, "size / context.beta", "size", gaussian, 4.0),
    "beta in the drift too": (
        *LANGEVIN,
        "- step_size * slope",
        "- context.beta * step_size * slope",
        gaussian,
        4.0,
    ),
    "clipping for reflecting": (*LANGEVIN, "reflect(y - ", "(lambda y, box: jnp.clip(y, -5, 5))(y - ", ramp, 1.0),
    "no proposal densities": (*MALA, " + back - forth", "", gaussian, 1.0),
    "energies that do not know beta": (*MALA, "context.beta * (here", "(here", gaussian, 4.0),
    "a plain reflected proposal": (*MALA, MOVED, f"reflect({MOVED}, context.space)", ramp, 1.0),
    "walls that let through": ("hmc", "_metropolis", "inside(proposed.y, box) & ", "", ramp, 1.0),
    "no last half step": (*HMC, "p + kick / 2 * proposed.slope", "p", gaussian, 1.0),
    "kinetic energy upside down": (*HMC, ") + kinetic", ") - kinetic", gaussian, 1.0),
    "potential energy without beta": (*HMC, "context.beta * (here.energy", "(here.energy", gaussian, 4.0),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault, monkeypatch):
    """A piece of one function's source is put wrong."""
    name, function, right, wrong, target, beta = FAULTS[fault]
    source, scope = inspect.getsource(getattr(markov, function)), dict(vars(markov))
    assert source.count(right) == 1, f"{function} has changed: plant this fault anew"
    exec(source.replace(right, wrong), scope)
    monkeypatch.setattr(markov, function, scope[function])
    with pytest.raises(AssertionError):
        check(name, target, beta, runner)


# --- kernels against blackjax ----------------------------------------------------------------------------------------


@pytest.fixture
def compare(monkeypatch):
    """(ours, theirs), functions of (key, y, beta): a proposal and how it is accepted, from the same noise."""
    # Our kernels without their last step: they return what they would decide about.
    monkeypatch.setattr(markov, "_metropolis", lambda key, context, start, steps, propose: propose(key, start))
    starts = np.random.default_rng(3).uniform(-2.5, 2.5, (300, 2)).astype(np.float32)
    keys = jax.random.split(KEY, 300)

    def check(ours, theirs):
        both = quick(jax.vmap(lambda *given: (ours(*given), theirs(*given)), (0, 0, None)))
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
        return markov.metropolis_langevin(jax.random.split(key)[0], mixture, y, 1, 0.4, context(beta=beta))

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
        return markov.hamiltonian(jax.random.split(key)[0], mixture, y, 1, 4, 0.9 / jnp.sqrt(beta), context(beta=beta))

    compare(ours, theirs)


# --- acceptance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "tiny", "usual", "huge"), [("mala", 1e-4, 0.4, 100.0), ("hmc", 1e-3, 0.7, 30.0)])
def test_the_acceptance_reported_is_the_share_that_moved(name, tiny, usual, huge):
    """Near 1 and near 0 at the ends, and always the share that moved; never to where the energy is no number."""
    start = np.random.default_rng(4).uniform(-2, 1, (2_000, 2)).astype(np.float32)

    @quick
    def step(step_size, end):
        drawer = sampler(name, context(), negatives=2_000, chain_steps=1, restart=0.0, step_size=step_size)
        broken = energy_of(lambda y: jnp.where(y[0] > end, jnp.nan, BOWL.apply(None, y)))
        _, after = drawer.draw(KEY, markov.Kept(jnp.asarray(start), jnp.zeros(())), broken, PLANE)
        return drawer.report(after)["acceptance"], (after.y != start).any(axis=1).mean(), after.y[:, 0].max()

    steps = ((tiny, jnp.inf), (usual, jnp.inf), (huge, jnp.inf), (usual, 2.0))
    reported, moved, farthest = zip(*(step(*of) for of in steps), strict=True)
    np.testing.assert_allclose(reported, moved, atol=1e-6)
    assert reported[0] > 0.99
    assert 0.3 < reported[1] < 0.98
    assert reported[2] < 0.01
    assert farthest[3] <= 2 < farthest[1]
    assert 0 < reported[3] < reported[1] - 0.03


@pytest.mark.parametrize("name", ["langevin", "cd", "pcd", "mala", "hmc"])
@pytest.mark.parametrize("conditional", [False, True])
def test_what_is_watched_of_chains_tells_steps_that_are_too_small_and_too_large(name, conditional):
    """In widths of the box: a chain that hardly moves, one that moves well, and one that leaves the box at every step,
    or accepts nothing."""
    batch = Batch(jnp.zeros((3, 1)) if conditional else None, jnp.ones((3, 2)))
    values = {} if name == "cd" else {"negatives": 500}

    @quick
    def watched(step_size):
        drawer = sampler(name, context(size=3, conditional=conditional), chain_steps=4, step_size=step_size, **values)
        state = drawer.init(KEY, batch)
        bowl = Model(lambda x, y: jnp.sum(jnp.square(y)))
        after = drawer.draw(KEY, state, bowl, batch)[1]
        return {"acceptance": jnp.ones(()), **drawer.report(after), **drawer.watch(KEY, after, bowl, batch)}

    small, usual, large = ({n: float(v) for n, v in watched(size).items()} for size in (1e-12, 0.1, 1e6))
    assert [len(chains.warnings(found)) for found in (small, usual, large)] == [1, 0, 1]
    assert small["moved"] < 1e-5
    assert 0.02 < usual["moved"] < 0.6
    if "reflected" in large:
        assert (small["reflected"], large["reflected"]) == (0, 1)
        assert usual["reflected"] < 0.2


# --- where chains start, and how they live on ------------------------------------------------------------------------


@pytest.mark.parametrize("box", [BOX, Box(-1.0, 2.0, 1)])
def test_reflection_folds_into_the_box_as_a_mirror_at_each_wall(box):
    """The identity inside, a mirror at each wall, and inside from wherever it comes."""
    low, high, width = box.low, box.high, box.high - box.low
    inside = np.linspace(low, high, 101, dtype=np.float32)
    past = np.float32(width) * np.array([0.025, 0.1, 0.4, 0.975], np.float32)
    away = np.array([-1e6, -12345.6, 777.7, 1e6, 3e38], np.float32)
    given = (inside, high + past, low - past, past + 4 * width, past, away)
    within, above, below, turned, once, far = quick(lambda *given: [reflect(y, box) for y in given])(*given)
    np.testing.assert_allclose(within, inside, atol=2e-6)
    np.testing.assert_allclose(above, high - past, atol=2e-6)
    np.testing.assert_allclose(below, low + past, atol=2e-6)
    np.testing.assert_allclose(turned, once, atol=1e-5)  # two turns
    assert ((far >= low) & (far <= high)).all()


@pytest.mark.parametrize(
    "steps", [0, 1, markov.AT_ONCE, markov.AT_ONCE + 3, 2 * markov.AT_ONCE, 3 * markov.AT_ONCE - 1]
)
def test_every_step_of_a_walk_has_noise_of_its_own(steps):
    """However many steps have theirs drawn together: the walk is that of one step after the other."""
    wanted = np.random.default_rng(5).uniform(0, 1, (7, 2)).astype(np.float32)
    bowl, here = (lambda y: jnp.square(y - 1.0).sum(-1)), context(beta=2.0)
    found = quick(lambda y: markov.walk(KEY, bowl, y, steps, 0.02, here))(jnp.asarray(wanted))
    for t in range(steps):
        wanted = np.asarray(step_of_a_walk(wanted, t))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@quick
def step_of_a_walk(y, t):
    noise = jax.random.normal(jax.random.fold_in(KEY, t), y.shape)
    return reflect(y - 0.04 * (y - 1.0) + np.sqrt(2 * 0.02 / 2.0) * noise, BOX)


STILL = {"pcd": 1e-12, "mala": 1e-12, "hmc": 1e-6}  # steps that hardly move: they show where chains started


def test_langevin_starts_afresh_at_every_draw():
    """Uniformly on the box, without memory."""
    drawer = sampler("langevin", context(), negatives=4_000, chain_steps=1, step_size=1e-12)
    assert drawer.init(KEY, PLANE) == ()
    draw = quick(lambda key: drawer.draw(key, (), BOWL, PLANE)[0].y)
    one, two = (np.asarray(draw(jax.random.key(seed))) for seed in (1, 2))
    for axis in range(2):
        assert stats.kstest(one[:, axis], stats.uniform(-5, 10).cdf).pvalue > 1e-3
        assert abs(np.corrcoef(one[:, axis], two[:, axis])[0, 1]) < ERRORS / np.sqrt(4_000)


@pytest.mark.parametrize("conditional", [False, True])
def test_cd_starts_from_the_data(conditional):
    """Each right answer with a chain of its own: the answer itself after no steps, near it after small ones."""
    y = jnp.asarray(np.random.default_rng(6).uniform(-4, 4, (500, 2)), jnp.float32)
    batch, setting = Batch(y if conditional else None, y), context(size=500, conditional=conditional)
    uphill = Model(lambda x, y: -3 * y[0])

    @cache
    def chains(chain_steps):
        def draw(step_size):
            drawer = sampler("cd", setting, chain_steps=chain_steps, step_size=step_size)
            found = drawer.draw(KEY, drawer.init(KEY, batch), uphill, batch)[0].y
            return found[:, 0] if conditional else found

        return quick(draw)

    def ends(chain_steps, step_size):
        return np.asarray(chains(chain_steps)(step_size))

    np.testing.assert_array_equal(ends(0, 0.1), y)
    np.testing.assert_allclose(ends(4, 1e-12), y, atol=1e-4)
    moved = ends(4, 1e-3) - np.asarray(y)  # by 4 eta 3 e_0, and noise of variance 8 eta
    np.testing.assert_allclose(moved.mean(axis=0), [0.012, 0], atol=ERRORS * np.sqrt(0.008 / 500))
    np.testing.assert_allclose(moved.var(axis=0), 0.008, rtol=ERRORS * np.sqrt(2 / 500))


@cache
def lives(name, draws=40, count=4_000):
    """A program: (first chains or None, beta, restart, step_size) -> the first, and the negatives of every draw."""

    def run(begin, beta, restart, step_size):
        drawer = sampler(name, context(beta=beta), negatives=count, chain_steps=3, step_size=step_size, restart=restart)
        first = drawer.init(KEY, PLANE)
        first = first._replace(y=jnp.where(jnp.isnan(begin), first.y, begin))

        def step(state, key):
            negatives, after = drawer.draw(key, state, BOWL, PLANE)
            return after, (negatives.y, after.y)

        _, (y, kept) = jax.lax.scan(step, first, jax.random.split(KEY, draws))
        return first.y, y, kept

    return long(run)


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
    bowls = Model(lambda x, y: 5 * jnp.sum(jnp.square(y - x)))
    drawer = sampler(
        "mala", context(size=3, conditional=True), negatives=500, chain_steps=100, step_size=0.04, restart=0.0
    )
    batch = Batch(x, x)
    y = np.asarray(quick(lambda key: drawer.draw(key, drawer.init(key, batch), bowls, batch)[0].y)(KEY))
    np.testing.assert_allclose(y.mean(axis=1), x, atol=ERRORS * np.sqrt(0.1 / 500))


# --- defaults at every inverse temperature ---------------------------------------------------------------------------

STEPPED = [name for name, unit in SAMPLERS.items() if "step_size" in unit.parameters and name != "most-offending"]


@pytest.mark.parametrize("name", STEPPED)
def test_by_default_a_chain_at_beta_is_the_chain_of_beta_times_the_energy(name):
    """So the defaults serve every beta as they serve 1: samples of exp(-beta F) are drawn alike whichever of the two
    holds the scale. `most-offending` has no temperature: it descends."""
    default = SAMPLERS[name].parameters["step_size"]
    batch = Batch(None, jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (6, 2)), jnp.float32))

    def drawn(beta, scale, key):
        size = default.default * (beta if default.times_beta else 1)
        drawer = sampler(name, context(beta=beta), step_size=size, **({} if name == "cd" else {"negatives": 40}))
        model = energy_of(lambda y: scale * jnp.sum(jnp.square(y - 1.0)) / 2)
        return drawer.draw(key, drawer.init(key, batch), model, batch)[0].y

    at_beta, at_1 = (np.asarray(quick(drawn)(beta, scale, KEY)) for beta, scale in ((3.0, 1.0), (1.0, 3.0)))
    np.testing.assert_allclose(at_beta, at_1, atol=1e-3)
