"""Every registered sampler: draws that are what it says, by the exact answer or within Monte-Carlo error."""

from functools import cache
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ebmcli import registry, trainer
from ebmcli.samplers import chains
from ebmcli.types import Batch, Energy, Setting, Word, bind

SAMPLERS = registry.units("sampler")
BOX = (-5.0, 5.0)
KEY = jax.random.key(20)


class Case(NamedTuple):
    """What is known of a sampler without running it."""

    answers: tuple[str, ...]  # the kinds that it draws
    values: dict  # hyperparameters of the general tests
    count: int | None  # negatives of a draw, None where there are none
    random: bool  # another key gives other negatives
    kept: bool = False  # state lives on from draw to draw


CASES = {
    "none": Case(("continuous", "sequence"), {}, None, random=False),
    "uniform": Case(("continuous",), {"negatives": 50}, 50, random=True),
    "langevin": Case(("continuous",), {"negatives": 50, "chain_steps": 3}, 50, random=True),
    "pcd": Case(("continuous",), {"negatives": 50, "chain_steps": 3}, 50, random=True, kept=True),
    "quadrature": Case(("continuous",), {"nodes": 9}, 81, random=True),
    "most-offending": Case(("sequence",), {}, 1, random=False),
    "loss-augmented": Case(("sequence",), {}, 1, random=False),
    "exhaustive": Case(("sequence",), {}, 1, random=False),
}
PAIRS = [(name, answers) for name, case in CASES.items() if name in SAMPLERS for answers in case.answers]


def test_every_registered_sampler_has_a_case_and_every_case_a_sampler():
    assert set(SAMPLERS) == set(CASES), f"samplers without a case, or the reverse: {set(SAMPLERS) ^ set(CASES)}"
    for name, unit in SAMPLERS.items():
        assert set(unit.gives) == set(CASES[name].answers), name


def energy_of(function) -> Energy:
    """A model, parameters bound, from a function of y alone."""
    return Energy(init=lambda *_: None, apply=lambda x, y: function(y))


def at(box=BOX, beta=1.0, reward=0.0, size=6) -> Setting:
    return Setting(size, box, jnp.float32(beta), jnp.float32(reward))


def sampler(name, setting, **values):
    return SAMPLERS[name].build(values, setting)


BOWL = energy_of(lambda y: jnp.sum(jnp.square(y - 1.0)))
PLANE = Batch(None, jnp.zeros((6, 2)))
LINEAR = registry.find("energy", "linear-chain").build({})


@cache
def words(size=6, positions=3):
    """A model with random tables, and words of 1 to 3 letters, padded."""
    rng = np.random.default_rng(3)
    length = 1 + np.arange(size) % positions
    mask = np.arange(positions) < length[:, None]
    y = jnp.asarray(np.where(mask, rng.integers(0, 26, (size, positions)), 0), jnp.int32)
    x = Word(jnp.asarray(rng.integers(0, 2, (size, positions, 128)) * mask[..., None], jnp.float32), jnp.asarray(mask))
    first = jax.tree.map(lambda leaf: leaf[0], (x, y))
    params = jax.tree.map(lambda p: jnp.asarray(rng.normal(0, 0.2, p.shape), p.dtype), LINEAR.init(KEY, *first))
    return bind(LINEAR, params), Batch(x, y)


@pytest.mark.parametrize(("name", "answers"), PAIRS)
def test_contract(name, answers):
    """Number, shape and type of the negatives; the state keeps its structure; the key decides everything."""
    case = CASES[name]
    drawer = sampler(name, at(reward=1.0), **case.values)
    model, batch = (BOWL, PLANE) if answers == "continuous" else words()
    state = drawer.init(KEY)
    draw = jax.jit(lambda key, state: drawer.draw(key, state, model, batch))
    (first, after), (again, _), (other, _) = (draw(jax.random.key(seed), state) for seed in (1, 1, 2))
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert bool(jax.tree.leaves(state)) == case.kept
    assert drawer.gradients <= drawer.evaluations
    if case.count is None:
        assert first.y is None
        assert drawer.evaluations == 0
        return
    assert first.y.shape == ((case.count, 2) if answers == "continuous" else (6, case.count, 3))
    assert first.y.dtype == batch.y.dtype
    np.testing.assert_array_equal(first.y, again.y)
    assert (np.asarray(first.y) != np.asarray(other.y)).any() == case.random
    if answers == "continuous":
        assert ((first.y >= BOX[0]) & (first.y <= BOX[1])).all()
        assert drawer.evaluations >= case.count


MEAN, COVARIANCE = np.array([0.7, -0.4]), np.array([[0.5, 0.2], [0.2, 0.3]])
PRECISION = jnp.asarray(np.linalg.inv(COVARIANCE), jnp.float32)
GAUSSIAN = energy_of(lambda y: 0.5 * (y - MEAN) @ PRECISION @ (y - MEAN))


def run(walk, model, setting, steps, step_size, count=12_000):
    """Ends of long chains that start uniformly on the box."""
    low, high = setting.box
    start = jax.random.uniform(jax.random.key(1), (count, 2), minval=low, maxval=high)
    return np.asarray(jax.jit(lambda y: walk(jax.random.key(2), model, y, steps, step_size, setting))(start))


def check_gaussian(walk, beta):
    """Mean, covariance and a quantile of exp(-beta F), within 4 standard errors and the bias of the step size."""
    y, true = run(walk, GAUSSIAN, at(beta=beta), 1_200, 0.005), COVARIANCE / beta
    error = 4 / np.sqrt(len(y))
    sd = np.sqrt(np.diag(true))
    np.testing.assert_allclose(y.mean(axis=0), MEAN, atol=error * sd.max())
    np.testing.assert_allclose(np.cov(y.T), true, atol=(0.02 + 1.5 * error) * true.max())
    below = (y < MEAN + sd * stats.norm.ppf(0.9)).mean(axis=0)
    np.testing.assert_allclose(below, 0.9, atol=0.3 * error + 0.003)


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_walk_recovers_a_gaussian(beta):
    check_gaussian(chains.walk, beta)


@pytest.mark.parametrize(("beta", "noise"), [(4.0, 1.0), (1.0, 2.0), (1.0, 1.2)])
def test_two_temperatures_are_caught(beta, noise):
    """The fault: noise that does not know beta, or sqrt(eta) for sqrt(2 eta): the drift's temperature is another."""
    with pytest.raises(AssertionError):
        check_gaussian(lambda *given: chains.walk(*given[:-1], given[-1]._replace(beta=noise)), beta)


def test_reflect():
    """The identity inside, a mirror at each wall, and inside from wherever it comes."""
    inside = jnp.linspace(-5, 5, 101)
    np.testing.assert_allclose(chains.reflect(inside, *BOX), inside, atol=2e-6)
    past = jnp.array([0.25, 1.0, 4.0, 9.75])
    np.testing.assert_allclose(chains.reflect(5 + past, *BOX), 5 - past, atol=2e-6)
    np.testing.assert_allclose(chains.reflect(-5 - past, *BOX), -5 + past, atol=2e-6)
    np.testing.assert_allclose(chains.reflect(past + 40, *BOX), chains.reflect(past, *BOX), atol=1e-5)  # two turns
    far = chains.reflect(jnp.array([-1e6, -12345.6, 777.7, 1e6, 3e38]), *BOX)
    assert ((far >= BOX[0]) & (far <= BOX[1])).all()


def check_wall():
    """exp(-8 y_0) on the unit square: mean 1/8 - 1/(e^8 - 1), uniform in y_1."""
    y = run(chains.walk, energy_of(lambda y: 8 * y[0]), at(box=(0.0, 1.0)), 1_500, 5e-4)
    assert ((y >= 0) & (y <= 1)).all()
    np.testing.assert_allclose(y[:, 0].mean(), 1 / 8 - 1 / np.expm1(8), atol=4 * 0.125 / np.sqrt(len(y)))
    assert stats.kstest(y[:, 1], "uniform").pvalue > 1e-3


def test_walls_reflect():
    check_wall()


def test_clipping_at_the_walls_is_caught(monkeypatch):
    """The fault: mass piles up on the wall, and the chains sit too low."""
    monkeypatch.setattr(chains, "reflect", jnp.clip)
    with pytest.raises(AssertionError):
        check_wall()


STILL = {"chain_steps": 1, "step_size": 1e-12}  # chains that hardly move show where they started


def test_langevin_starts_afresh_at_every_draw():
    """Uniformly on the box, without memory."""
    drawer = sampler("langevin", at(), negatives=4_000, **STILL)
    one, two = (drawer.draw(key, (), BOWL, PLANE)[0].y for key in jax.random.split(KEY))
    for axis in range(2):
        assert stats.kstest(np.asarray(one[:, axis]), stats.uniform(-5, 10).cdf).pvalue > 1e-3
        assert abs(np.corrcoef(one[:, axis], two[:, axis])[0, 1]) < 4 / np.sqrt(4_000)


def test_langevin_walks_down():
    """More steps, lower energies."""
    energies = [
        jax.vmap(BOWL.apply, (None, 0))(None, sampler("langevin", at(), chain_steps=n).draw(KEY, (), BOWL, PLANE)[0].y)
        for n in (1, 3, 30)
    ]
    assert energies[0].mean() > 1.5 * energies[1].mean() > 2 * energies[2].mean()


@pytest.mark.parametrize("restart", [0.0, 0.05, 0.3, 1.0])
def test_pcd_chains_live_on(restart):
    """The negatives are the state; between draws only the restarted share jumps, to anywhere on the box."""
    count, draws = 1_000, 8
    drawer = sampler("pcd", at(), negatives=count, restart=restart, **STILL)
    state, jumped = jnp.full((count, 2), 2.0), []
    for key in jax.random.split(KEY, draws):
        negatives, after = drawer.draw(key, state, BOWL, PLANE)
        np.testing.assert_array_equal(negatives.y, after)
        jumped.append(np.asarray(jnp.abs(after - state).max(axis=1) > 1e-3))
        state = after
    low, high = stats.binom.interval(0.9999, count * draws, restart)
    assert low <= np.sum(jumped) <= high
    if restart:
        assert (np.asarray(state)[np.any(jumped, axis=0)].std(axis=0) > 2.5).all()  # of the box: 2.89
    np.testing.assert_allclose(state[~np.any(jumped, axis=0)], 2.0, atol=1e-3)


def test_pcd_chains_begin_uniformly_and_equilibrate_over_draws():
    """Ten draws of three steps are one walk of thirty: the mean reaches the bowl's."""
    drawer = sampler("pcd", at(beta=4.0), negatives=4_000, chain_steps=3, step_size=0.05, restart=0.0)
    state = drawer.init(KEY)
    assert all(stats.kstest(np.asarray(axis), stats.uniform(-5, 10).cdf).pvalue > 1e-3 for axis in state.T)
    for key in jax.random.split(KEY, 20):
        _, state = drawer.draw(key, state, BOWL, PLANE)
    np.testing.assert_allclose(state.mean(axis=0), 1.0, atol=0.05)
    np.testing.assert_allclose(state.var(axis=0), 1 / 8 / 0.95, rtol=0.1)  # 1/(2 beta), and the bias of this step size


@pytest.mark.parametrize("box", [BOX, (0.0, 2.0)])
def test_uniform(box):
    """Within the box, with its mean and variance, the axes independent."""
    y = np.asarray(sampler("uniform", at(box=box), negatives=20_000).draw(KEY, (), BOWL, PLANE)[0].y)
    flat = stats.uniform(box[0], box[1] - box[0])
    assert all(stats.kstest(axis, flat.cdf).pvalue > 1e-3 for axis in y.T)
    np.testing.assert_allclose(y.mean(axis=0), flat.mean(), atol=4 * flat.std() / np.sqrt(len(y)))
    np.testing.assert_allclose(np.cov(y.T), flat.var() * np.eye(2), atol=4 * flat.var() / np.sqrt(len(y)))


@pytest.mark.parametrize("box", [BOX, (0.0, 2.0)])
def test_quadrature_has_one_node_in_each_cell(box):
    """Jittered evenly over its cell, and the weights sum to the volume of the box."""
    nodes, width = 24, (box[1] - box[0]) / 24
    found, _ = sampler("quadrature", at(box=box), nodes=nodes).draw(KEY, (), BOWL, PLANE)
    place = (np.asarray(found.y, np.float64) - box[0]) / width
    cells = np.floor(place).astype(int)
    assert sorted(map(tuple, cells.tolist())) == list(product(range(nodes), repeat=2))
    assert all(stats.kstest(axis, "uniform").pvalue > 1e-3 for axis in (place - cells).T)
    np.testing.assert_allclose(np.exp(found.log_weight).sum(), (box[1] - box[0]) ** 2, rtol=1e-5)


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_quadrature_recovers_a_free_energy(beta):
    """Of a Gaussian energy: -(1/beta) log(2 pi sqrt|C| / beta); of a flat one: its level less log(volume)/beta."""
    task = registry.find("task", "moons").build({})
    found, _ = sampler("quadrature", at(beta=beta), nodes=256).draw(KEY, (), GAUSSIAN, PLANE)
    needs = frozenset({"partition", "minimum"})
    gaussian = trainer.energies_of(needs, GAUSSIAN, task, PLANE, found, jnp.float32(beta))
    exact = -np.log(2 * np.pi * np.sqrt(np.linalg.det(COVARIANCE)) / beta) / beta
    np.testing.assert_allclose(gaussian.free, exact, atol=1e-3)
    np.testing.assert_allclose(gaussian.minimum, 0, atol=5e-3)
    flat = trainer.energies_of(needs, energy_of(lambda y: 0.5 + 0 * y[0]), task, PLANE, found, jnp.float32(beta))
    np.testing.assert_allclose(flat.free, 0.5 - np.log(100) / beta, rtol=1e-5)


@cache
def every_word(i):
    """Of word i: the energies of all 26^length answers, padded as it is, and their numbers of wrong letters."""
    model, batch = words()
    x, y = jax.tree.map(lambda leaf: leaf[i], batch)
    length = int(x.mask.sum())
    answers = np.zeros((26**length, len(y)), np.int32)
    answers[:, :length] = list(product(range(26), repeat=length))
    energy = jax.jit(jax.vmap(model.apply, (None, 0)))(x, answers)
    return np.asarray(energy, np.float64), (answers != np.asarray(y)).sum(axis=1)


SEQUENCE = [
    ("most-offending", 0.0, "constant"),
    ("most-offending", 0.0, "hamming"),
    ("loss-augmented", 0.7, "hamming"),
    ("exhaustive", 0.0, "hamming"),
]


@pytest.mark.parametrize(("name", "reward", "margin_distance"), SEQUENCE)
def test_sequence_negatives_against_all_words(name, reward, margin_distance):
    """The lowest F - reward * wrong letters of all other words; and the trainer's distance, minimum and free energy."""
    model, batch = words()
    task = registry.find("task", "letters").build({"margin_distance": margin_distance})
    # Only loss-augmented looks at the reward of its setting.
    found, _ = sampler(name, at(reward=reward or 3.0)).draw(KEY, (), model, batch)
    needs = frozenset({"negatives", "partition", "minimum"})
    seen = jax.tree.map(np.asarray, trainer.energies_of(needs, model, task, batch, found, jnp.float32(2.0)))
    wrong_letters = np.asarray(found.y[:, 0] != batch.y)
    assert not wrong_letters[~np.asarray(batch.x.mask)].any(), "padding is kept"
    for i, away in enumerate(wrong_letters.sum(axis=1)):
        energy, wrong = every_word(i)
        assert away > 0, "the negative is the right answer"
        np.testing.assert_allclose(seen.positive[i], energy[wrong == 0].item(), rtol=1e-5)
        lowest = (energy - reward * wrong)[wrong > 0].min()
        np.testing.assert_allclose(seen.negatives[i, 0] - reward * away, lowest, rtol=1e-5, atol=1e-5)
        assert seen.distance[i, 0] == (away if margin_distance == "hamming" else 1)
        np.testing.assert_allclose(seen.free[i], -np.log(np.exp(-2 * energy).sum()) / 2, rtol=1e-5, atol=1e-5)
        if not reward:  # a loss compares the two itself
            np.testing.assert_allclose(min(seen.minimum[i], seen.positive[i]), energy.min(), rtol=1e-5)
