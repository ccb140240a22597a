"""Exact samples of the model: they have the distribution exp(-beta F), within Monte-Carlo error, and give `ml` the
gradient of `nll`. Words are in test_words."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.negatives import BOX, KEY, PLANE, context, energy_of, sampler
from helpers.quick import quick
from helpers.targets import CHECKS, COUNT, ERRORS, gaussian, long, mixture, ramp
from jax.flatten_util import ravel_pytree
from scipy import stats

from ebmcli.core import registry
from ebmcli.core.batching import negative_energies
from ebmcli.core.types import Batch, Box, Labels, Model, bind
from ebmcli.samplers import exact
from ebmcli.training.objective import Choice, Weights, contrast_gradient

TABLES = 50  # from each of them COUNT / TABLES draws


def runner(target):
    """A program: beta -> [COUNT, 2] exact draws."""
    keys = jax.random.split(jax.random.key(2), TABLES)

    @quick
    def draw(beta):
        drawer = sampler("exact", context(beta=beta), table=48, negatives=COUNT // TABLES)
        return jax.vmap(lambda key: drawer.draw(key, (), energy_of(target), PLANE)[0].y)(keys)

    return lambda beta: np.asarray(draw(jnp.float32(beta)), np.float64).reshape(COUNT, 2)


sound = cache(runner)


@pytest.mark.parametrize(
    ("target", "beta"), [(gaussian, 1.0), (gaussian, 4.0), (mixture, 1.0), (mixture, 4.0), (ramp, 1.0)]
)
def test_exact_points_have_the_distribution_of_the_model(target, beta):
    CHECKS[target](sound(target)(beta), beta)


def test_exact_draws_without_weights_are_caught(monkeypatch):
    monkeypatch.setattr(exact, "negative_energies", lambda *given: 0 * negative_energies(*given))
    with pytest.raises(AssertionError):
        CHECKS[gaussian](runner(gaussian)(1.0), 1.0)


@pytest.mark.parametrize(("name", "conditional"), [("exact", False), ("exact", True), ("gibbs", True)])
def test_exact_labels_have_the_frequencies_of_the_softmax(name, conditional):
    """Frequencies against the softmax, for every question."""
    table = jnp.asarray(np.random.default_rng(4).normal(size=(6, 7)), jnp.float32)
    lookup = Model(lambda x, y: table[0 if x is None else x, y])
    batch = Batch(jnp.arange(6) if conditional else None, jnp.zeros(6, jnp.int32))

    @quick
    def draw(beta):
        drawer = sampler(name, context(Labels(7), beta, conditional=conditional), negatives=10_000)
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
        drawer = sampler(name, context(space, beta, size=len(batch.y), conditional=batch.x is not None), **values)
        found, _ = drawer.draw(key, (), bind(energy, weights.energy), batch)
        unit = registry.find("loss", loss)
        choice = Choice([unit], jnp.int32(0), jnp.array(of_loss))
        gradient = contrast_gradient(choice, unit.traits.needs, energy, MOONS, weights, beta, batch, found)[1]
        return ravel_pytree(gradient)[0]

    @long
    def both(beta):
        side = round(16_384 ** (1 / space.dims)) if on_box else 0
        complete = ("quadrature", {"nodes": side}) if on_box else ("exhaustive", {})
        some = {"negatives": 64} | ({"table": 24} if on_box else {})
        drawn = jax.vmap(lambda key: slope("ml", "exact", some, beta, key, 0.0))(keys)
        return slope("nll", *complete, beta, KEY), drawn

    return lambda beta: [np.asarray(found, np.float64) for found in both(jnp.float32(beta))]


MOONS = registry.find("task", "moons").build({})
POINTS = np.random.default_rng(5).normal(0, 2, (32, 2)).astype(np.float32)
LIKELIHOODS = {
    "box": (BOX, Batch(None, POINTS)),
    "box-x": (Box(-1.0, 2.0, 1), Batch(POINTS, np.square(POINTS[:, :1] / 8))),
    "labels-x": (Labels(5), Batch(POINTS, np.arange(32, dtype=np.int32) % 5)),
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
