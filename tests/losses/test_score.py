"""The laws of the losses of a View of the model: score matching and its kin, denoising, the energy discrepancy."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.views import LOSS, LOSSES, PERTURBED, curvature, double, keys, noise, quartic, single, slope, some

from ebmcli.core.types import View

# --- the formulas in numpy, of one example: parameters, y, beta, its standard normal numbers --------------------------


def score_matching(params, y, beta, _):
    return np.square(beta * slope(params, y)).sum() / 2 - beta * np.trace(curvature(params, y))


def sliced(params, y, beta, e):
    return np.square(beta * slope(params, y)).sum() / 2 - beta * e @ curvature(params, y) @ e


def denoising_score_matching(params, y, beta, e, sigma=0.2):
    return np.square(sigma * beta * slope(params, y + sigma * e) - e).sum() / 2


def denoising(params, y, beta, e, corruption=0.3):
    (a, b, c, q, _), (one, two) = params, y + corruption * e
    return (y[0] - (a * one + b * two + c)) ** 2 + (y[1] - (c * one + q * two)) ** 2


def energy_discrepancy(params, y, beta, e, t=0.25, w=1.0):
    """The first normal vector moves the answer, each of the others moves a copy of that."""
    others = [quartic(params, y + t**0.5 * e[0] + t**0.5 * one) for one in e[1:]]
    return np.log(w / len(others) + np.mean(np.exp(beta * (quartic(params, y) - np.array(others)))))


class Law(NamedTuple):
    """What is known of a loss without running it."""

    formula: Callable
    flat: Callable[[np.ndarray], np.ndarray]  # (e [N, D]) -> values [N] on an energy that knows nothing
    other: Mapping[str, float] = MappingProxyType({})  # hyperparameters that are not the defaults
    draws: tuple[int, ...] = ()  # normal vectors for one example
    ignorant: tuple[float, ...] = (0, 0, 0, 0, 0.4)  # parameters of a model that knows nothing
    bowl: tuple[float, ...] = (0, 0, 0, 0.1, 0)  # of one that knows of 0: |y|^2 / 20 or a reconstruction towards it
    steeper: tuple[float, ...] = (0, 0, 0, 1, 0)  # the way to one that knows more


LAWS = {
    "score-matching": Law(score_matching, lambda e: 0),
    "sliced-score-matching": Law(sliced, lambda e: 0),
    "denoising-score-matching": Law(
        denoising_score_matching, lambda e: np.square(e).sum(axis=1) / 2, other={"sigma": 0.5}
    ),
    "denoising": Law(
        denoising,
        lambda e: np.square(0.3 * e).sum(axis=1),
        other={"corruption": 0.8},
        ignorant=(1, 0, 0, 1, 0),  # whatever it is asked is an answer
        bowl=(0.9, 0, 0, 0.9, 0),
        steeper=(-1, 0, 0, -1, 0),
    ),
    "energy-discrepancy": Law(
        energy_discrepancy, lambda e: np.log(1 + 1 / PERTURBED), other={"t": 0.04, "w": 3.0}, draws=(1 + PERTURBED,)
    ),
}
COVERED = [name for name in LOSSES if name in LAWS]


def test_every_registered_loss_of_a_view_has_its_laws_and_every_law_a_loss():
    assert set(LOSSES) == set(LAWS), f"losses without laws, or laws without a loss: {set(LOSSES) ^ set(LAWS)}"


@pytest.mark.parametrize("name", LOSSES)
def test_no_margin_is_promised(name):
    assert LOSSES[name].traits.promised.text() == "-"


# --- the checks: each raises AssertionError where a loss breaks the law ---------------------------------------------


def check_formula(function, law: Law) -> None:
    """Its value is that of the formula in numpy, at the defaults and at other hyperparameters."""
    e = some()
    for hyperparameters in ({}, law.other):
        numbers = noise(e, *law.draws)
        hand = [law.formula(*one, **hyperparameters) for one in zip(e.params, e.y, e.beta, numbers, strict=True)]
        np.testing.assert_allclose(double(function, e, **hyperparameters)[0], hand, rtol=1e-9, atol=1e-12)


def check_gradient(function, law: Law) -> None:
    """The slopes in the parameters of the model are central differences."""
    e = some()
    sides = [[double(function, e._replace(params=e.params + s))[0] for s in (up, -up)] for up in 1e-5 * np.eye(5)]
    numeric = np.stack([(up - down) / 2e-5 for up, down in sides], axis=1)
    np.testing.assert_allclose(double(function, e)[1], numeric, rtol=1e-6, atol=1e-6)


def check_constant(function, law: Law) -> None:
    """A constant added to the energy changes nothing, nor is it learned."""
    e = some()
    for here, there in zip(
        double(function, e), double(function, e._replace(params=e.params + 37 * np.eye(5)[4])), strict=True
    ):
        np.testing.assert_allclose(here, there, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(double(function, e)[1][:, 4], 0, atol=1e-12)


def check_flat(function, law: Law) -> None:
    """The value on an energy that knows nothing."""
    e = some()
    found = double(function, e._replace(params=np.tile(law.ignorant, (len(e.y), 1)).astype(float)))[0]
    np.testing.assert_allclose(found, np.broadcast_to(law.flat(noise(e)), len(e.y)), rtol=1e-9, atol=1e-12)


def check_extremes(function, law: Law) -> None:
    """Finite value and slopes in float32 at energies of +-1e4."""
    e = some()
    for scale in (-1e4, 1e4):
        found = single(function, e._replace(params=scale * np.abs(e.params)))
        assert all(np.isfinite(leaf).all() for leaf in found)


def check_step(function, law: Law) -> None:
    """A step of gradient descent on an answer at 0 lowers its energy relative to that of all other places."""
    e = some()
    e = e._replace(params=np.tile(law.bowl, (len(e.y), 1)).astype(float), y=0 * e.y)
    steepening = -double(function, e)[1].mean(axis=0) @ law.steeper
    assert steepening > 0.01, f"a step makes the bowl round the answer steeper by {steepening} times the rate"


CHECKS = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", COVERED)
def test_law(name, check):
    CHECKS[check](LOSS[name], LAWS[name])


# --- planted faults ---------------------------------------------------------------------------------------------------


def half(v, slope):
    return jnp.square(v.beta * slope).sum() / 2


def matched(v, sign=-1, beta=None, entries=jnp.trace):
    return half(v, jax.grad(v.energy)(v.y)) + sign * (beta or v.beta) * entries(jax.hessian(v.energy)(v.y))


def normal(v, *shape):
    return jax.random.normal(v.key, (*shape, *v.y.shape))


def unit(v):
    return normal(v) / jnp.linalg.norm(normal(v))


def curved(v, along):
    return half(v, jax.grad(v.energy)(v.y)) - v.beta * along @ jax.hessian(v.energy)(v.y) @ along


def denoised(v, sigma, target=1, spread=1):
    slope = jax.grad(v.energy)(v.y + sigma * spread * normal(v))
    return jnp.square(sigma * v.beta * slope - target * normal(v)).sum() / 2


def restored(v, corruption, towards=0.0):
    asked = v.y + corruption * normal(v)
    return jnp.square(v.y + towards * (asked - v.y) - v.reconstruct(asked)).sum()


def discrepancy(v, t, w, sign=1, first=1, soft=jax.nn.logsumexp):
    e = normal(v, 1 + PERTURBED)
    others = jax.vmap(v.energy)(v.y[None] + jnp.sqrt(t) * (first * e[:1] + e[1:]))
    return soft(jnp.append(sign * v.beta * (v.energy(v.y) - others), jnp.log(w))) - jnp.log(PERTURBED)


# (the loss and what is wrong, the checks that catch it, the fault)
# fmt: off
MUTANTS = [
    ("score-matching with + laplacian", "formula step", lambda v: matched(v, sign=1)),
    ("score-matching without laplacian", "formula step", lambda v: matched(v, sign=0)),
    ("score-matching with beta on the slope alone", "formula", lambda v: matched(v, beta=1.0)),
    ("score-matching over the whole hessian", "formula", lambda v: matched(v, entries=jnp.sum)),
    ("sliced-score-matching along a fixed direction", "formula", lambda v: curved(v, jnp.ones(2))),
    ("sliced-score-matching along a unit vector", "formula", lambda v: curved(v, unit(v))),
    ("denoising-score-matching with target -noise", "formula step", lambda v, sigma=0.2: denoised(v, sigma, target=-1)),
    ("denoising-score-matching at y itself", "formula", lambda v, sigma=0.2: denoised(v, sigma, spread=0)),
    ("denoising-score-matching at the default sigma", "formula", lambda v, sigma=0.2: denoised(v, 0.2)),
    ("denoising towards the corrupted y", "formula flat", lambda v, corruption=0.3: restored(v, corruption, towards=1)),
    ("denoising without corruption", "formula flat", lambda v, corruption=0.3: restored(v, 0.0)),
    ("energy-discrepancy without w", "formula flat", lambda v, t=0.25, w=1.0: discrepancy(v, t, 0.0)),
    ("energy-discrepancy swapped", "formula step", lambda v, t=0.25, w=1.0: discrepancy(v, t, w, sign=-1)),
    ("energy-discrepancy moved once", "formula", lambda v, t=0.25, w=1.0: discrepancy(v, t, w, first=0)),
    ("energy-discrepancy of exp", "extremes",
     lambda v, t=0.25, w=1.0: discrepancy(v, t, w, soft=lambda a: jnp.log(jnp.exp(a).sum()))),
    ("energy-discrepancy and the energy", "formula constant flat",
     lambda v, t=0.25, w=1.0: discrepancy(v, t, w) + v.energy(v.y)),
]
# fmt: on


@pytest.mark.parametrize(("what", "checks", "fault"), MUTANTS, ids=[what for what, _, _ in MUTANTS])
def test_mutant_is_caught(what, checks, fault):
    """A planted wrong version breaks each law that is named beside it."""
    for check in checks.split():
        with pytest.raises(AssertionError):
            CHECKS[check](fault, LAWS[what.split()[0]])


# --- worked values ----------------------------------------------------------------------------------------------------


def test_score_matching_worked():
    """y1^4 + y1^2 y2^2 + y2^3 at (1, 2): slope (12, 16), laplacian 20 + 14; beta^2 400 / 2 - 34 beta."""
    e = some()
    params, y = np.tile([1.0, 1, 1, 0, 0], (len(e.y), 1)), np.tile([1.0, 2], (len(e.y), 1))
    found = double(LOSS["score-matching"], e._replace(params=params, y=y))[0]
    np.testing.assert_allclose(found[:2], [4 * 200 - 2 * 34, 0.49 * 200 - 0.7 * 34], rtol=1e-12)


def test_score_matching_is_that_of_finite_differences():
    """Of the energy alone: nothing else here has been differentiated."""
    e, d = some(), 1e-4
    for params, y, beta, found in zip(e.params, e.y, e.beta, double(LOSS["score-matching"], e)[0], strict=True):
        ahead, behind = (np.array([quartic(params, y + s * step) for step in d * np.eye(2)]) for s in (1, -1))
        gradient, laplacian = (ahead - behind) / (2 * d), ((ahead + behind - 2 * quartic(params, y)) / d**2).sum()
        hand = np.square(beta * gradient).sum() / 2 - beta * laplacian
        np.testing.assert_allclose(found, hand, rtol=1e-5, atol=1e-6)


def test_denoising_worked():
    """It asks for the reconstruction of one point, y + corruption e, and wants y itself for it."""
    a, d, y = np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([0.1, -0.2]), np.array([1.5, -0.5])

    def one(key):
        asked = []
        loss = LOSS["denoising"](View(None, lambda y: asked.append(y) or a @ y + d, y, key, 3.0), corruption=0.4)
        return loss, *asked

    found, points = map(np.asarray, jax.jit(jax.vmap(one))(keys(400)))
    np.testing.assert_allclose(found, np.square(y - (points @ a.T + d)).sum(axis=1), rtol=1e-5)
    # means and variances of the coordinates, within 4 standard errors
    assert (np.abs(points.mean(axis=0) - y) < 4 * 0.4 / 400**0.5).all()
    assert (np.abs(points.var(axis=0) / 0.16 - 1) < 4 * (2 / 400) ** 0.5).all()


@pytest.mark.parametrize("w", [0.5, 1.0, 4.0])
def test_energy_discrepancy_of_a_flat_energy(w):
    """log(1 + w / M)"""
    e = some()
    found = double(LOSS["energy-discrepancy"], e._replace(params=0 * e.params), w=w)[0]
    np.testing.assert_allclose(found, np.log(1 + w / PERTURBED), rtol=1e-12)


def test_energy_discrepancy_is_bounded_below_by_w():
    """log(w / M), however low the energy of the right answer: without w it would have no floor."""
    e = some()
    deep = e._replace(params=np.tile([0, 0, 0, 1e6, 0], (len(e.y), 1)), y=0 * e.y)
    np.testing.assert_allclose(double(LOSS["energy-discrepancy"], deep, w=2.0)[0], np.log(2 / PERTURBED), rtol=1e-6)
