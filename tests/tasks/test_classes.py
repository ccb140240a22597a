"""Which arm of the pinwheel: the labels are those of the definition, and known energies are read right."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.tasks import drawn, measured

from ebmcli.tasks import _pinwheel, classes

SIZE = 20_000


def pinwheel_arm(x):
    """The arm that a point lies nearest to, by turning it back: an independent reading of the definition."""
    x = np.asarray(x) / 2
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    turn = -(angle + 0.25 * np.exp(radius)) * 5 / (2 * np.pi)  # arms are at whole turns
    return np.round(turn).astype(int) % 5


def test_classes_are_the_arms_of_the_pinwheel():
    x, y = drawn("classes", SIZE)
    assert np.bincount(y, minlength=5) == pytest.approx(4_000, abs=5 * np.sqrt(3_200))
    assert np.mean(pinwheel_arm(x) == y) > 0.98
    radius = np.hypot(*x.T) / 2
    assert radius.mean() == pytest.approx(1.0, abs=0.02)
    assert radius.std() == pytest.approx(0.3, abs=0.02)


def test_the_bayes_error_of_classes_is_that_of_the_true_posterior():
    """Stated beside every figure; the energy -log p(x | arm) reaches it, and other draws agree within their noise."""
    x, y = (np.concatenate(parts) for parts in zip(*(drawn("classes", SIZE, seed) for seed in range(3)), strict=True))
    wrong = np.mean(_pinwheel.arm_log_densities(np.asarray(x, np.float64)).argmax(axis=1) != y)
    assert classes.bayes_error(True) == pytest.approx(wrong, abs=4 * np.sqrt(wrong / 5_000))
    assert measured("classes", lambda x, y: jnp.sum(x))["bayes_error"] == classes.bayes_error(True)
    assert 0 < wrong < np.mean(pinwheel_arm(x) != y), "no reading of the arms beats it"


def test_measures_of_energies_that_are_known_on_classes():
    def arm_energy(x, y):
        angle = jnp.arctan2(x[1], x[0]) + 0.25 * jnp.exp(jnp.hypot(*x) / 2) + 2 * jnp.pi * y / 5
        return 3 * (1 - jnp.cos(angle))

    good = measured("classes", arm_energy)
    assert good["error"] < 0.02
    assert good["gap_q50"] == pytest.approx(3 * (1 - np.cos(2 * np.pi / 5)), abs=0.3)
    flat = measured("classes", lambda x, y: jnp.sum(x))
    assert (flat["error"], flat["auroc"]) == (1.0, 0.5), "a tie is read wrong"
    assert flat["nll"] == pytest.approx(np.log(5), abs=1e-6)
    inverted = measured("classes", lambda x, y: -arm_energy(x, y))
    assert inverted["error"] > 0.98
    assert inverted["auroc"] < 0.2
