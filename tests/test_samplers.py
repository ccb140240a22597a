"""Every registered sampler: its contract, and draws that are what it says, by the exact answer or within Monte-Carlo
error. Markov chains and other samples of the model are in test_chains."""

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Var, jaxprs_in_params
from scipy import optimize, stats

from ebmcli import objective, registry
from ebmcli.objective import Weights
from ebmcli.types import Batch, Box, Energy, Labels, Negatives, Setting, Strings, Word, bind

SAMPLERS = registry.units("sampler")
BOX, LABELS = Box(-5.0, 5.0), Labels(7)
KEY = jax.random.key(20)
SIZE = 6  # of a batch, where a test does not say otherwise


class Case(NamedTuple):
    """What is known of a sampler's negatives of one kind without running it."""

    leading: Callable[[Setting], tuple[int, ...]] | None  # axes before those of an answer; None: it has no negatives
    values: Mapping[str, Any] = MappingProxyType({})  # hyperparameters of the general tests
    random: bool = True  # another key gives other negatives
    kept: bool = False  # there is a state
    measures: frozenset[str] = frozenset()  # what it reports of itself


def own(count):
    """Shared by the batch where there is no question, else as many for each."""
    return lambda at: at.shape(count)


def each(count):
    return lambda at: (at.batch_size, count)


def shared(count):
    return lambda at: (count,)


FEW = {"negatives": 50}
WALK = FEW | {"chain_steps": 3}
ACCEPTED = frozenset({"acceptance"})
CASES = {
    ("none", "continuous"): Case(None, random=False),
    ("none", "finite"): Case(None, random=False),
    ("none", "sequence"): Case(None, random=False),
    ("uniform", "continuous"): Case(own(50), FEW),
    ("uniform", "finite"): Case(own(50), FEW),
    ("uniform", "sequence"): Case(own(50), FEW),
    ("gaussian", "continuous"): Case(own(50), FEW, kept=True),
    ("noise", "continuous"): Case(each(4), {"per_example": 4}),
    ("in-batch", "continuous"): Case(each(SIZE - 1), random=False),
    ("in-batch", "finite"): Case(each(SIZE - 1), random=False),
    ("in-batch", "sequence"): Case(each(SIZE - 1), random=False),
    ("quadrature", "continuous"): Case(lambda at: (9**at.space.dims,), {"nodes": 9}),
    ("langevin", "continuous"): Case(own(50), WALK),
    ("cd", "continuous"): Case(lambda at: (SIZE, 1) if at.conditional else (SIZE,), {"chain_steps": 3}),
    ("pcd", "continuous"): Case(own(50), WALK, kept=True),
    ("mala", "continuous"): Case(own(50), WALK, kept=True, measures=ACCEPTED),
    ("hmc", "continuous"): Case(own(50), WALK | {"leaps": 2}, kept=True, measures=ACCEPTED),
    ("exact", "continuous"): Case(own(50), FEW | {"table": 9}),
    ("exact", "finite"): Case(own(50), FEW),
    ("exact", "sequence"): Case(own(50), FEW),
    ("gibbs", "finite"): Case(own(50), FEW),
    ("gibbs", "sequence"): Case(own(50), FEW),
    ("generator", "continuous"): Case(own(50), FEW | {"latent": 3, "generator_hidden": 5}, kept=True),
    ("most-offending", "continuous"): Case(each(1), {"starts": 3, "descent_steps": 3}),
    ("most-offending", "finite"): Case(each(1), random=False),
    ("most-offending", "sequence"): Case(each(1), random=False),
    ("loss-augmented", "finite"): Case(each(1), random=False),
    ("loss-augmented", "sequence"): Case(each(1), random=False),
    ("n-best", "sequence"): Case(own(5), {"negatives": 5}, random=False),
    ("corrupt", "sequence"): Case(own(50), FEW),
    ("exhaustive", "finite"): Case(shared(LABELS.size), random=False),
    ("exhaustive", "sequence"): Case(each(1), random=False),
}


def test_every_registered_sampler_has_its_cases_and_every_case_a_sampler():
    given = {(name, answers) for name, unit in SAMPLERS.items() for answers in unit.gives}
    assert given == set(CASES), f"kinds of negatives without a case, or the reverse: {given ^ set(CASES)}"


def settings():
    """Every sampler with every kind of answer, without and with a question where either makes sense."""
    return [
        pytest.param(name, answers, conditional, id=f"{name}-{answers}{'-x' * conditional}")
        for (name, answers), conditional in product(CASES, (False, True))
        if name in SAMPLERS and (conditional or not (answers == "sequence" or SAMPLERS[name].conditional))
    ]


def energy_of(function) -> Energy:
    """A model, parameters bound, from a function of y alone."""
    return Energy(init=lambda *_: None, apply=lambda x, y: function(y))


def at(space=BOX, beta=1.0, reward=0.0, size=SIZE, conditional=False) -> Setting:
    return Setting(size, space, conditional, jnp.float32(beta), jnp.float32(reward))


def sampler(name, setting, **values):
    return SAMPLERS[name].build(values, setting)


BOWL = energy_of(lambda y: jnp.sum(jnp.square(y - 1.0)))
PLANE = Batch(None, jnp.zeros((SIZE, 2)))
TASK = registry.find("task", "moons").build({})
STRINGS = Strings(26, 3, fixed=True)
LINEAR = registry.find("energy", "linear-chain").build({}, STRINGS)


@cache
def words(size=SIZE, positions=3):
    """Random tables, a model of them, and words of 1 to 3 letters, padded: the second half those of lowest energy."""
    rng = np.random.default_rng(3)
    length = 1 + np.arange(size) % positions
    mask = np.arange(positions) < length[:, None]
    y = jnp.asarray(np.where(mask, rng.integers(0, 26, (size, positions)), 0), jnp.int32)
    x = Word(jnp.asarray(rng.integers(0, 2, (size, positions, 128)) * mask[..., None], jnp.float32), jnp.asarray(mask))
    first = jax.tree.map(lambda leaf: leaf[0], (x, y))
    shapes = jax.eval_shape(LINEAR.init, KEY, *first)
    params = jax.tree.map(lambda p: jnp.asarray(rng.normal(0, 0.2, p.shape), p.dtype), shapes)
    best = jax.jit(jax.vmap(partial(LINEAR.argmin, params)))(x)
    return params, bind(LINEAR, params), Batch(x, jnp.where(np.arange(size)[:, None] < size // 2, y, best))


def scene(answers, conditional, reward=0.0):
    """A setting, a model that looks at its question if it has one, and a batch. Points are in one dimension then."""
    if answers == "sequence":
        return (at(STRINGS, reward=reward, conditional=True), *words()[1:])
    x = jax.random.normal(KEY, (SIZE, 3)) if conditional else None

    def apply(x, y):
        seen = 0.0 if x is None else x.sum()
        return jnp.sin(1.7 * y + seen) if answers == "finite" else jnp.sum(jnp.square(y - 1.0)) + jnp.sin(y[0] + seen)

    space = LABELS if answers == "finite" else Box(-1.0, 2.0, 1) if conditional else BOX
    y = jnp.arange(SIZE) % 4 if answers == "finite" else jax.random.uniform(KEY, (SIZE, space.dims), maxval=2.0)
    return at(space, reward=reward, conditional=conditional), Energy(lambda *_: None, apply), Batch(x, y)


def drawn(drawer, key, state, model, batch):
    """The answers and the state, without the functions that a jitted program cannot return."""
    negatives, after = drawer.draw(key, state, model, batch)
    return negatives.y, after


@pytest.mark.parametrize(("name", "answers", "conditional"), settings())
def test_contract(name, answers, conditional):
    """Shape and type of the negatives and of their energies; the state keeps its structure; a report of numbers."""
    case = CASES[name, answers]
    setting, model, batch = scene(answers, conditional, reward=1.0)
    drawer = sampler(name, setting, **case.values)
    state = jax.eval_shape(drawer.init, KEY, batch)
    y, after = jax.eval_shape(lambda key, state: drawn(drawer, key, state, model, batch), KEY, state)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(after)] == [
        (leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(state)
    ]
    assert bool(jax.tree.leaves(state)) == case.kept
    report = jax.eval_shape(drawer.report, after)
    assert {name: leaf.shape for name, leaf in report.items()} == dict.fromkeys(case.measures, ())
    assert 0 <= drawer.gradients <= drawer.evaluations
    if case.leading is None:
        assert y is None
        assert drawer.evaluations == 0
        return
    assert y.shape == (*case.leading(setting), *batch.y.shape[1:])
    assert y.dtype == batch.y.dtype
    energies = jax.eval_shape(lambda y: objective.scored(model, batch, y), y)
    assert energies.shape == (
        case.leading(setting) if len(y.shape) > batch.y.ndim or not conditional else (SIZE, len(y))
    )
    assert energies.dtype == jnp.float32


@pytest.mark.parametrize(("name", "answers", "conditional"), [p for p in settings() if p.values[2]])
def test_draws(name, answers, conditional):
    """The key decides everything; every answer is one that the task has."""
    case = CASES[name, answers]
    setting, model, batch = scene(answers, conditional, reward=1.0)
    drawer = sampler(name, setting, **case.values)
    draw = jax.jit(lambda key: drawn(drawer, key, drawer.init(KEY, batch), model, batch)[0])
    if case.leading is None:
        return
    first, again, other = (np.asarray(draw(jax.random.key(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() == case.random
    low, high = {"finite": (0, LABELS.size - 1), "sequence": (0, 25)}.get(answers) or setting.space[:2]
    assert ((first >= low) & (first <= high)).all()


def computed(jaxpr, name, times=1):
    """How many numbers the primitive of that name computes in a program; what is computed twice counts once."""
    total, same, seen = 0, {}, {}
    for equation in jaxpr.eqns:
        read = tuple(same.get(v, v) if isinstance(v, Var) else str(v) for v in equation.invars)
        what = (equation.primitive.name, str(equation.params), read)
        if what in seen:
            same |= dict(zip(equation.outvars, seen[what], strict=True))
            continue
        seen[what] = equation.outvars
        if equation.primitive.name == name:
            total += times * math.prod(equation.outvars[0].aval.shape)
        inner = times * equation.params.get("length", 1) if equation.primitive.name == "scan" else times
        total += sum(computed(sub, name, inner) for sub in jaxprs_in_params(equation.params))
    return total


COUNTED = [p for p in settings() if p.values[1] == "continuous" or p.values[1:] == ("finite", True)]


@pytest.mark.parametrize(("name", "answers", "conditional"), COUNTED)
def test_cost(name, answers, conditional):
    """The evaluations and gradients that it declares are those of its program: the energy's sines and cosines."""
    setting, model, batch = scene(answers, conditional)
    drawer = sampler(name, setting, **CASES[name, answers].values)

    def draw(key):
        y, after = drawn(drawer, key, drawer.init(key, batch), model, batch)
        return after, None if y is None else objective.scored(model, batch, y)

    program = jax.make_jaxpr(draw)(KEY).jaxpr
    assert computed(program, "cos") == drawer.gradients
    assert computed(program, "sin") == drawer.evaluations


# --- negatives that do not look at the energy -------------------------------------------------------------------------


@pytest.mark.parametrize("space", [BOX, Box(0.0, 2.0), Box(-1.0, 2.0, 1)])
def test_uniform_on_a_box(space):
    """Within the box, with its mean and variance, the axes independent; log q = -log volume."""
    found = sampler("uniform", at(space), negatives=20_000).draw(KEY, (), BOWL, PLANE)[0]
    y, width = np.asarray(found.y), space.high - space.low
    flat = stats.uniform(space.low, width)
    assert all(stats.kstest(axis, flat.cdf).pvalue > 1e-3 for axis in y.T)
    np.testing.assert_allclose(y.mean(axis=0), flat.mean(), atol=4 * flat.std() / np.sqrt(len(y)))
    covariance = np.cov(y.T).reshape(space.dims, space.dims)
    np.testing.assert_allclose(covariance, flat.var() * np.eye(space.dims), atol=4 * flat.var() / np.sqrt(len(y)))
    np.testing.assert_allclose(found.log_q(None, found.y[0]), -space.dims * np.log(width), rtol=1e-6)


def test_uniform_among_labels():
    found = sampler("uniform", at(LABELS), negatives=20_000).draw(KEY, (), None, None)[0]
    assert stats.chisquare(np.bincount(found.y, minlength=LABELS.size)).pvalue > 1e-3
    np.testing.assert_allclose(found.log_q(None, found.y[0]), -np.log(LABELS.size), rtol=1e-6)


FINE = 512  # cells a side of the grid on which densities are summed


def fine_grid():
    middle = BOX.low + 10 / FINE * (np.arange(FINE, dtype=np.float32) + 0.5)
    return np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2)


@cache
def gaussian_program(conditional):
    """(data [N, 2], whether to forget what fell outside) -> mean, covariance, answers [..., 2], q of the fine grid."""
    drawer = sampler("gaussian", at(conditional=conditional), negatives=(1 if conditional else SIZE) * 5_000)

    @jax.jit
    def program(data, forget):
        mean, root, outside = drawer.init(KEY, Batch(None, data))
        found, _ = drawer.draw(KEY, (mean, root, jnp.where(forget, 1e-6, outside)), BOWL, PLANE)
        return mean, root @ root.T, found.y.reshape(-1, 2), jnp.exp(jax.vmap(partial(found.log_q, None))(fine_grid()))

    return lambda *given: [np.asarray(found, np.float64) for found in program(*given)]


def check_gaussian_negatives(mean, covariance, conditional, forget=False):
    """q sums to 1 on the box; draws are inside and fall into 8 x 8 cells as q says (a chi-square)."""
    data = np.random.default_rng(1).multivariate_normal(mean, covariance, 4_096).astype(np.float32)
    found_mean, found_covariance, y, q = gaussian_program(conditional)(data, forget)
    np.testing.assert_allclose(found_mean, data.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found_covariance, np.cov(data.T), rtol=1e-3)
    q *= 100 / FINE**2
    np.testing.assert_allclose(q.sum(), 1, atol=1e-3)
    assert (np.abs(y) <= 5).all()
    share = q.reshape(8, FINE // 8, 8, FINE // 8).sum(axis=(1, 3)).ravel()
    drawn = np.histogram2d(*y.T, bins=8, range=[(-5, 5)] * 2)[0].ravel()
    expected = share / share.sum() * len(y)
    few = expected < 5  # a chi-square needs as many: such cells together are one
    cells = [np.append(many[~few], many[few].sum()) for many in (drawn, expected)] if few.any() else (drawn, expected)
    assert stats.chisquare(*cells).pvalue > 1e-3


GAUSSIANS = {
    "broad": ([0.0, 0.0], [[9.0, 2.0], [2.0, 16.0]]),
    "narrow": ([0.7, -0.4], [[0.02, 0.01], [0.01, 0.01]]),
    "shifted": ([4.5, -2.0], [[1.0, -0.5], [-0.5, 2.0]]),
}


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("shape", GAUSSIANS)
def test_gaussian(shape, conditional):
    check_gaussian_negatives(*GAUSSIANS[shape], conditional)


@pytest.mark.parametrize("shape", ["broad", "shifted"])
def test_gaussian_log_q_without_the_outside_share_is_caught(shape):
    """The fault: what was redrawn uniformly has no place in the density."""
    with pytest.raises(AssertionError):
        check_gaussian_negatives(*GAUSSIANS[shape], False, forget=True)


def test_gaussian_on_a_line():
    """In one dimension, against the closed form."""
    line = Box(-1.0, 2.0, 1)
    data = Batch(None, jnp.asarray(np.random.default_rng(1).normal(1.5, 0.6, (4_096, 1)), jnp.float32))
    drawer = sampler("gaussian", at(line), negatives=20_000)
    y = jnp.linspace(-0.99, 1.99, 50)[:, None]

    @jax.jit
    def draw():
        found, _ = drawer.draw(KEY, drawer.init(KEY, data), BOWL, data)
        return found.y, jax.vmap(partial(found.log_q, None))(y)

    found, log_q = draw()
    normal = stats.norm(np.mean(data.y), np.std(data.y, ddof=1))
    outside = normal.cdf(-1) + normal.sf(2)
    truth = np.log(normal.pdf(y[:, 0]) + outside / 3)
    np.testing.assert_allclose(log_q, truth, atol=1e-3)

    def cdf(t):
        return normal.cdf(t) - normal.cdf(-1) + outside * (t + 1) / 3

    assert stats.kstest(np.asarray(found[:, 0]), cdf).pvalue > 1e-3


@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_noise(spread):
    """Gaussian round each right answer, as wide as said; near a wall folded at it and not clipped."""
    y = jnp.array([[0.0, 1.0], [-2.0, 3.0], [4.9, -4.9]])
    drawer = sampler("noise", at(size=3), per_example=4_000, spread=spread)
    away = np.asarray(drawer.draw(KEY, (), BOWL, Batch(None, y))[0].y)
    for example, axis in product(range(2), range(2)):
        assert stats.kstest(away[example, :, axis], stats.norm(y[example, axis], spread).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(away[0, :, 0], away[1, :, 0])[0, 1]) < 4 / np.sqrt(4_000)
    free = stats.norm(4.9, spread)
    for wall in (away[2, :, 0], -away[2, :, 1]):
        assert stats.kstest(wall, lambda t: free.cdf(t) + free.sf(10 - t)).pvalue > 1e-3


@pytest.mark.parametrize("answers", ["continuous", "finite"])
@pytest.mark.parametrize("size", [2, 5])
def test_in_batch_is_exactly_the_others(answers, size):
    """Each of the other examples' answers once, by index: one equal to its own stays, for the distance to tell."""
    y = jnp.asarray(np.random.default_rng(2).normal(size=(size, 2)), jnp.float32)
    batch = Batch(jnp.zeros((size, 1)), y if answers == "continuous" else jnp.array([3, 3, 1, 0, 2])[:size])
    space = BOX if answers == "continuous" else LABELS
    found = sampler("in-batch", at(space, size=size, conditional=True)).draw(KEY, (), BOWL, batch)[0].y
    for i in range(size):
        others = np.delete(np.asarray(batch.y), i, axis=0)
        assert sorted(map(str, np.asarray(found[i]))) == sorted(map(str, others))


@pytest.mark.parametrize("space", [BOX, Box(0.0, 2.0), Box(-1.0, 2.0, 1)])
def test_quadrature_has_one_node_in_each_cell(space):
    """Jittered evenly over its cell, and the weights sum to the volume of the box."""
    nodes, width = 24, (space.high - space.low) / 24
    found, _ = sampler("quadrature", at(space), nodes=nodes).draw(KEY, (), BOWL, PLANE)
    place = (np.asarray(found.y, np.float64) - space.low) / width
    cells = np.floor(place).astype(int)
    assert sorted(map(tuple, cells.tolist())) == list(product(range(nodes), repeat=space.dims))
    assert all(stats.kstest(axis, "uniform").pvalue > 1e-3 for axis in (place - cells).T)
    np.testing.assert_allclose(np.exp(found.log_weight).sum(), (space.high - space.low) ** space.dims, rtol=1e-5)


MEAN, COVARIANCE = np.array([0.7, -0.4], np.float32), np.array([[0.5, 0.2], [0.2, 0.3]])
PRECISION = jnp.asarray(np.linalg.inv(COVARIANCE), jnp.float32)
GAUSSIAN = energy_of(lambda y: 0.5 * (y - MEAN) @ PRECISION @ (y - MEAN))


def unbound(model) -> Energy:
    """With parameters that it does not read, as the trainer has it."""
    return Energy(model.init, lambda params, *given: model.apply(*given))


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_quadrature_recovers_a_free_energy(beta):
    """Of a Gaussian energy: -(1/beta) log(2 pi sqrt|C| / beta); of a flat one: its level less log(volume)/beta."""
    found, _ = sampler("quadrature", at(beta=beta), nodes=256).draw(KEY, (), GAUSSIAN, PLANE)
    given = (Weights(None, None), TASK, PLANE, found, jnp.float32(beta))
    needs = frozenset({"partition", "minimum"})
    gaussian = objective.energies_of(needs, unbound(GAUSSIAN), *given)
    exact = -np.log(2 * np.pi * np.sqrt(np.linalg.det(COVARIANCE)) / beta) / beta
    np.testing.assert_allclose(gaussian.free, exact, atol=1e-3)
    np.testing.assert_allclose(gaussian.minimum, 0, atol=5e-3)
    flat = objective.energies_of(needs, unbound(energy_of(lambda y: 0.5 + 0 * y[0])), *given)
    np.testing.assert_allclose(flat.free, 0.5 - np.log(100) / beta, rtol=1e-5)


# --- negatives that are sought: sequences ----------------------------------------------------------------------------


@cache
def words_scored():
    return jax.jit(jax.vmap(words()[1].apply, (None, 0)))


@cache
def every_word(i):
    """Of word i: the energies of all 26^length answers, padded as it is, and their numbers of wrong letters."""
    x, y = jax.tree.map(lambda leaf: leaf[i], words()[2])
    length = int(x.mask.sum())
    answers = np.zeros((26**length, len(y)), np.int32)
    answers[:, :length] = list(product(range(26), repeat=length))
    energy = words_scored()(x, answers)
    return np.asarray(energy, np.float64), (answers != np.asarray(y)).sum(axis=1)


SEQUENCE = [
    ("most-offending", 0.0, "constant"),
    ("most-offending", 0.0, "hamming"),
    ("loss-augmented", 0.7, "hamming"),
    ("exhaustive", 0.0, "hamming"),
]


@pytest.mark.parametrize(("name", "reward", "margin_distance"), SEQUENCE)
def test_sequence_negatives_against_all_words(name, reward, margin_distance):
    """The lowest F - reward * wrong letters of all other words; and their distance, minimum and free energy."""
    params, model, batch = words()
    task = registry.find("task", "letters").build({"margin_distance": margin_distance})
    # Only loss-augmented looks at the reward of its setting.
    drawer = sampler(name, at(STRINGS, reward=reward or 3.0, conditional=True))
    needs = frozenset({"negatives", "partition", "minimum"})

    @jax.jit
    def draw():
        found, _ = drawer.draw(KEY, (), model, batch)
        return found.y, objective.energies_of(
            needs, LINEAR, Weights(params, None), task, batch, found, jnp.float32(2.0)
        )

    y, seen = jax.tree.map(np.asarray, draw())
    wrong_letters = y[:, 0] != np.asarray(batch.y)
    assert not wrong_letters[~np.asarray(batch.x.mask)].any(), "padding is kept"
    differ = 0
    for i, away in enumerate(wrong_letters.sum(axis=1)):
        energy, wrong = every_word(i)
        assert away > 0, "the negative is the right answer"
        np.testing.assert_allclose(seen.positive[i], energy[wrong == 0].item(), rtol=1e-5)
        others, wrong_of_others = energy[wrong > 0], wrong[wrong > 0]
        augmented = others - reward * wrong_of_others
        lowest = augmented.min()
        differ += augmented.argmin() != others.argmin()
        np.testing.assert_allclose(seen.negatives[i, 0] - reward * away, lowest, rtol=1e-5, atol=1e-5)
        assert seen.distance[i, 0] == (away if margin_distance == "hamming" else 1)
        np.testing.assert_allclose(seen.free[i], -np.log(np.exp(-2 * energy).sum()) / 2, rtol=1e-5, atol=1e-5)
        if not reward:  # a loss compares the two itself
            np.testing.assert_allclose(min(seen.minimum[i], seen.positive[i]), energy.min(), rtol=1e-5)
    assert bool(differ) == bool(reward), "the reward changes no answer: the test shows nothing"


def test_n_best_words_are_the_lowest_of_all_but_y():
    """In order; where y has the lowest energy of all, the second best comes first."""
    _, model, batch = words()
    y = np.asarray(jax.jit(lambda: sampler("n-best", at(STRINGS, conditional=True)).draw(KEY, (), model, batch)[0].y)())
    assert y.shape[1] == 8
    for i, found in enumerate(y):
        energy, wrong = every_word(i)
        x = jax.tree.map(lambda leaf, i=i: leaf[i], batch.x)
        np.testing.assert_allclose(words_scored()(x, found), np.sort(energy[wrong > 0])[:8], rtol=1e-5, atol=1e-5)
    assert (
        y[:, 0] == jax.jit(lambda: sampler("most-offending", at(STRINGS)).draw(KEY, (), model, batch)[0].y)()[:, 0]
    ).all()


SMALL = {True: Strings(3, 4, fixed=True), False: Strings(3, 4, fixed=False)}
PAIRS = jnp.asarray(np.random.default_rng(13).normal(0, 1, (4, 3, 3)), jnp.float32)


def small_energy(x, y):
    """Of up to 4 letters: no chain, every letter meets the first; an energy of its own for each length."""
    there = y >= 0 if x.letters is None else x.mask
    return jnp.sum(jnp.where(there, PAIRS[jnp.arange(4), y[0], y], 0)) + 0.3 * there.sum()


def small_batch(y, fixed):
    """Answers [B, 4], all to a question of three letters; or without one that tells their length, padded with -1."""
    mask = jnp.broadcast_to(jnp.arange(4) < 3, y.shape)
    return Batch(Word(jnp.zeros((len(y), 1)) if fixed else None, mask), jnp.where(mask, y, 0 if fixed else -1))


@pytest.mark.parametrize("fixed", [True, False])
def test_gibbs_leaves_the_model_as_it_is_and_reaches_it(fixed):
    """Exact samples stay exact samples after one sweep; any start is forgotten after many, but for its length."""
    beta, size = 1.5, 8_000
    energy = Energy(lambda *_: None, small_energy)
    every = np.array(list(product(range(3), repeat=3)))
    padded = small_batch(jnp.asarray(np.pad(every, ((0, 0), (0, 1))), jnp.int32), fixed)
    heights = np.asarray(jax.vmap(small_energy)(padded.x, padded.y), np.float64)
    share = np.exp(-beta * heights) / np.exp(-beta * heights).sum()
    rng = np.random.default_rng(14)

    def after(start, sweeps):
        batch = jax.tree.map(lambda leaf: leaf[start], padded)
        values = {"negatives": 1, "chain_steps": sweeps}
        drawer = sampler("gibbs", at(SMALL[fixed], beta, size=len(start), conditional=True), **values)
        y = np.asarray(jax.jit(lambda: drawer.draw(KEY, (), energy, batch)[0].y)())[:, 0]
        assert (y[:, 3] == SMALL[fixed].padding).all(), "the length stays"
        counts, expected = np.bincount(y[:, :3] @ [9, 3, 1], minlength=27), share * len(start)
        few = expected < 5  # a chi-square needs as many: such words together are one
        return stats.chisquare(*(np.append(many[~few], many[few].sum()) for many in (counts, expected))).pvalue

    assert after(rng.choice(27, size, p=share), 1) > 1e-3
    assert after(np.zeros(size, int), 30) > 1e-3
    assert after(np.zeros(size, int), 1) < 1e-6, "one sweep forgets everything: the test shows nothing"


@pytest.mark.parametrize("fixed", [True, False])
def test_random_words(fixed):
    """Letters and lengths are even, log q sums to 1 over all words."""
    space, size = SMALL[fixed], 4_000
    batch = small_batch(jnp.zeros((size, 4), jnp.int32), fixed)
    drawer = sampler("uniform", at(space, size=size, conditional=True), negatives=2)
    found, _ = drawer.draw(KEY, (), None, batch)
    y = np.asarray(found.y).reshape(-1, 4)
    question = jax.tree.map(lambda leaf: leaf[0], batch.x)
    lengths = [3] if fixed else [1, 2, 3, 4]
    every = [(*w, *[space.padding] * (4 - n)) for n in lengths for w in product(range(3), repeat=n)]
    log_q = jax.vmap(partial(found.log_q, question))(jnp.array(every))
    np.testing.assert_allclose(np.exp(log_q).sum(), 1, rtol=1e-5)
    place = {word: i for i, word in enumerate(every)}
    counts = np.bincount([place[tuple(map(int, word))] for word in y], minlength=len(every))
    assert stats.chisquare(counts, np.exp(np.float64(log_q)) / np.exp(np.float64(log_q)).sum() * len(y)).pvalue > 1e-3


def test_the_other_words_of_the_batch_are_as_long_as_y():
    """Longer ones are cut, shorter ones go on as y does; words of free length stay as they are."""
    _, model, batch = words()
    others = [[j % SIZE for j in range(i + 1, i + SIZE)] for i in range(SIZE)]
    y, mask = np.asarray(batch.y), np.asarray(batch.x.mask)
    found = np.asarray(sampler("in-batch", at(STRINGS, conditional=True)).draw(KEY, (), model, batch)[0].y)
    for i, j, k in product(range(SIZE), range(SIZE - 1), range(3)):
        other = others[i][j]
        assert found[i, j, k] == (y[other, k] if mask[i, k] and mask[other, k] else y[i, k])
    free = at(STRINGS._replace(fixed=False), conditional=True)
    np.testing.assert_array_equal(sampler("in-batch", free).draw(KEY, (), model, batch)[0].y, y[np.array(others)])


def edits_of(word, space):
    """All words that one edit makes of a word, as strings of digits."""
    n = len(word)
    changed = {word[:t] + c + word[t + 1 :] for t in range(n) for c in "012" if c != word[t]}
    if space.fixed:
        return changed
    put_in = {word[:t] + c + word[t:] for t in range(n + 1) for c in "012"} if n < 4 else set()
    return changed | put_in | ({word[:t] + word[t + 1 :] for t in range(n)} if n > 1 else set())


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("start", ["0", "201", "2011"])
def test_random_edits(start, fixed):
    """One edit gives every word that one edit makes, and no other; two edits those of these."""
    space, size = SMALL[fixed], 3_000
    padded = [*map(int, start), *[space.padding] * (4 - len(start))]
    x = Word(None, jnp.broadcast_to(jnp.arange(4) < len(start), (size, 4)))
    batch = Batch(x, jnp.broadcast_to(jnp.array(padded, jnp.int32), (size, 4)))

    def found(edits):
        drawer = sampler("corrupt", at(space, size=size, conditional=True), negatives=1, edits=edits)
        y = np.asarray(jax.jit(lambda: drawer.draw(KEY, (), None, batch)[0].y)())[:, 0]
        lengths = [len(start)] * size if fixed else (y >= 0).sum(axis=1)
        spelled = {"".join(map(str, row[:n])) for row, n in zip(y, lengths, strict=True)}
        assert all((row[n:] == space.padding).all() for row, n in zip(y, lengths, strict=True))
        return spelled

    once = edits_of(start, space)
    assert found(1) == once
    assert found(2) == once.union(*(edits_of(word, space) for word in once))


# --- labels ----------------------------------------------------------------------------------------------------------


TABLE = jnp.asarray(np.random.default_rng(4).normal(0, 1.5, (40, LABELS.size)), jnp.float32)  # F(x, y), x a number
LOOKUP = Energy(lambda *_: None, lambda table, x, y: table[x, y])
NAMED = Batch(jnp.arange(40), jnp.asarray(np.random.default_rng(5).integers(0, LABELS.size, 40)))
DIFFERENT = TASK._replace(distance=lambda y, other: (y != other).astype(jnp.float32))


def labelled(name, beta=1.0, reward=0.0):
    """The negatives of every line of the table, and the energies that a loss sees."""
    setting = at(LABELS, beta, reward, size=40, conditional=True)
    needs = frozenset({"negatives", "minimum"} | ({"partition"} if name == "exhaustive" else set()))

    @jax.jit
    def draw(table):
        found, _ = sampler(name, setting).draw(KEY, (), bind(LOOKUP, table), NAMED)
        given = (Weights(table, None), DIFFERENT, NAMED, found, jnp.float32(beta))
        return found.y, objective.energies_of(needs, LOOKUP, *given)

    return draw(TABLE)


@pytest.mark.parametrize(("name", "reward"), [("most-offending", 0.0), ("loss-augmented", 0.7)])
def test_the_hardest_label_against_enumeration(name, reward):
    y, seen = labelled(name, reward=reward)
    wrong = np.where(np.arange(LABELS.size) == NAMED.y[:, None], np.inf, TABLE)
    assert (np.argmin(TABLE, axis=1) == NAMED.y).any(), "no right label is the lowest: the test shows nothing"
    np.testing.assert_array_equal(y[:, 0], np.argmin(wrong, axis=1))
    np.testing.assert_array_equal(y[:, 0], np.argmin(wrong - reward, axis=1))  # all are equally far
    np.testing.assert_array_equal(seen.negatives[:, 0], wrong.min(axis=1))
    assert (seen.distance == 1).all()


def test_the_hardest_label_of_a_flat_energy_is_a_wrong_one():
    flat = Energy(lambda *_: None, lambda x, y: 0.0 * x)
    for name in ("most-offending", "loss-augmented"):
        found, _ = sampler(name, at(LABELS, size=40, conditional=True)).draw(KEY, (), flat, NAMED)
        assert (found.y[:, 0] != NAMED.y).all()


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_all_labels_against_enumeration(beta):
    """Free energy, minimum, and distance 0 for the right one alone."""
    y, seen = labelled("exhaustive", beta)
    table = np.asarray(TABLE, np.float64)
    np.testing.assert_array_equal(y, np.arange(LABELS.size))
    np.testing.assert_array_equal(seen.negatives, TABLE)
    np.testing.assert_allclose(seen.free, -np.log(np.exp(-beta * table).sum(axis=1)) / beta, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(seen.minimum, np.min(TABLE, axis=1))
    np.testing.assert_array_equal(seen.distance == 0, np.arange(LABELS.size) == NAMED.y[:, None])


# --- the hardest point of a box --------------------------------------------------------------------------------------


WELLS = jnp.array([[-2.0, 1.0], [3.0, -2.0]])
# F(x, y): x says how much shallower the second well is; or where a bowl stands.
TWO_WELLS = Energy(
    lambda *_: None, lambda x, y: jnp.min(jnp.sum(jnp.square(y - WELLS), axis=1) + jnp.array([0, 1]) * x)
)
BOWLS = Energy(lambda *_: None, lambda x, y: jnp.sum(jnp.square(y - x)))


@cache
def hardest(model, starts=4, descent_steps=10):
    """(x [B, ...], y [B, 2], radius) -> the negatives [B, 2]."""

    def find(x, y, radius):
        values = {"radius": radius, "starts": starts, "descent_steps": descent_steps}
        drawer = sampler("most-offending", at(size=len(y), conditional=True), **values)
        return drawer.draw(KEY, (), model, Batch(x, y))[0].y[:, 0]

    jitted = jax.jit(find)
    return lambda x, y, radius=0.3: np.asarray(jitted(*(jnp.asarray(a, jnp.float32) for a in (x, y, radius))))


@pytest.mark.parametrize("radius", [0.3, 1.0])
def test_the_hardest_point_is_in_the_box_and_out_of_the_ball(radius):
    """Even where y is the lowest point of all, and where it sits at a wall; corners have a test of their own."""
    y = np.random.default_rng(6).uniform(-5, 5, (500, 2))
    y[:200] = y[:200].clip(-5 + 1.5 * radius, 5 - 1.5 * radius)
    y[:100, 0], y[100:200, 1] = 5, -4.95
    y[200:] = y[200:].clip(-5 + 1.5 * radius, 5 - 1.5 * radius)
    for x in (y, np.tile([20.0, 0.0], (500, 1)), np.tile([1.0, -1.0], (500, 1))):
        found = hardest(BOWLS, descent_steps=30)(x, y, radius)
        assert (np.abs(found) <= 5).all()
        assert np.linalg.norm(found - y, axis=1).min() >= radius * (1 - 1e-4)


@pytest.mark.parametrize(("radius", "place"), [(0.3, 4.9), (1.0, 4.5)])
def test_the_hardest_point_near_a_corner(radius, place):
    """Where the energy falls into the corner: still out of the ball and in the box."""
    y = np.repeat(place * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]), 100, axis=0)
    found = hardest(BOWLS, descent_steps=30)(y * 1.01, y, radius)
    assert np.linalg.norm(found - y, axis=1).min() >= radius * (1 - 1e-4)
    assert (np.abs(found) <= 5).all(), f"{(np.abs(found) > 5).any(axis=1).mean():.1%} are outside the box"


def test_the_hardest_point_is_the_other_well_or_the_edge_of_the_ball():
    """Where y sits in one of two wells: the global minimum of all that is beyond the ball."""
    sits, shallower = map(np.ravel, np.meshgrid([0, 1], np.repeat([0.0, 0.05, -0.05, 0.5], 20)))
    y = np.asarray(WELLS)[sits]
    found = hardest(TWO_WELLS, 16, 60)(shallower, y)
    here, there = shallower * (sits == 1) + 0.3**2, shallower * (sits == 0)
    other, edge = there < here, there > here
    np.testing.assert_allclose(found[other], np.asarray(WELLS)[1 - sits[other]], atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found - y, axis=1)[edge], 0.3, rtol=1e-4)
    assert other.sum() == 140
    assert edge.sum() == 20


def test_the_hardest_point_is_lower_than_random_ones():
    """The more so with more steps, and with more starts."""
    y, x = np.random.default_rng(7).uniform(-4, 4, (500, 2)), np.full(500, 0.3)
    chance = sampler("uniform", at(), negatives=500).draw(KEY, (), None, PLANE)[0].y
    height = jax.jit(jax.vmap(partial(TWO_WELLS.apply, 0.3)))
    few, many = (hardest(TWO_WELLS, *of)(x, y) for of in ((1, 1), (8, 10)))
    found = [height(y).mean() for y in (chance, few, many)]
    assert found[0] > 1.3 * found[1] > 4 * found[2]


# --- the generator ---------------------------------------------------------------------------------------------------


@cache
def adversary(conditional):
    """A program: (rate, slope) -> 300 draws against a bowl (at the question, if there is one) plus a slope in y_0, and
    their mean energies."""
    x = jnp.asarray(np.random.default_rng(8).uniform(-3, 3, (SIZE, 2)), jnp.float32)
    batch = Batch(x if conditional else None, PLANE.y)

    @jax.jit
    def train(rate, slope):
        drawer = sampler("generator", at(conditional=conditional), negatives=64, generator_lr=rate)
        model = Energy(lambda *_: None, lambda x, y: jnp.sum(jnp.square(y - (1.0 if x is None else x))) - slope * y[0])

        def step(state, key):
            y, state = drawn(drawer, key, state, model, batch)
            return state, (y, objective.scored(model, batch, y).mean())

        return jax.lax.scan(step, drawer.init(KEY, batch), jax.random.split(KEY, 300))[1]

    return train


@pytest.mark.parametrize("conditional", [False, True])
def test_generator_learns_to_lower_the_energy(conditional):
    """Against a fixed bowl: the mean energy falls to the bottom."""
    y, energy = adversary(conditional)(0.01, 0.0)
    assert (np.abs(y) <= 5).all()
    assert energy[0] > 1.5
    assert energy[-20:].mean() < 0.02


def test_generator_never_leaves_the_box():
    """Not even where the energy falls without end: its answers pile up at the wall."""
    y, _ = adversary(False)(1.0, 1e4)
    assert (np.abs(y) <= 5).all()
    np.testing.assert_allclose(y[-1, :, 0], 5, atol=1e-3)


@pytest.mark.parametrize("name", ["generator", "most-offending"])
def test_nothing_flows_back_through_negatives_that_are_trained_or_sought(name):
    few = {"latent": 2, "generator_hidden": 3} if name == "generator" else {}
    drawer = sampler(name, at(), **few)

    @jax.jit
    @jax.value_and_grad
    def place(centre):
        model = energy_of(lambda y: jnp.sum(jnp.square(y - centre)))
        _, state = drawn(drawer, KEY, drawer.init(KEY, PLANE), model, PLANE)  # trains the generator
        return drawn(drawer, KEY, state, model, PLANE)[0].sum()

    (one, slope), (other, _) = place(0.3), place(3.0)
    assert one != other
    assert slope == 0


# --- what losses learn from negatives of a known density -------------------------------------------------------------


@cache
def mean_loss(loss, name, energy, space, negatives):
    """(data [N, D], beta, whether log q is known, parameter) -> []; each example has its own negatives, the same ones
    for all parameters."""
    unit = registry.find("loss", loss)

    @jax.jit
    def mean(data, beta, known, parameter):
        batch = Batch(jnp.zeros((len(data), 1)), data)  # a question that nobody reads
        drawer = sampler(name, at(space, beta, size=len(data), conditional=True), negatives=negatives)
        found, _ = drawer.draw(KEY, drawer.init(KEY, batch), energy, batch)
        told = Negatives(found.y, log_q=lambda x, y: known * found.log_q(x, y))
        weights = Weights(parameter, parameter)  # one of the two is read
        energies = objective.energies_of(unit.needs | {"negatives"}, energy, weights, TASK, batch, told, beta)
        return jax.vmap(unit.function)(energies).mean()

    return mean


def fitted(mean, data, bracket, beta=1.0, known=True):
    """The parameter at which the mean loss is lowest."""
    data = jnp.asarray(data, jnp.float32)
    return optimize.minimize_scalar(lambda p: float(mean(data, beta, known, p)), bracket=bracket, tol=1e-4).x


UNNORMALISED = Energy(lambda *_: None, lambda params, x, y: GAUSSIAN.apply(x, y))


@pytest.mark.parametrize("beta", [1.0, 2.0])
@pytest.mark.parametrize("name", ["uniform", "gaussian"])
def test_nce_finds_log_z(name, beta):
    """Of a fixed energy, whose partition function is known; and nothing like it once log q is forgotten."""
    data = np.random.default_rng(9).multivariate_normal(MEAN, COVARIANCE / beta, 4_096)
    truth = np.log(2 * np.pi * np.sqrt(np.linalg.det(COVARIANCE)) / beta)
    mean = mean_loss("nce", name, UNNORMALISED, BOX, 16)
    np.testing.assert_allclose(fitted(mean, data, (-1.0, 1.0), beta), truth, atol=0.05)
    assert abs(fitted(mean, data, (-1.0, 1.0), beta, known=False) - truth) > 0.5


STEEP = Energy(lambda *_: None, lambda a, x, y: a * jnp.sum(jnp.square(y)) / 2)


@pytest.mark.parametrize(
    ("name", "known", "ratio"), [("uniform", True, 1), ("gaussian", True, 1), ("gaussian", False, 0)]
)
def test_infonce_finds_the_density_or_without_log_q_its_ratio(name, known, ratio):
    """F = a y^2 / 2 on data of variance s^2: a = 1/s^2; against its own Gaussian without log q, a = 0."""
    data = np.random.default_rng(10).normal(0, 0.8, (4_096, 1))
    found = fitted(mean_loss("infonce", name, STEEP, Box(-5.0, 5.0, 1), 32), data, (0.5, 1.0), known=known)
    likeliest, error = 1 / np.var(data), np.sqrt(2 / len(data)) / np.var(data)
    np.testing.assert_allclose(found, ratio * likeliest, atol=4 * error)
