"""The optimiser: schedules, decay, and the names that the settings know."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmcli.training.optimiser import OPTIMIZERS, SCHEDULES, SETTINGS, optimiser

PARAMS = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
ZERO = jax.tree.map(jnp.zeros_like, PARAMS)


def moved(steps_done, **settings):
    """By how much the last of so many steps moves a weight whose gradient is 1."""
    found = optimiser(**({"steps": 10, "lr": 0.1, "optimizer": "sgd"} | settings))
    state = found.init(PARAMS)
    for _ in range(steps_done):
        updates, state = found.update(PARAMS, state, ZERO)
    return float(updates["kernel"][0, 0])


def test_the_cosine_ends_at_0_and_a_constant_schedule_does_not_decay():
    assert moved(1) == pytest.approx(-0.1)
    assert moved(6) == pytest.approx(-0.1 * 0.5 * (1 + np.cos(np.pi * 0.5)))
    assert moved(11) == pytest.approx(0.0, abs=1e-8)
    assert moved(11, schedule="constant") == pytest.approx(-0.1)


def test_biases_are_not_decayed():
    found = optimiser(steps=10, lr=0.1, weight_decay=0.5)
    updates, _ = found.update(ZERO, found.init(PARAMS), PARAMS)
    assert updates["kernel"][0, 0] == pytest.approx(-0.05)
    assert updates["bias"][0] == 0


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_with_every_schedule_moves_against_the_gradient(optimizer, schedule):
    assert moved(1, optimizer=optimizer, schedule=schedule) < 0


def test_what_is_registered_is_what_the_settings_offer():
    assert SETTINGS["optimizer"].choices == tuple(OPTIMIZERS)
    assert SETTINGS["schedule"].choices == tuple(SCHEDULES)
