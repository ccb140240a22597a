"""Negatives that do not look at the energy, and what losses learn from those of a known density: by the exact answer or
within Monte-Carlo error."""

from functools import cache, partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.negatives import BOWL, BOX, KEY, LABELS, PLANE, SIZE, TASK, context, drawn, energy_of, sampler
from helpers.quick import quick
from scipy import optimize, stats

from ebmcli.core import registry
from ebmcli.core.types import Batch, Box, Energy, Negatives
from ebmcli.training import objective
from ebmcli.training.objective import Weights


def drawn_with_density(space):
    """20,000 uniform answers, and the log density of the first."""

    @quick
    def draw():
        found, _ = sampler("uniform", context(space), negatives=20_000).draw(KEY, (), BOWL, PLANE)
        return found.y, found.log_q(None, found.y[0])

    return map(np.asarray, draw())


@pytest.mark.parametrize("space", [BOX, Box(0.0, 2.0), Box(-1.0, 2.0, 1)])
def test_uniform_points_fill_the_box_evenly(space):
    """Within the box, with its mean and variance, the axes independent; log q = -log volume."""
    y, log_q = drawn_with_density(space)
    width = space.high - space.low
    flat = stats.uniform(space.low, width)
    assert all(stats.kstest(axis, flat.cdf).pvalue > 1e-3 for axis in y.T)
    np.testing.assert_allclose(y.mean(axis=0), flat.mean(), atol=4 * flat.std() / np.sqrt(len(y)))
    covariance = np.cov(y.T).reshape(space.dims, space.dims)
    np.testing.assert_allclose(covariance, flat.var() * np.eye(space.dims), atol=4 * flat.var() / np.sqrt(len(y)))
    np.testing.assert_allclose(log_q, -space.dims * np.log(width), rtol=1e-6)


def test_uniform_labels_are_equally_likely():
    y, log_q = drawn_with_density(LABELS)
    assert stats.chisquare(np.bincount(y, minlength=LABELS.size)).pvalue > 1e-3
    np.testing.assert_allclose(log_q, -np.log(LABELS.size), rtol=1e-6)


FINE = 512  # cells a side of the grid on which densities are summed


def fine_grid():
    middle = BOX.low + 10 / FINE * (np.arange(FINE, dtype=np.float32) + 0.5)
    return np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2)


@cache
def gaussian_program(conditional):
    """(data [N, 2], whether to forget what fell outside) -> mean, covariance, answers [..., 2], q of the fine grid."""
    drawer = sampler("gaussian", context(conditional=conditional), negatives=(1 if conditional else SIZE) * 5_000)

    @quick
    def program(data, forget):
        fitted = drawer.init(KEY, Batch(None, data))
        fitted = fitted._replace(outside=jnp.where(forget, 1e-6, fitted.outside))
        found, _ = drawer.draw(KEY, fitted, BOWL, PLANE)
        q = jnp.exp(jax.vmap(partial(found.log_q, None))(fine_grid()))
        return fitted.mean, fitted.root @ fitted.root.T, found.y.reshape(-1, 2), q

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
    "narrow": ([0.7, -0.4], [[0.02, 0.005], [0.005, 0.01]]),
    "shifted": ([4.5, -2.0], [[1.0, -0.5], [-0.5, 2.0]]),
}


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("shape", GAUSSIANS)
def test_gaussian_points_fall_as_their_density_says(shape, conditional):
    check_gaussian_negatives(*GAUSSIANS[shape], conditional)


@pytest.mark.parametrize("shape", ["broad", "shifted"])
def test_gaussian_log_q_without_the_outside_share_is_caught(shape):
    """The fault: what was redrawn uniformly has no place in the density."""
    with pytest.raises(AssertionError):
        check_gaussian_negatives(*GAUSSIANS[shape], False, forget=True)


def test_gaussian_points_on_a_line_have_the_density_of_the_closed_form():
    """In one dimension, against the closed form."""
    line = Box(-1.0, 2.0, 1)
    data = Batch(None, jnp.asarray(np.random.default_rng(1).normal(1.5, 0.6, (4_096, 1)), jnp.float32))
    drawer = sampler("gaussian", context(line), negatives=20_000)
    y = np.linspace(-0.99, 1.99, 50, dtype=np.float32)[:, None]

    @quick
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


@quick
def noised(y, spread):
    return sampler("noise", context(size=3), per_example=4_000, spread=spread).draw(KEY, (), BOWL, Batch(None, y))[0].y


@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_noise_is_gaussian_round_each_right_answer(spread):
    """Gaussian round each right answer, as wide as said; near a wall folded at it and not clipped."""
    y = np.array([[0.0, 1.0], [-2.0, 3.0], [4.9, -4.9]], np.float32)
    away = np.asarray(noised(y, spread))
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
    batch = Batch(jnp.zeros((size, 1)), y if answers == "continuous" else jnp.asarray([3, 3, 1, 0, 2][:size]))
    space = BOX if answers == "continuous" else LABELS
    drawer = sampler("in-batch", context(space, size=size, conditional=True))
    found, _ = quick(partial(drawn, drawer, model=BOWL))(KEY, (), batch=batch)
    for i in range(size):
        others = np.delete(np.asarray(batch.y), i, axis=0)
        assert sorted(map(str, np.asarray(found[i]))) == sorted(map(str, others))


@pytest.mark.parametrize("space", [BOX, Box(0.0, 2.0), Box(-1.0, 2.0, 1)])
def test_quadrature_has_one_node_in_each_cell(space):
    """Jittered evenly over its cell, and the weights sum to the volume of the box."""
    nodes, width = 24, (space.high - space.low) / 24
    found = quick(lambda: sampler("quadrature", context(space), nodes=nodes).draw(KEY, (), BOWL, PLANE)[0])()
    place = (np.asarray(found.y, np.float64) - space.low) / width
    cells = np.floor(place).astype(int)
    assert sorted(map(tuple, cells.tolist())) == list(product(range(nodes), repeat=space.dims))
    assert all(stats.kstest(axis, "uniform").pvalue > 1e-3 for axis in (place - cells).T)
    np.testing.assert_allclose(np.exp(found.log_weight).sum(), (space.high - space.low) ** space.dims, rtol=1e-5)


MEAN, COVARIANCE = np.array([0.7, -0.4], np.float32), np.array([[0.5, 0.2], [0.2, 0.3]])
PRECISION = jnp.asarray(np.linalg.inv(COVARIANCE), jnp.float32)
GAUSSIAN = energy_of(lambda y: 0.5 * (y - MEAN) @ PRECISION @ (y - MEAN))
FLAT = energy_of(lambda y: 0.5 + 0 * y[0])


def unbound(model) -> Energy:
    """With parameters that it does not read, as the trainer has it."""
    return Energy(lambda *_: None, lambda params, *given: model.apply(*given))


@quick
def integrated(beta):
    """What a loss sees of a Gaussian energy and of a flat one."""
    found, _ = sampler("quadrature", context(beta=beta), nodes=256).draw(KEY, (), GAUSSIAN, PLANE)
    given = (Weights(None, None), TASK, PLANE, found, beta)
    needs = frozenset({"partition", "minimum"})
    return [objective.energies_of(needs, unbound(model), *given) for model in (GAUSSIAN, FLAT)]


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_quadrature_recovers_a_free_energy(beta):
    """Of a Gaussian energy: -(1/beta) log(2 pi sqrt|C| / beta); of a flat one: its level less log(volume)/beta."""
    gaussian, flat = integrated(jnp.float32(beta))
    exact = -np.log(2 * np.pi * np.sqrt(np.linalg.det(COVARIANCE)) / beta) / beta
    np.testing.assert_allclose(gaussian.free, exact, atol=1e-3)
    np.testing.assert_allclose(gaussian.minimum, 0, atol=5e-3)
    np.testing.assert_allclose(flat.free, 0.5 - np.log(100) / beta, rtol=1e-5)


# --- what losses learn from negatives of a known density -------------------------------------------------------------


@cache
def mean_loss(loss, name, energy, space, negatives):
    """(data [N, D], beta, whether log q is known) -> a function of the parameter, []; each example has its own
    negatives, the same ones for all parameters."""
    unit = registry.find("loss", loss)
    needs = unit.traits.needs | {"negatives"}

    @quick
    def draw(data, beta):
        """Points with their log density in a last coordinate: of the data, and of the negatives."""
        batch = Batch(jnp.zeros((len(data), 1)), data)
        drawer = sampler(name, context(space, beta, size=len(data), conditional=True), negatives=negatives)
        found, _ = drawer.draw(KEY, drawer.init(KEY, batch), BOWL, batch)
        log_q = jax.vmap(partial(found.log_q, None))
        return [jnp.c_[y, jnp.broadcast_to(log_q(y), len(y))] for y in (data, found.y.reshape(-1, space.dims))]

    @quick
    def mean(data, others, beta, known, parameter):
        placed = Energy(energy.init, lambda params, x, y: energy.apply(params, x, y[:-1]))
        batch = Batch(jnp.zeros((len(data), 1)), data)  # a question that nobody reads
        told = Negatives(others.reshape(len(data), negatives, -1), log_q=lambda x, y: known * y[-1])
        weights = Weights(parameter, parameter)  # one of the two is read
        energies = objective.energies_of(needs, placed, weights, TASK, batch, told, beta)
        return jax.vmap(unit.function)(energies).mean()

    return lambda data, beta, known: partial(mean, *draw(data, beta), beta, known)


def fitted(mean, data, bracket, beta=1.0, known=True):
    """The parameter at which the mean loss is lowest."""
    data = jnp.asarray(data, jnp.float32)
    of = mean(data, beta, known)
    return optimize.minimize_scalar(lambda parameter: float(of(parameter)), bracket=bracket, tol=1e-4).x


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


@pytest.mark.parametrize("slope", [0.0, 1.0, -2.0])
@pytest.mark.parametrize("across", [0.0, 1e-6, 1e-3])
def test_a_gaussian_of_data_on_a_line_is_a_narrow_one_that_sums_to_one(slope, across):
    """Whatever the line: finite, and as exact as of any data."""
    noise = np.random.default_rng(0).normal(size=(2, 4096))
    data = np.stack([noise[0], slope * noise[0] + across * noise[1]], axis=1).astype(np.float32)

    @quick
    def log_density():
        drawer = sampler("gaussian", context(), negatives=64)
        state = drawer.init(KEY, Batch(None, jnp.asarray(data)))
        negatives, _ = drawer.draw(KEY, state, BOWL, PLANE)
        return negatives.y, jax.vmap(lambda y: negatives.log_q(None, y))(fine_grid()), state.root

    y, log_q, root = log_density()
    assert np.isfinite(y).all()
    assert np.exp(np.float64(log_q)).sum() * (10 / FINE) ** 2 == pytest.approx(1, abs=2e-3)
    assert np.sqrt(np.linalg.eigvalsh(root @ root.T)[0]) == pytest.approx(10 / 128, rel=1e-2)
