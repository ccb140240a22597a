"""Losses that train in lanes of one program: one that goes NaN leaves its neighbours alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.losses import LOSSES, QUICK, record

from ebmcli.core import registry
from ebmcli.core.decorators import OF_A_LOSS
from ebmcli.core.margins import Margin
from ebmcli.core.needs import needs
from ebmcli.core.types import Cost
from ebmcli.core.units import LossTraits, Unit
from ebmcli.training import loop, objective
from ebmcli.training.optimiser import SETTINGS


def unregistered(name, function, asked):
    """A loss that the registry does not know."""
    traits = LossTraits(needs(asked, name, *OF_A_LOSS), frozenset(), Margin.parse("-"), "", "", Cost(1))
    return Unit("loss", name, function, "NaN", "", {}, traits)


BROKEN = unregistered("broken", lambda e: jnp.nan * e.positive, "negatives")
DARK = unregistered("dark", lambda v: jnp.nan * v.energy(v.y), "view")


@pytest.mark.parametrize(
    ("sound", "broken", "sampler"), [("hinge", BROKEN, "uniform"), ("score-matching", DARK, "none")]
)
def test_a_loss_that_goes_nan_does_not_touch_its_neighbours(sound, broken, sampler):
    """Vectorised lanes: the sound one steps bit for bit as beside a sound one; the broken one is marked as diverged."""
    units = [registry.find(*pair) for pair in (("task", "moons"), ("energy", "mlp"), ("sampler", sampler))]
    settings = [p for table in (SETTINGS, *(unit.parameters for unit in units)) for p in table.values()]
    static = {p.name: p.default for p in settings} | {"hidden": 4, "layers": 1, "negatives": 4, "batch_size": 4}
    program = loop.Program(*units, tuple(static.items()), (registry.find("loss", sound), broken), broken.traits.needs)
    values = {p.name: jnp.asarray(p.default) for p in settings if p.traced}

    def run(place):
        one = {"seed": 7, "loss": place, "loss_values": jnp.ones(1), "reward": 0.0, "values": values}
        return loop.step(program, one, {}, loop.init(program, one, {}))

    run = jax.jit(jax.vmap(run), compiler_options=QUICK)
    (whole, _), (mixed, progress) = run(jnp.array([0, 0])), run(jnp.array([0, 1]))
    assert mixed.diverged.tolist() == [-1, 0]
    assert np.isnan(progress.loss).tolist() == [False, True]
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b[0]), mixed.params, whole.params)


def test_choosing_a_loss_by_arithmetic_would_spread_the_nan():
    """The fault that the trainer's switch avoids: the slopes of the loss that is not chosen are 0 times NaN."""
    units, energies = [LOSSES["hinge"], BROKEN], jax.tree.map(jnp.asarray, record(np.ones(3), np.zeros((3, 2))))

    def switched(place):
        return jax.lax.switch(place, [objective.branch(unit) for unit in units], energies, jnp.ones(1))[1].positive

    def indexed(place):
        return jax.grad(lambda e: jnp.stack([jax.vmap(u.function)(e).mean() for u in units])[place])(energies).positive

    spared, spread = (jax.jit(jax.vmap(way), compiler_options=QUICK)(jnp.arange(2)) for way in (switched, indexed))
    np.testing.assert_allclose(spared[0], 1 / 3, rtol=1e-6)
    assert np.isnan(spread[0]).all()
