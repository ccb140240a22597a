"""The laws that every registered loss obeys, and planted faults that the same checks catch."""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmcli import registry, trainer
from ebmcli.registry import Unit
from ebmcli.types import Energies

LOSSES = registry.units("loss")
LOSS = {name: unit.function for name, unit in LOSSES.items()}
LEVEL, ANSWERS = 0.5, 4  # of a flat energy: its value, and how many answers there are
LN = [math.log(max(n, 1)) for n in range(9)]


class Law(NamedTuple):
    """What is known of a loss without running it."""

    worked: list[tuple]  # (value, right, wrong, {distance, beta, hyperparameters})
    flat: float  # value at margin 1 and beta 1 where every answer has the energy LEVEL
    pushes: str  # the field of Energies that it raises; "" where nothing is pushed up
    invariant: bool = True  # under a constant added to all energies
    floor: float = 0.0  # no energies give less


LAWS = {
    "energy": Law([(2.5, 2.5, [1.0], {}), (-3.0, -3.0, [0.0], {})], LEVEL, "", invariant=False, floor=-math.inf),
    "perceptron": Law([(2.0, 3.0, [1.0, 2.0], {}), (0.0, 1.0, [3.0, 2.0], {})], 0.0, "minimum"),
    # -log of a share of (1/3) / (1/3 + 1); 1 + log(1 + e^-2) / 2
    "nll": Law([(LN[4], LN[3], [0.0], {}), (1.063464, 1.0, [0.0], {"beta": 2.0})], LN[ANSWERS], "free"),
    # (0.5 + 0) / 2; ((2 - 1) + (3 * 2 - 2)) / 2
    "hinge": Law(
        [(0.25, 1.0, [1.5, 3.0], {}), (2.5, 0.0, [1.0, 2.0], {"distance": [1.0, 3.0], "margin": 2.0})], 1.0, "negatives"
    ),
    # log(1 + 1); (log(1 + 3) + log(1 + 1)) / 2
    "log": Law([(LN[2], 0.0, [0.0], {}), (LN[8] / 2, LN[3], [0.0, LN[3]], {})], LN[2], "negatives"),
    # 4 + (0.25 + 0) / 2; 0 + (2 * 3 - 4)^2; flat at m/2: m^2/2
    "square-square": Law(
        [(4.125, 2.0, [0.5, 3.0], {}), (4.0, -1.0, [4.0], {"distance": [2.0], "margin": 3.0})], 0.5, "negatives", False
    ),
}
COVERED = [name for name in LOSSES if name in LAWS]


def test_every_registered_loss_has_its_laws_and_every_law_a_loss():
    assert set(LOSSES) == set(LAWS), f"losses without laws, or laws without a loss: {set(LOSSES) ^ set(LAWS)}"


def record(right, wrong, distance=None, beta=1.0) -> Energies:
    """One example whose answers are the right one and the wrong ones, all of them."""
    right, wrong = jnp.asarray(right, float), jnp.asarray(wrong, float)
    every = jnp.concatenate([right[None], wrong])
    free = -jax.nn.logsumexp(-beta * every) / beta
    away = jnp.ones_like(wrong) if distance is None else jnp.asarray(distance, float)
    return Energies(right, wrong, away, free, every.min(), jnp.asarray(beta, float))


def value(function, right, wrong, distance=None, beta=1.0, **hyperparameters) -> jax.Array:
    """The loss of an example as a function of the energies of all answers."""
    return function(record(right, wrong, distance, beta), **hyperparameters)


@cache
def batched(function) -> Callable:
    """(energies [N, 1 + K], distance [N, K], beta [N]) -> losses [N], their slopes in the energies."""
    return jax.jit(jax.vmap(jax.value_and_grad(lambda f, *rest: value(function, f[0], f[1:], *rest))))


def examples(size=40, negatives=5):
    """Random energies [size, 1 + negatives], distances and inverse temperatures: with this seed far from any kink."""
    rng = np.random.default_rng(0)
    distance = rng.integers(1, 4, (size, negatives)).astype(float)
    return rng.normal(0, 2, (size, 1 + negatives)), distance, rng.choice([0.5, 1.0, 3.0], size)


# --- the checks: each raises AssertionError where a loss breaks the law ---------------------------------------------


def check_worked(function, law: Law) -> None:
    """The values worked by hand."""
    for expected, right, wrong, rest in law.worked:
        np.testing.assert_allclose(value(function, right, wrong, **rest), expected, rtol=1e-6, atol=1e-6)


def check_gradient(function, law: Law) -> None:
    """The slopes in all energies are central differences, in float64."""
    f, *rest = examples()
    with jax.enable_x64(True):
        losses, shifts = batched(function), 1e-5 * np.eye(f.shape[1])
        numeric = [(losses(f + shift, *rest)[0] - losses(f - shift, *rest)[0]) / 2e-5 for shift in shifts]
        np.testing.assert_allclose(losses(f, *rest)[1], np.stack(numeric, axis=1), rtol=1e-6, atol=1e-7)


def check_extremes(function, law: Law) -> None:
    """Finite value and slopes in float32 at energies of +-1e4, equal to those of float64."""
    f, *rest = examples()
    f = np.where(f > 0, 1e4, -1e4)
    single = jax.tree.map(np.asarray, batched(function)(f, *rest))
    with jax.enable_x64(True):
        double = jax.tree.map(np.asarray, batched(function)(f, *rest))
    assert all(np.isfinite(leaf).all() for leaf in single)
    one = np.spacing(np.float32(1e4))  # energies of that size are not known any better
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=one), single, double)


def check_order(function, law: Law) -> None:
    """The order of the wrong answers is irrelevant."""
    f, distance, beta = examples()
    order = np.random.default_rng(1).permutation(distance.shape[1])
    shuffled = np.concatenate([f[:, :1], f[:, 1:][:, order]], axis=1)
    losses, again = (batched(function)(*e, beta)[0] for e in ((f, distance), (shuffled, distance[:, order])))
    np.testing.assert_allclose(losses, again, rtol=1e-5, atol=1e-6)


def check_pulls(function, law: Law) -> None:
    """F+ is never pushed up nor an answer pulled down; where the wrong answers are lower both move the right way."""
    f, *rest = examples()
    slopes_of = jax.jit(jax.vmap(lambda f, *rest: jax.grad(function)(record(f[0], f[1:], *rest))))
    offended = np.concatenate([np.ones((len(f), 1)), -1 - np.abs(f[:, 1:])], axis=1)
    for energies in (f, offended):
        slopes = slopes_of(energies, *rest)
        raised = {name: np.asarray(getattr(slopes, name)) for name in ("negatives", "free", "minimum")}
        assert (slopes.positive >= 0).all()
        assert all((slope <= 0).all() for slope in raised.values())
    assert (slopes.positive > 0).all(), "where a wrong answer is lower F+ must be pulled down"
    assert {name for name, slope in raised.items() if (slope < 0).all()} == ({law.pushes} - {""})


def check_constant(function, law: Law) -> None:
    """A constant added to all energies changes nothing, or does where that is declared."""
    f, *rest = examples()
    moved = np.abs(batched(function)(f + 3.0, *rest)[0] - batched(function)(f, *rest)[0]).max()
    assert (moved < 1e-5) == law.invariant, f"adding a constant moves the loss by {moved}"


def check_flat(function, law: Law) -> None:
    """The value on an energy that knows nothing."""
    np.testing.assert_allclose(value(function, LEVEL, [LEVEL] * (ANSWERS - 1)), law.flat, rtol=1e-6, atol=1e-7)


def check_floor(function, law: Law) -> None:
    """Bounded below, by the number declared, however good the energy gets."""
    f, *rest = examples()
    better = np.c_[f[:, :1] - 1e4, f[:, 1:] + 1e4]
    for energies in (f, 1e3 * f, better):
        assert batched(function)(energies, *rest)[0].min() >= law.floor - 1e-3  # float32 at energies of 1e4


CHECKS = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", COVERED)
def test_law(name, check):
    CHECKS[check](LOSS[name], LAWS[name])


def relu(x):
    return jnp.maximum(x, 0)


def active(terms):
    return relu(terms).sum() / (terms > 0).sum()


def printed_minus(e, margin=1.0):
    return relu(e.positive) ** 2 - (relu(margin - e.negatives) ** 2).mean()


# (the loss and what is wrong, the checks that catch it, the fault)
MUTANTS = [
    ("square-square with a minus", "worked pulls flat floor", printed_minus),
    ("hinge without margin", "worked flat", lambda e, margin=1.0: relu(e.positive - e.negatives).mean()),
    ("hinge swapped", "worked pulls", lambda e, margin=1.0: relu(margin + e.negatives - e.positive).mean()),
    ("hinge without distance", "worked", lambda e, margin=1.0: relu(margin + e.positive - e.negatives).mean()),
    ("hinge of one negative", "worked order", lambda e, margin=1.0: relu(margin + e.positive - e.negatives)[0]),
    ("hinge of active terms", "worked", lambda e, margin=1.0: active(margin + e.positive - e.negatives)),
    ("log not softplus", "extremes", lambda e: jnp.log(1 + jnp.exp(e.positive - e.negatives)).mean()),
    ("perceptron over the wrong answers", "worked floor", lambda e: e.positive - e.negatives.min()),
    ("perceptron without slope", "gradient pulls", lambda e: relu(e.positive - jax.lax.stop_gradient(e.minimum))),
    ("nll with wrong sign", "worked pulls constant flat", lambda e: e.positive + e.free),
    ("nll at two temperatures", "worked constant", lambda e: e.positive - e.beta * e.free),
]


@pytest.mark.parametrize(("what", "checks", "fault"), MUTANTS, ids=[what for what, _, _ in MUTANTS])
def test_mutant_is_caught(what, checks, fault):
    """A planted wrong version breaks each law that is named beside it."""
    for check in checks.split():
        with pytest.raises(AssertionError):
            CHECKS[check](fault, LAWS[what.split()[0]])


def test_nll_of_two_answers_is_the_log_loss():
    f, one, _ = examples(negatives=1)
    nll, log = (batched(LOSS[name])(f, one, np.ones(len(f)))[0] for name in ("nll", "log"))
    np.testing.assert_allclose(nll, log, rtol=1e-5, atol=1e-6)


def test_nll_tends_to_the_perceptron_loss():
    """0 <= L_nll - L_perceptron <= log(answers)/beta; the gap is below that of half the beta."""
    (f, distance, _), before = examples(), np.inf
    for beta in (1.0, 2.0, 8.0, 64.0, 1e3):
        with jax.enable_x64(True):
            both = (batched(LOSS[name])(f, distance, np.full(len(f), beta)) for name in ("nll", "perceptron"))
            gap = np.subtract(*(losses for losses, _ in both))
        assert (gap >= -1e-12).all()
        assert (gap <= LN[f.shape[1]] / beta + 1e-12).all()
        assert (gap <= before / 2 + 1e-12).all()
        before = gap


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_hinge_rests_once_the_gaps_reach_the_margin(margin):
    """The margin is m times the distance; at and above it the slopes are exactly 0, below they are not."""
    distance = jnp.array([1.0, 2.0, 3.0])
    slopes = jax.grad(lambda right, scale: value(LOSS["hinge"], right, scale * distance, distance, margin=margin))
    assert slopes(0.0, margin) == 0
    assert slopes(0.0, margin + 0.25) == 0
    assert slopes(0.0, margin - 0.25) == 1  # each of the three gaps is short


@pytest.mark.parametrize("wrong", [[1.5, 4.0], [1.5, 1.5, 1.5]], ids=["tie", "flat"])
def test_perceptron_rests_at_a_tie(wrong):
    """The slopes are exactly 0 where F+ ties with the minimum: a flat energy stays flat."""
    slopes = jax.grad(lambda f: value(LOSS["perceptron"], f[0], f[1:]))(jnp.array([1.5, *wrong]))
    assert (slopes == 0).all()


@pytest.mark.parametrize("gap", [100.0, 1e3, 2e4])
def test_log_is_the_gap_where_it_is_large(gap):
    """softplus: exactly the gap, with slope 1; and 0 the other way round."""
    loss, slope = jax.value_and_grad(lambda right: value(LOSS["log"], right, [0.0]))(gap)
    assert (loss, slope) == (gap, 1)
    assert value(LOSS["log"], -gap, [0.0]) == 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_reads_what_it_declares(name):
    """It runs on a record with only the declared fields filled, and not with none where it declares some."""
    trainer.usable(LOSSES[name], LOSSES[name].needs)
    if LOSSES[name].needs:
        with pytest.raises((TypeError, AttributeError)):
            trainer.usable(LOSSES[name], frozenset())


@pytest.mark.parametrize("name", COVERED)
def test_promised_margin_is_that_of_the_formula(name):
    """The set of (F+, F-) on which the loss still pushes F- up, at m = 1, is that of the margin in the registry."""
    one, two = (axis.ravel() for axis in np.meshgrid(*[np.arange(-3, 3.1, 0.25)] * 2))
    ones = np.ones(len(one))
    pushed = batched(LOSS[name])(np.stack([one, two], axis=1), ones[:, None], ones)[1][:, 1] < 0
    gap = two - one
    support = {"none": gap > 9, "0": gap < 0, "m": gap < 1, "m, absolute": two < 1, "infinite": gap < 9}
    assert [promised for promised, region in support.items() if (pushed == region).all()] == [LOSSES[name].promised]


BROKEN = Unit("loss", "broken", lambda e: jnp.nan * e.positive, "NaN", "", {}, frozenset({"negatives"}))


def test_a_loss_that_goes_nan_does_not_touch_its_neighbours():
    """Vectorised lanes: the sound one steps bit for bit as beside a sound one; the broken one is marked as diverged."""
    units = [registry.find(*pair) for pair in (("task", "moons"), ("energy", "mlp"), ("sampler", "uniform"))]
    settings = [p for table in (trainer.SETTINGS, *(unit.parameters for unit in units)) for p in table.values()]
    static = {p.name: p.default for p in settings} | {"hidden": 4, "layers": 1, "negatives": 4, "batch_size": 4}
    program = trainer.Program(*units, tuple(static.items()), (LOSSES["hinge"], BROKEN), frozenset({"negatives"}))
    values = {p.name: jnp.asarray(p.default) for p in settings if p.traced}

    @jax.jit
    @jax.vmap
    def run(place):
        one = {"seed": 7, "loss": place, "loss_values": jnp.ones(1), "reward": 0.0, "values": values}
        return trainer.step(program, one, {}, trainer.init(program, one, {}))

    (sound, _), (mixed, progress) = run(jnp.array([0, 0])), run(jnp.array([0, 1]))
    assert mixed.diverged.tolist() == [-1, 0]
    assert np.isnan(progress.loss).tolist() == [False, True]
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b[0]), mixed.params, sound.params)


def test_choosing_a_loss_by_arithmetic_would_spread_the_nan():
    """The fault that the trainer's switch avoids: the slopes of the loss that is not chosen are 0 times NaN."""
    units, energies = [LOSSES["hinge"], BROKEN], jax.vmap(record)(jnp.ones(3), jnp.zeros((3, 2)))

    def switched(place):
        return jax.lax.switch(place, [trainer._branch(unit) for unit in units], energies, jnp.ones(1))[1].positive

    def indexed(place):
        return jax.grad(lambda e: jnp.stack([jax.vmap(u.function)(e).mean() for u in units])[place])(energies).positive

    np.testing.assert_allclose(jax.vmap(switched)(jnp.arange(2))[0], 1 / 3, rtol=1e-6)
    assert np.isnan(jax.vmap(indexed)(jnp.arange(2))[0]).all()
