"""The hardest labels and points, against enumeration, and negatives of a generator that is trained."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.negatives import KEY, LABELS, PLANE, SIZE, TASK, context, drawn, energy_of, sampler
from helpers.quick import quick
from helpers.targets import long

from ebmcli.core.batching import negative_energies
from ebmcli.core.types import Batch, Energy, Model, bind
from ebmcli.training import objective
from ebmcli.training.objective import Weights

# --- labels ----------------------------------------------------------------------------------------------------------


TABLE = jnp.asarray(np.random.default_rng(4).normal(0, 1.5, (40, LABELS.size)), jnp.float32)  # F(x, y), x a number
LOOKUP = Energy(lambda *_: None, lambda table, x, y: table[x, y])
NAMED = Batch(jnp.arange(40), jnp.asarray(np.random.default_rng(5).integers(0, LABELS.size, 40)))
DIFFERENT = TASK._replace(distance=lambda y, other: (y != other).astype(jnp.float32))


@cache
def labelled(name):
    """A program: (beta, reward) -> the negatives of every line of the table, and the energies that a loss sees."""
    needs = frozenset({"negatives", "minimum"} | ({"partition"} if name == "exhaustive" else set()))

    def draw(table, beta, reward):
        drawer = sampler(name, context(LABELS, beta, reward, size=40, conditional=True))
        found, _ = drawer.draw(KEY, (), bind(LOOKUP, table), NAMED)
        given = (Weights(table, None), DIFFERENT, NAMED, found, beta)
        return found.y, objective.energies_of(needs, LOOKUP, *given)

    program = quick(draw)
    return lambda beta=1.0, reward=0.0: program(TABLE, jnp.float32(beta), jnp.float32(reward))


@pytest.mark.parametrize(("name", "reward"), [("most-offending", 0.0), ("loss-augmented", 0.7)])
def test_the_hardest_label_is_that_of_an_enumeration(name, reward):
    y, seen = labelled(name)(reward=reward)
    wrong = np.where(np.arange(LABELS.size) == np.asarray(NAMED.y)[:, None], np.inf, TABLE)
    assert (np.argmin(TABLE, axis=1) == NAMED.y).any(), "no right label is the lowest: the test shows nothing"
    np.testing.assert_array_equal(y[:, 0], np.argmin(wrong, axis=1))
    np.testing.assert_array_equal(y[:, 0], np.argmin(wrong - reward, axis=1))  # all are equally far
    np.testing.assert_array_equal(seen.negatives[:, 0], wrong.min(axis=1))
    assert (seen.distance == 1).all()


def test_the_hardest_label_of_a_flat_energy_is_a_wrong_one():
    flat = Model(lambda x, y: 0.0 * x)
    for name in ("most-offending", "loss-augmented"):
        drawer = sampler(name, context(LABELS, size=40, conditional=True))
        y, _ = quick(partial(drawn, drawer, model=flat))(KEY, (), batch=NAMED)
        assert (np.asarray(y)[:, 0] != NAMED.y).all()


@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_all_labels_give_what_an_enumeration_gives(beta):
    """Free energy, minimum, and distance 0 for the right one alone."""
    y, seen = labelled("exhaustive")(beta)
    table = np.asarray(TABLE, np.float64)
    np.testing.assert_array_equal(y, np.arange(LABELS.size))
    np.testing.assert_array_equal(seen.negatives, TABLE)
    np.testing.assert_allclose(seen.free, -np.log(np.exp(-beta * table).sum(axis=1)) / beta, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(seen.minimum, np.min(TABLE, axis=1))
    np.testing.assert_array_equal(seen.distance == 0, np.arange(LABELS.size) == np.asarray(NAMED.y)[:, None])


# --- the hardest point of a box --------------------------------------------------------------------------------------


WELLS = jnp.array([[-2.0, 1.0], [3.0, -2.0]])
# F(x, y): x says how much shallower the second well is; or where a bowl stands.
TWO_WELLS = Model(lambda x, y: jnp.min(jnp.sum(jnp.square(y[None] - WELLS), axis=1) + jnp.array([0, 1]) * x))
BOWLS = Model(lambda x, y: jnp.sum(jnp.square(y - x)))


@cache
def hardest(model, starts=4, descent_steps=10):
    """(x [B, ...], y [B, 2], radius) -> the negatives [B, 2]."""

    def find(x, y, radius):
        values = {"radius": radius, "starts": starts, "descent_steps": descent_steps}
        drawer = sampler("most-offending", context(size=len(y), conditional=True), **values)
        return drawer.draw(KEY, (), model, Batch(x, y))[0].y[:, 0]

    program = quick(find)
    return lambda x, y, radius=0.3: np.asarray(program(*(jnp.asarray(a, jnp.float32) for a in (x, y, radius))))


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
    chance = np.random.default_rng(8).uniform(-5, 5, (500, 2))
    height = quick(jax.vmap(partial(TWO_WELLS.apply, 0.3)))
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

    @long
    def train(rate, slope):
        drawer = sampler("generator", context(conditional=conditional), negatives=64, generator_lr=rate)
        model = Model(lambda x, y: jnp.sum(jnp.square(y - (1.0 if x is None else x))) - slope * y[0])

        def step(state, key):
            y, state = drawn(drawer, key, state, model, batch)
            return state, (y, negative_energies(model, batch, y).mean())

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
    drawer = sampler(name, context(), **few)

    @quick
    @jax.value_and_grad
    def place(centre):
        model = energy_of(lambda y: jnp.sum(jnp.square(y - centre)))
        _, state = drawn(drawer, KEY, drawer.init(KEY, PLANE), model, PLANE)  # trains the generator
        return drawn(drawer, KEY, state, model, PLANE)[0].sum()

    (one, slope), (other, _) = place(0.3), place(3.0)
    assert one != other
    assert slope == 0
