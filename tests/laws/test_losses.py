"""The laws that every registered loss of energies obeys, and planted faults that the same checks catch.

Those of a View of the model stand in test_score_losses.py.
"""

import math
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmcli.core import registry
from ebmcli.core.registry import Unit
from ebmcli.core.types import Energies
from ebmcli.training import loop, objective

REGISTERED = registry.units("loss")
LOSSES = {name: unit for name, unit in REGISTERED.items() if "view" not in unit.needs}
LOSS = {name: unit.function for name, unit in LOSSES.items()}
ANSWERS = 4  # of a flat energy: how many there are
LN = [math.log(max(n, 1)) for n in range(13)]


class Law(NamedTuple):
    """What is known of a loss without running it."""

    worked: list[tuple]  # (value, right, wrong, {fields of Energies and hyperparameters})
    flat: float  # value at margin 1 and beta 1 where every answer has the same energy, one of `levels`
    pushes: str  # the field of Energies that it raises; "" where nothing is pushed up
    reads: str = ""  # what it depends on besides energies and hyperparameters
    invariant: bool = True  # under a constant added to all energies
    floor: float = 0.0  # no energies give less
    levels: tuple[float, ...] = (0.0, 0.3, 0.5, 1.0)
    nonnegative: bool = False  # its energies are
    pure: bool = True  # it never pulls a wrong answer down
    itself: bool = False  # a negative that is the right answer counts
    limit: str = ""  # the hyperparameter at which it saturates


# Worked with exp(ln n) = n: the numbers in the comments are the terms in the order of the answers.
# fmt: off
LAWS = {
    "energy": Law(
        [(2.5, 2.5, [1.0], {}), (-3.0, -3.0, [0.0], {})], 0.5, "", invariant=False, floor=-math.inf, levels=(0.5,)
    ),
    "perceptron": Law([(2.0, 3.0, [1.0, 2.0], {}), (0.0, 1.0, [3.0, 2.0], {})], 0.0, "minimum"),
    # -log of a share of (1/3) / (1/3 + 1); 1 + log(1 + e^-2) / 2
    "nll": Law([(LN[4], LN[3], [0.0], {}), (1.063464, 1.0, [0.0], {"beta": 2.0})], LN[ANSWERS], "free", "beta"),
    # 1 - (1/3) / (1/3 + 1); 1 - (1/4) / (1/4 + 1 + 1)
    "mee": Law([(0.75, LN[3], [0.0], {}), (8 / 9, LN[2], [0.0, 0.0], {"beta": 2.0})], 1 - 1 / ANSWERS, "free", "beta"),
    # 2 - 2 + (4 + (1 + 9) / 2) / 2; -1.5 + 0.1 (1 + 0.25); where each level is at its best, -1 / (4 alpha): the floor;
    # and the zero of a flat energy; flat at the default alpha: 0.1 (0.25 + 0.25)
    "ml": Law(
        [(4.5, 2.0, [1.0, 3.0], {"alpha": 0.5}), (-1.375, -1.0, [0.5], {}), (-5.0, -5.0, [5.0], {}),
         (0.0, 0.5, [0.5, 0.5], {"alpha": 0.0})],
        0.05, "negatives", invariant=False, floor=-5.0, levels=(0.5,), itself=True,
    ),
    # (0.5 + 0) / 2; ((2 - 1) + (3 * 2 - 2)) / 2
    "hinge": Law(
        [(0.25, 1.0, [1.5, 3.0], {}), (2.5, 0.0, [1.0, 2.0], {"distance": [1.0, 3.0], "margin": 2.0})],
        1.0, "negatives", "distance",
    ),
    # log(1 + 1); (log(1 + 3) + log(1 + 1)) / 2
    "log": Law([(LN[2], 0.0, [0.0], {}), (LN[8] / 2, LN[3], [0.0, LN[3]], {})], LN[2], "negatives"),
    # (0.5 + 0.75 + 0) / 3; (0.25 + 1) / 2
    "lvq2": Law(
        [(1.25 / 3, 2.0, [1.5, 0.0, 3.0], {"cap": 0.75}), (0.625, 1.0, [0.75, -4.0], {})], 0.0, "negatives", limit="cap"
    ),
    # (0.5 / 1.25 + 1 + 0) / 3; 0.5 / 1; 1.2 / 1.6
    "lvq2-ratio": Law(
        [(1.4 / 3, 3.0, [2.5, 1.0, 4.0], {"delta": 0.5}), (0.5, 1.5, [1.0], {}), (0.75, 2.0, [0.8], {"delta": 2.0})],
        0.0, "negatives", invariant=False, nonnegative=True, limit="delta",
    ),
    # 3 / (1 + 3); (1/4 + 1/2) / 2
    "mce": Law([(0.75, LN[3], [0.0], {}), (0.375, 0.0, [LN[3], 0.0], {})], 0.5, "negatives"),
    # 0.5 + 0; (2 - 1) + (3 * 2 - 2) + 0
    "margin-sum": Law(
        [(0.5, 1.0, [1.5, 3.0], {}), (5.0, 0.0, [1.0, 2.0, 9.0], {"distance": [1.0, 3.0, 1.0], "margin": 2.0})],
        ANSWERS - 1.0, "negatives", "distance",
    ),
    # 2 + (0.5 + 0) / 2; 0 + (3 * 2 - 4)
    "simple": Law(
        [(2.25, 2.0, [0.5, 3.0], {}), (2.0, -1.0, [4.0], {"distance": [2.0], "margin": 3.0})],
        1.0, "negatives", "distance", invariant=False,
    ),
    # 2 + (0.5 + 0) / 2; 0.5 + ((3 - 1) + (3 * 2 - 4)) / 2
    "min-hinge": Law(
        [(2.25, 2.0, [0.5, 3.0], {}), (2.5, 0.5, [1.0, 4.0], {"distance": [1.0, 2.0], "margin": 3.0})],
        1.0, "negatives", "distance", invariant=False, nonnegative=True,
    ),
    # 4 + (0.25 + 0) / 2; 0 + (2 * 3 - 4)^2; flat at m/2: m^2/2
    "square-square": Law(
        [(4.125, 2.0, [0.5, 3.0], {}), (4.0, -1.0, [4.0], {"distance": [2.0], "margin": 3.0})],
        0.5, "negatives", "distance", invariant=False, levels=(0.5,),
    ),
    # 4 + (0.25 + 0) / 2; 0.25 + ((3 - 1)^2 + (3 * 2 - 4)^2) / 2; flat at m/2: m^2/2
    "square-hinge": Law(
        [(4.125, 2.0, [0.5, 3.0], {}), (4.25, 0.5, [1.0, 4.0], {"distance": [1.0, 2.0], "margin": 3.0})],
        0.5, "negatives", "distance", invariant=False, levels=(0.5,), nonnegative=True,
    ),
    # 4 + 1/3; 0.25 + 3 (1/4 + 1) / 2; flat: 0.352^2 + e^-0.352
    "square-exp": Law(
        [(13 / 3, 2.0, [LN[3]], {}), (2.125, 0.5, [LN[2], 0.0], {"gamma": 3.0, "rate": 2.0})],
        0.827184, "negatives", invariant=False, levels=(0.352,), nonnegative=True,
    ),
    # exp(-beta F) / q = 1 * 3, (1/4) * 8, 1 * 1: -log 3/6; (1/3) / 1, (1/3) * 2 : log 3; (1/3) / (1/3 + 1)
    "infonce": Law(
        [(LN[2], 0.0, [LN[2], 0.0], {"beta": 2.0, "log_q": [-LN[8], 0.0], "log_q_positive": -LN[3]}),
         (LN[3], 2 * LN[3], [2 * LN[3]], {"beta": 0.5, "log_q": [-LN[2]]}), (LN[4], LN[3], [0.0], {})],
        LN[ANSWERS], "negatives", "beta log_q log_q_positive", itself=True,
    ),
    # exp G = exp(-beta F) / (K q e^c). K = 2, q = 1/2, c = 1: 3 -> log(1 + 1/3); 1 and 1/3 -> log(1 + 1) + log(1 + 1/3)
    # K = 1, c = log 2: (1/3) * 12 / 2 = 2 -> log(1 + 1/2); 3 / 2 / 2 = 3/4 -> log(1 + 3/4). Flat, e^c = Z: exp G = 1/K
    "nce": Law(
        [(2 * LN[4] - 2 * LN[3] + LN[2], -(LN[3] + 1) / 2, [-0.5, (LN[3] - 1) / 2],
          {"beta": 2.0, "log_z": 1.0, "log_q": [-LN[2]] * 2, "log_q_positive": -LN[2]}),
         (LN[3] - LN[2] + LN[7] - LN[4], 2 * LN[3], [-2 * LN[3]],
          {"beta": 0.5, "log_z": LN[2], "log_q": [LN[2]], "log_q_positive": -LN[12]})],
        ANSWERS * LN[ANSWERS] - (ANSWERS - 1) * LN[ANSWERS - 1],
        "negatives", "beta log_q log_q_positive log_z", invariant=False, itself=True,
    ),
    # shares 1/2, 1/3, 1/6 of the numbers 3, 2, 1 of infonce: log 2 + log 3/2 + log 6/5; 1/4 and 3/4: 2 log 4
    "pirl": Law(
        [(math.log(3.6), 0.0, [LN[2], 0.0], {"tau": 0.5, "log_q": [-LN[8], 0.0], "log_q_positive": -LN[3]}),
         (2 * LN[4], LN[3] / 2, [0.0], {"beta": 3.0, "tau": 1.5})],
        ANSWERS * LN[ANSWERS] - (ANSWERS - 1) * LN[ANSWERS - 1],
        "negatives", "beta log_q log_q_positive", pure=False, itself=True,
    ),
}
# fmt: on
COVERED = [name for name in LOSSES if name in LAWS]
PAIRED = [name for name in COVERED if LAWS[name].pushes == "negatives"]


def test_every_registered_loss_has_its_laws_and_every_law_a_loss():
    assert set(LOSSES) == set(LAWS), f"losses without laws, or laws without a loss: {set(LOSSES) ^ set(LAWS)}"


@pytest.mark.parametrize("name", COVERED)
def test_the_energies_of_a_law_have_the_sign_that_the_loss_declares(name):
    assert LAWS[name].nonnegative == ("nonnegative" in LOSSES[name].needs | LOSSES[name].wants)


def record(right, wrong, distance=1.0, log_q=0.0, log_q_positive=0.0, log_z=0.0, beta=1.0) -> Energies:
    """Examples, [] or [N], whose answers are the right one and the wrong ones [..., K], all of them; in float64."""
    wrong, beta = np.asarray(wrong, float), np.asarray(beta, float)
    every = np.concatenate([np.asarray(right, float)[..., None], wrong], axis=-1)
    free = -np.logaddexp.reduce(-beta[..., None] * every, axis=-1) / beta
    away, density = (np.broadcast_to(np.asarray(field, float), wrong.shape) for field in (distance, log_q))
    scalars = (log_q_positive, free, every.min(axis=-1), log_z, beta)
    return Energies(every[..., 0], wrong, away, density, *(np.broadcast_to(s, free.shape) for s in scalars))


def value(function, right, wrong, hyperparameters=None, **fields) -> jax.Array:
    """The loss of one example."""
    return function(jax.tree.map(jnp.asarray, record(right, wrong, **fields)), **(hyperparameters or {}))


class Examples(NamedTuple):
    """N records of K negatives."""

    point: np.ndarray  # [N, 1 + K + 1] energies, that of the right answer first; then log_z
    distance: np.ndarray  # [N, K]
    log_q: np.ndarray  # [N, 1 + K]
    beta: np.ndarray  # [N]

    def at(self, energies) -> "Examples":
        """Others in the place of these energies."""
        return self._replace(point=np.c_[energies, self.point[:, -1]])

    def records(self) -> Energies:
        """What a loss sees."""
        p, q = self.point, self.log_q
        return record(p[:, 0], p[:, 1:-1], self.distance, q[:, 1:], q[:, 0], p[:, -1], self.beta)

    def pull(self, pulls: Energies) -> np.ndarray:
        """Slopes in the point from those in the fields."""
        f = self.point[:, :-1]
        shares = np.exp(-self.beta[:, None] * (f - self.records().free[:, None]))
        lowest = f == f.min(axis=1, keepdims=True)
        direct = np.c_[pulls.positive, pulls.negatives]
        through = pulls.free[:, None] * shares + pulls.minimum[:, None] * lowest / lowest.sum(axis=1, keepdims=True)
        return np.c_[direct + through, pulls.log_z]


class Found(NamedTuple):
    """Of N examples."""

    loss: np.ndarray  # [N]
    slopes: np.ndarray  # [N, 1 + K + 1] in the point
    pulls: Energies  # in the fields of the records


# Small kernels one by one compile in a third of the time that fused ones take.
QUICK = {"xla_backend_optimization_level": 0}
if jax.__version_info__ < (0, 11):  # the option is gone since
    QUICK["xla_cpu_use_fusion_emitters"] = False


@cache
def compiled(function) -> Callable:
    """Energies with a leading axis N -> the losses [N], their slopes in the fields."""

    def one(seen):
        loss, pull = jax.vjp(function, seen)
        return loss, pull(jnp.ones_like(loss))[0]

    return jax.jit(jax.vmap(one), compiler_options=QUICK)


def slopes(function, *arguments, **fields) -> Energies:
    """The slopes of the loss of one example in all fields, in float32."""
    one = jax.tree.map(lambda leaf: leaf[None], record(*arguments, **fields))
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), compiled(function)(one)[1])


def single(function, examples: Examples) -> Found:
    """The losses of the examples and their slopes, in float32."""
    loss, pulls = jax.tree.map(np.asarray, compiled(function)(examples.records()))
    return Found(loss, examples.pull(pulls), pulls)


def double(function, examples: Examples) -> Found:
    """The same in float64."""
    with jax.enable_x64(True):
        return single(function, examples)


def some(law: Law, size=40, negatives=5) -> Examples:
    """Random records, their energies of the sign that the loss asks for: with this seed far from any kink."""
    rng = np.random.default_rng(0)
    energies = rng.uniform(-4, 4, (size, 1 + negatives))
    log_z = rng.normal(0, 1, (size, 1))
    distance = rng.integers(1, 4, (size, negatives)).astype(float)
    log_q = rng.integers(-8, 9, (size, 1 + negatives)) / 8  # exact beside energies of 1e4
    return Examples(
        np.c_[np.abs(energies) if law.nonnegative else energies, log_z], distance, log_q, rng.choice([0.5, 1, 3], size)
    )


# --- the checks: each raises AssertionError where a loss breaks the law ---------------------------------------------


def check_worked(function, law: Law) -> None:
    """The values worked by hand."""
    for expected, right, wrong, rest in law.worked:
        fields = {key: at for key, at in rest.items() if key in Energies._fields}
        found = value(function, right, wrong, {key: rest[key] for key in rest.keys() - fields.keys()}, **fields)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def check_reads(function, law: Law) -> None:
    """It depends on the fields that are declared, and on no other."""
    e = some(law)
    uniform = np.c_[np.zeros(len(e.beta)), e.log_q[:, 1:]]
    other = {
        "distance": e._replace(distance=np.ones_like(e.distance)),
        "beta": e._replace(beta=np.full_like(e.beta, 2.0)),
        "log_q": e._replace(log_q=np.c_[e.log_q[:, 0], np.zeros_like(e.distance)]),
        "log_q_positive": e._replace(log_q=uniform),
        "log_z": e._replace(point=np.c_[e.point[:, :-1], np.zeros(len(e.beta))]),
    }
    before = double(function, e).loss
    assert {name for name, one in other.items() if (double(function, one).loss != before).any()} == {*law.reads.split()}


def check_gradient(function, law: Law) -> None:
    """The slopes in all energies, and in log Z, are central differences, in float64."""
    e = some(law)
    shifts = 1e-5 * np.eye(e.point.shape[1])
    sides = [[double(function, e._replace(point=e.point + s)).loss for s in (shift, -shift)] for shift in shifts]
    numeric = np.stack([(up - down) / 2e-5 for up, down in sides], axis=1)
    np.testing.assert_allclose(double(function, e).slopes, numeric, rtol=1e-6, atol=1e-7)


def check_extremes(function, law: Law) -> None:
    """Finite value and slopes in float32 at energies of -1e4 (or 0) and 1e4, equal to those of float64."""
    e = some(law)
    high, low = e.point[:, :-1] > (2 if law.nonnegative else 0), 0 if law.nonnegative else -1e4
    e = e.at(np.where(high, 1e4, low))
    rough, exact = single(function, e), double(function, e)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(rough))
    one = 2 * np.spacing(np.float32(1e4))  # energies of that size are not known any better
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=one), rough, exact)


def check_order(function, law: Law) -> None:
    """The order of the wrong answers is irrelevant: their distances and densities go with them."""
    e = some(law)
    order = np.random.default_rng(1).permutation(e.distance.shape[1])
    energies = np.r_[0, 1 + order]
    shuffled = Examples(e.point[:, [*energies, -1]], e.distance[:, order], e.log_q[:, energies], e.beta)
    here, there = double(function, e), double(function, shuffled)
    np.testing.assert_allclose(here.loss, there.loss, rtol=1e-12)
    np.testing.assert_allclose(here.slopes[:, [*energies, -1]], there.slopes, rtol=1e-9, atol=1e-12)


def check_pulls(function, law: Law) -> None:
    """F+ is never pushed up nor an answer pulled down; where the wrong answers are lower both move the right way."""
    e = some(law)
    distant = np.abs(e.point[:, 1:-1]) / 10  # up to 0.4
    offended = e.at(np.c_[np.ones(len(e.beta)), 0.95 - distant])  # by less than the cap and half of F+
    offended = offended._replace(log_q=np.zeros_like(e.log_q))
    for examples in (e, offended):
        pulls = double(function, examples).pulls
        raised = {name: getattr(pulls, name) for name in ("negatives", "free", "minimum")}
        assert (pulls.positive >= 0).all()
        if examples is e or law.pure:
            assert law.pure == all((slope <= 0).all() for slope in raised.values())
    assert (pulls.positive > 0).all(), "where a wrong answer is lower F+ must be pulled down"
    assert {name for name, slope in raised.items() if (slope < 0).all()} == ({law.pushes} - {""})


def check_constant(function, law: Law) -> None:
    """A constant added to all energies changes nothing, or does where that is declared."""
    e = some(law)
    moved = np.abs(double(function, e.at(e.point[:, :-1] + 3)).loss - double(function, e).loss).max()
    assert (moved < 1e-9) == law.invariant, f"adding a constant moves the loss by {moved}"


def check_flat(function, law: Law) -> None:
    """The value on an energy that knows nothing, at a uniform q and with log Z as it is."""
    q = {"log_q": [-LN[ANSWERS]] * (ANSWERS - 1), "log_q_positive": -LN[ANSWERS]}
    for level in law.levels:
        found = value(function, level, [level] * (ANSWERS - 1), log_z=LN[ANSWERS] - level, **q)
        np.testing.assert_allclose(found, law.flat, rtol=1e-6, atol=1e-6)


def check_floor(function, law: Law) -> None:
    """Bounded below, by the number declared, however good the energy gets."""
    e = some(law)
    f = e.point[:, :-1]
    best = np.c_[np.zeros_like(f[:, 0]) if law.nonnegative else f[:, 0] - 1e4, f[:, 1:] + 1e4]
    for energies in (f, 1e3 * f, best):
        assert double(function, e.at(energies)).loss.min() >= law.floor - 1e-9


def check_itself(function, law: Law) -> None:
    """A negative at distance 0 is the right answer: as if it were not there, or counted as any other; as declared."""
    if law.pushes != "negatives":
        return
    e, hidden, kept = some(law), [1, 3], [0, 2, 4]
    marked = e._replace(distance=e.distance.copy())
    marked.distance[:, hidden] = 0
    answers = [0, *(1 + np.array(kept))]
    without = Examples(e.point[:, [*answers, -1]], e.distance[:, kept], e.log_q[:, answers], e.beta)
    found, plain, fewer = (double(function, examples) for examples in (marked, e, without))
    if law.itself:
        np.testing.assert_array_equal(found.loss, plain.loss)
        assert (found.loss != fewer.loss).all()
        return
    np.testing.assert_allclose(found.loss, fewer.loss, rtol=1e-12)
    np.testing.assert_allclose(found.slopes[:, [*answers, -1]], fewer.slopes, rtol=1e-12)
    assert (found.pulls.negatives[:, hidden] == 0).all()
    alone = double(function, e._replace(distance=np.zeros_like(e.distance)))
    rid = double(function, e.at(np.c_[e.point[:, 0], np.full_like(e.distance, 1e6)]))  # no loss sees answers up there
    np.testing.assert_array_equal(alone.loss, rid.loss)
    np.testing.assert_array_equal(alone.slopes, rid.slopes)
    assert (alone.pulls.negatives == 0).all()
    assert np.isfinite(alone.slopes).all()


def check_optimum(function, law: Law) -> None:
    """What knows the density of its negatives finds the truth: -beta F = log p + c, in expectation over all draws."""
    if "log_q" in law.reads:
        for q in (P[::-1], np.full(4, 0.25)):
            assert_best(function, -(np.log(P) + 0.7) / 2, 0.7, q, np.log(q), beta=2.0)


P = np.array([0.4, 0.3, 0.2, 0.1])  # of four answers


def expected(function, table, log_z, q, log_q, beta=1.0) -> tuple[float, np.ndarray]:
    """The loss of a table of energies in expectation over y+ from P and two others from q, and its slopes; in float64.

    log_q: what the loss is told of q. The slopes are those in the table and, the last one, in log_z.
    """
    draws = np.array(list(product(range(len(P)), repeat=3)))
    chances = P[draws[:, 0]] * np.prod(q[draws[:, 1:]], axis=1)
    ones = np.ones(len(draws))
    e = Examples(np.c_[table[draws], log_z * ones], ones[:, None].repeat(2, 1), log_q[draws], beta * ones)
    seen = double(function, e)
    each = chances[:, None] * seen.slopes
    return chances @ seen.loss, np.r_[np.bincount(draws.ravel(), each[:, :-1].ravel()), each[:, -1].sum()]


def assert_best(function, table, log_z, q, log_q, beta=1.0) -> None:
    """There the slopes of the expected loss vanish, and the values all round are higher."""
    best, slopes = expected(function, table, log_z, q, log_q, beta)
    np.testing.assert_allclose(slopes, 0, atol=1e-12)
    for away in np.random.default_rng(0).normal(0, 0.1, (5, len(table))):
        assert expected(function, table + away, log_z, q, log_q, beta)[0] > best


CHECKS = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", COVERED)
def test_law(name, check):
    CHECKS[check](LOSS[name], LAWS[name])


@pytest.mark.parametrize("name", COVERED)
def test_the_worked_values_notice_whatever_a_loss_reads(name):
    """A field or a hyperparameter that is ignored, taken for what it mostly is, breaks them."""
    law = LAWS[name]
    for left_out in (*law.reads.split(), *LOSSES[name].parameters):
        poorer = [(*case[:3], {key: at for key, at in case[3].items() if key != left_out}) for case in law.worked]
        with pytest.raises(AssertionError):
            check_worked(LOSS[name], law._replace(worked=poorer))


# --- planted faults ---------------------------------------------------------------------------------------------------


def relu(x):
    return jnp.maximum(x, 0)


def active(terms):
    return relu(terms).sum() / (terms > 0).sum()


def mean(e, terms):
    return jnp.where(e.distance > 0, terms, 0).sum() / jnp.maximum((e.distance > 0).sum(), 1)


def gaps(e, m=0.0):
    return m * e.distance + e.positive - e.negatives


def short(e, m):
    return relu(m * e.distance - e.negatives)


def ratio(e, below, delta):
    return mean(e, jnp.minimum(relu(gaps(e) / (delta * below)), 1))


def scores(e, tau=1.0, q=1):
    return -e.beta / tau * jnp.r_[e.positive, e.negatives] - q * jnp.r_[e.log_q_positive, e.log_q]


def share(e, tau=1.0):
    return jax.nn.softmax(scores(e, tau))


def odds(e, c=1, q=1, k=1):
    g = scores(e, q=q) - c * e.log_z - k * jnp.log(len(e.negatives))
    return jax.nn.softplus(-g[0]) + jax.nn.softplus(g[1:]).sum()


# (the loss and what is wrong, the checks that catch it, the fault)
# fmt: off
MUTANTS = [
    ("perceptron over the wrong answers", "worked floor", lambda e: e.positive - e.negatives.min()),
    ("perceptron without slope", "gradient pulls", lambda e: relu(e.positive - jax.lax.stop_gradient(e.minimum))),
    ("nll with wrong sign", "worked pulls constant flat", lambda e: e.positive + e.free),
    ("nll at two temperatures", "worked constant", lambda e: e.positive - e.beta * e.free),
    ("mee over the wrong answers", "worked flat floor",
     lambda e: 1 - jnp.exp(-e.beta * e.positive - jax.nn.logsumexp(-e.beta * e.negatives))),
    ("mee without beta", "worked", lambda e: 1 - jnp.exp(e.free - e.positive)),
    ("ml swapped", "worked pulls",
     lambda e, alpha=0.1: e.negatives.mean() - e.positive + alpha * (e.positive**2 + (e.negatives**2).mean())),
    ("ml without penalty", "worked floor constant", lambda e, alpha=0.1: e.positive - e.negatives.mean()),
    ("ml without y itself", "itself",
     lambda e, alpha=0.1: e.positive + alpha * e.positive**2 - mean(e, e.negatives - alpha * e.negatives**2)),
    ("hinge without margin", "worked flat", lambda e, margin=1.0: mean(e, relu(gaps(e)))),
    ("hinge swapped", "worked pulls", lambda e, margin=1.0: mean(e, relu(-gaps(e, -margin)))),
    ("hinge without distance", "worked reads", lambda e, margin=1.0: mean(e, relu(margin + gaps(e)))),
    ("hinge of one negative", "worked order", lambda e, margin=1.0: relu(gaps(e, margin))[0]),
    ("hinge of active terms", "worked", lambda e, margin=1.0: active(gaps(e, margin))),
    ("hinge over y itself", "itself", lambda e, margin=1.0: relu(gaps(e, margin)).mean()),
    ("log not softplus", "extremes", lambda e: mean(e, jnp.log1p(jnp.exp(gaps(e))))),
    ("log divided by all", "itself", lambda e: jnp.where(e.distance > 0, jax.nn.softplus(gaps(e)), 0).mean()),
    ("lvq2 without cap", "worked", lambda e, cap=1.0: mean(e, relu(gaps(e)))),
    ("lvq2 with the cap on F+", "worked constant",
     lambda e, cap=1.0: mean(e, relu(jnp.minimum(cap, e.positive) - e.negatives))),
    ("lvq2-ratio divided by F+", "worked", lambda e, delta=1.0: ratio(e, e.positive, delta)),
    ("lvq2-ratio not safe at 0", "extremes", lambda e, delta=1.0: ratio(e, e.negatives, delta)),
    ("mce swapped", "worked pulls", lambda e: mean(e, jax.nn.sigmoid(-gaps(e)))),
    ("mce at beta", "reads", lambda e: mean(e, jax.nn.sigmoid(e.beta * gaps(e)))),
    ("margin-sum as a mean", "worked flat", lambda e, margin=1.0: mean(e, relu(gaps(e, margin)))),
    ("margin-sum over y itself", "itself", lambda e, margin=1.0: relu(gaps(e, margin)).sum()),
    ("simple without []+ on F+", "worked floor", lambda e, margin=1.0: e.positive + mean(e, short(e, margin))),
    ("min-hinge without margin", "worked flat", lambda e, margin=1.0: e.positive + mean(e, short(e, 0))),
    ("min-hinge with a minus", "worked flat pulls floor",
     lambda e, margin=1.0: e.positive - mean(e, short(e, margin))),
    ("square-square with a minus", "worked pulls flat floor",
     lambda e, margin=1.0: relu(e.positive) ** 2 - mean(e, short(e, margin) ** 2)),
    ("square-square without []+ on F+", "worked pulls",
     lambda e, margin=1.0: e.positive**2 + mean(e, short(e, margin) ** 2)),
    ("square-hinge without a square", "worked flat",
     lambda e, margin=1.0: e.positive**2 + mean(e, short(e, margin))),
    ("square-exp without rate", "worked",
     lambda e, gamma=1.0, rate=1.0: e.positive**2 + mean(e, gamma * jnp.exp(-e.negatives))),
    ("square-exp with beta", "reads",
     lambda e, gamma=1.0, rate=1.0: e.positive**2 + mean(e, gamma * jnp.exp(-e.beta * rate * e.negatives))),
    ("infonce without log q", "worked reads optimum", lambda e: -jax.nn.log_softmax(scores(e, q=0))[0]),
    ("infonce without log q of y", "worked reads optimum",
     lambda e: -jax.nn.log_softmax(scores(e._replace(log_q_positive=0)))[0]),
    ("infonce with log q added", "worked optimum", lambda e: -jax.nn.log_softmax(scores(e, q=-1))[0]),
    ("infonce over the others", "worked flat floor", lambda e: jax.nn.logsumexp(scores(e)[1:]) - scores(e)[0]),
    ("infonce of shares", "extremes", lambda e: -jnp.log(share(e)[0])),
    ("nce with c added", "worked flat optimum", lambda e: odds(e, c=-1)),
    ("nce without log K q", "worked reads flat optimum", lambda e: odds(e, q=0, k=0)),
    ("nce without log K", "worked flat optimum", lambda e: odds(e, k=0)),
    ("pirl without the others", "worked flat", lambda e, tau=1.0: -jnp.log(share(e, tau)[0])),
    ("pirl without y", "worked flat", lambda e, tau=1.0: -jnp.log1p(-share(e, tau)[1:]).sum()),
    ("pirl of shares", "extremes",
     lambda e, tau=1.0: -jnp.log(share(e, tau)[0]) - jnp.log1p(-share(e, tau)[1:]).sum()),
]
# fmt: on


@pytest.mark.parametrize(("what", "checks", "fault"), MUTANTS, ids=[what for what, _, _ in MUTANTS])
def test_mutant_is_caught(what, checks, fault):
    """A planted wrong version breaks each law that is named beside it."""
    for check in checks.split():
        with pytest.raises(AssertionError):
            CHECKS[check](fault, LAWS[what.split()[0]])


# --- one loss is another, or tends to it ------------------------------------------------------------------------------


@cache
def at(name, **hyperparameters) -> Callable:
    """A registered loss at these; the same object at the same ones, so that it is compiled once."""
    return partial(LOSS[name], **hyperparameters)


def found(name, examples: Examples) -> Found:
    return double(LOSS[name], examples)


def plain(e: Examples) -> Examples:
    """At beta 1 and with a uniform q."""
    return e._replace(beta=np.ones_like(e.beta), log_q=np.zeros_like(e.log_q))


def assert_same(here: Found, there: Found, scale=1.0) -> None:
    """Values and slopes."""
    np.testing.assert_allclose(here.loss, scale * there.loss, rtol=1e-9)
    np.testing.assert_allclose(here.slopes, (scale * there.slopes.T).T, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["nll", "infonce"])
def test_with_one_wrong_answer_it_is_the_log_loss(name):
    pairs = plain(some(LAWS["log"], negatives=1))
    assert_same(found(name, pairs), found("log", pairs))


def test_infonce_over_all_wrong_answers_is_the_nll():
    e = some(LAWS["nll"])
    assert_same(found("infonce", plain(e)), found("nll", plain(e)))
    uniform = e._replace(log_q=np.zeros_like(e.log_q))
    assert_same(found("infonce", uniform), found("nll", uniform), scale=e.beta)


def test_mee_is_one_less_the_share_of_the_right_answer():
    e = some(LAWS["mee"])
    weights = np.exp(-e.beta[:, None] * e.point[:, :-1])
    np.testing.assert_allclose(found("mee", e).loss, 1 - weights[:, 0] / weights.sum(axis=1), rtol=1e-12)


def test_nll_tends_to_the_perceptron_loss():
    """0 <= L_nll - L_perceptron <= log(answers)/beta; the gap is below that of half the beta."""
    e, before = some(LAWS["nll"]), np.inf
    for beta in (1.0, 2.0, 8.0, 64.0, 1e3):
        cold = e._replace(beta=np.full_like(e.beta, beta))
        gap = found("nll", cold).loss - found("perceptron", cold).loss
        assert (gap >= -1e-12).all()
        assert (gap <= LN[1 + e.distance.shape[1]] / beta + 1e-12).all()
        assert (gap <= before / 2 + 1e-12).all()
        before = gap


def test_ml_has_the_gradient_of_the_nll():
    """In expectation over draws from the model, in which y itself has its share; without the penalty."""
    beta, table, right = 2.0, np.array([0.3, -0.2, 0.9, 0.1]), 1
    shares = np.exp(-beta * table) / np.exp(-beta * table).sum()
    ones = np.ones(len(table))
    drawn = Examples(
        np.c_[table[right] * ones, table, 0 * ones], (table != table[right])[:, None], np.zeros((4, 2)), ones
    )
    pulls = double(lambda e: LOSS["ml"](e, alpha=0.0), drawn).slopes
    mean = shares * pulls[:, 1] + (np.arange(4) == right) * (shares @ pulls[:, 0])
    order = np.array([right, *(k for k in range(4) if k != right)])
    one = Examples(np.r_[table[order], 0][None], np.ones((1, 3)), np.zeros((1, 4)), np.array([beta]))
    np.testing.assert_allclose(mean[order], found("nll", one).slopes[0, :-1], atol=1e-12)


@pytest.mark.parametrize("name", ["infonce", "pirl"])
def test_without_log_q_the_optimum_is_the_ratio_of_the_densities(name):
    """-F = log p/q + c; with the log q of a uniform one, as with any constant, too."""
    q = P[::-1]
    for told in (0.0, 1.5):
        assert_best(LOSS[name], 0.7 - np.log(P / q), 0.0, q, np.full(4, told))
    with pytest.raises(AssertionError):
        assert_best(LOSS[name], 0.7 - np.log(P), 0.0, q, np.zeros(4))


def test_nce_slope_in_log_z():
    """Of exp G = 3, 1 and 1/3: the right answer asks for a smaller Z by 1 / (1 + 3), the others for a larger one."""
    _, right, wrong, fields = LAWS["nce"].worked[0]
    np.testing.assert_allclose(slopes(LOSS["nce"], right, wrong, **fields).log_z, 1 / 4 - (1 / 2 + 1 / 4), rtol=1e-6)


def test_nce_with_a_wrong_log_z_is_not_at_its_optimum():
    """The slope in log Z has the sign of the error: a step against it mends log Z."""
    for error in (-0.5, 0.5):
        _, gradient = expected(LOSS["nce"], -np.log(P), error, np.full(4, 0.25), np.full(4, -LN[4]))
        assert gradient[-1] * error > 0.01


BESIDE = {"y": [0, -16.1, -17, -19], "another": [-16.1, -18, 0, -17], "a tie": [0, -30, 0, -16.1], "all": [0.0] * 4}
BESIDE |= {"y by far": [0, -200, -250, -200], "another by far": [-200, 0, -210, -300]}


@pytest.mark.parametrize("scores", BESIDE.values(), ids=BESIDE)
def test_pirl_where_one_share_is_nearly_1(scores):
    """Within 1e-7 of it, or at it in float32: value and slopes are those of the formula in float64."""
    scores, beta, tau = np.array(scores), 2.0, 0.5
    h = np.exp(scores) / np.exp(scores).sum()
    rest = np.array([np.delete(h, k).sum() for k in range(len(h))])  # 1 - h, with all its digits
    each = h / rest  # of the slope in score k: h_k + h_k / (1 - h_k) - h_k sum of these = h_k (2 - sum of the others)
    pushed = [-rest[0] - h[0] * each[1:].sum(), *(h[k] * (2 - np.delete(each, [0, k]).sum()) for k in range(1, len(h)))]
    q = np.linspace(-1, 1, len(h))
    fields = {"log_q": q[1:], "log_q_positive": q[0], "beta": beta}
    energies = -(scores + q) * tau / beta
    hand = -np.log(h[0]) - np.log(rest[1:]).sum()
    pirl = at("pirl", tau=tau)
    np.testing.assert_allclose(value(pirl, energies[0], energies[1:], **fields), hand, rtol=1e-5, atol=1e-6)
    seen = slopes(pirl, energies[0], energies[1:], **fields)
    np.testing.assert_allclose(
        np.r_[seen.positive, seen.negatives], -beta / tau * np.array(pushed), rtol=2e-5, atol=1e-5
    )


# --- kinks, ties and saturation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_hinge_rests_once_the_gaps_reach_the_margin(margin):
    """The margin is m times the distance; at and above it the slopes are exactly 0, below they are not."""
    distance, hinge = np.array([1.0, 2.0, 3.0]), at("hinge", margin=margin)
    for scale, slope in ((margin, 0), (margin + 0.25, 0), (margin - 0.25, 1)):  # each of the three gaps is short
        seen = slopes(hinge, 0.0, scale * distance, distance)
        assert seen.positive == slope
        np.testing.assert_allclose(seen.negatives, -slope / 3, rtol=1e-6)


@pytest.mark.parametrize("wrong", [[1.5, 4.0], [1.5, 1.5, 1.5]], ids=["tie", "flat"])
def test_perceptron_rests_at_a_tie(wrong):
    """The slopes are exactly 0 where F+ ties with the minimum: a flat energy stays flat."""
    seen = slopes(LOSS["perceptron"], 1.5, wrong)
    assert seen.positive == seen.minimum == 0


@pytest.mark.parametrize(
    "name", ["hinge", "lvq2", "lvq2-ratio", "margin-sum", "simple", "square-square", "square-hinge"]
)
def test_at_the_kink_the_wrong_answer_rests(name):
    """Where the last of the push is gone its slope is exactly 0, not half of what it was."""
    right, wrong = {"0": (0.5, 0.5), "m": (0.5, 1.5), "m, absolute": (0.5, 1.0)}[LOSSES[name].promised]
    assert slopes(LOSS[name], right, [wrong]).negatives == 0
    assert slopes(LOSS[name], right, [wrong - 0.125]).negatives < 0


@pytest.mark.parametrize("level", [-1e4, 1e4])
@pytest.mark.parametrize("name", [name for name in PAIRED if not LAWS[name].itself])
def test_the_right_answer_among_the_negatives_is_not_seen_at_any_level(name, level):
    """Finite slopes, and 0 in that negative, where its energy is far outside what the loss can bear."""
    far, near = (slopes(LOSS[name], 1.0, [at, 0.75], distance=[0.0, 1.0]) for at in (level, 0.5))
    assert far.negatives[0] == near.negatives[0] == 0
    assert (far.positive, far.negatives[1]) == (near.positive, near.negatives[1])


@pytest.mark.parametrize("gap", [100.0, 1e3, 2e4])
def test_log_is_the_gap_where_it_is_large(gap):
    """softplus: exactly the gap, with slope 1; and 0 the other way round."""
    assert value(LOSS["log"], gap, [0.0]) == gap
    assert slopes(LOSS["log"], gap, [0.0]).positive == 1
    assert value(LOSS["log"], -gap, [0.0]) == 0


@pytest.mark.parametrize(("gap", "slope"), [(0.0, 0), (0.5, 1), (1.999, 1), (2.0, 0.5), (2.001, 0), (1e4, 0)])
def test_lvq2_gives_up_beyond_its_cap(gap, slope):
    """The slope there is exactly 0: the worst mistakes teach nothing; at the cap it is half of 1."""
    lvq2 = at("lvq2", cap=2.0)
    assert value(lvq2, gap, [0.0]) == min(gap, 2)
    seen = slopes(lvq2, gap, [0.0])
    assert (seen.positive, seen.negatives[0]) == (slope, -slope)


@pytest.mark.parametrize(("right", "slope"), [(2.0, 0), (2.5, 1), (2.999, 1), (3.0, 0), (9.0, 0)])
def test_lvq2_ratio_gives_up_at_1_plus_delta_times_the_wrong_energy(right, slope):
    """F- = 2 and delta = 1/2: nothing is learned from F+ = 3 on; below, a slope of 1 / (delta F-)."""
    ratio = at("lvq2-ratio", delta=0.5)
    np.testing.assert_allclose(value(ratio, right, [2.0]), np.clip(right - 2, 0, 1), rtol=1e-6)
    seen = slopes(ratio, right, [2.0])
    np.testing.assert_allclose([seen.positive, seen.negatives[0]], [slope, -slope * right / 2], rtol=1e-6)


def test_mce_saturates_on_both_sides():
    """Its slope s (1 - s) is largest at a tie, 1/4, and lost beyond a gap of 100 either way."""
    assert [float(slopes(LOSS["mce"], gap, [0.0]).positive) for gap in (-200.0, 0.0, 200.0)] == [0, 0.25, 0]


@pytest.mark.parametrize("name", ["square-square", "square-hinge", "square-exp"])
def test_the_flat_level_of_a_square_loss_is_its_best(name):
    """Which makes its value on a flat energy a number that a training can be compared with."""
    law = LAWS[name]
    values = [value(LOSS[name], level, [level] * 3) for level in law.levels[0] + np.arange(-0.2, 0.21, 0.05)]
    assert np.argmin(values) == 4


# --- what a loss declares ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGISTERED)
def test_a_loss_reads_what_it_declares(name):
    """It runs on a record with only the declared fields filled, and not with one need less."""
    unit = REGISTERED[name]
    objective.check_loss(unit, unit.needs)
    for need in unit.needs & {*objective.FILLED, "view", "reconstruct"}:
        with pytest.raises((TypeError, AttributeError)):
            objective.check_loss(unit, unit.needs - {need})


@pytest.mark.parametrize("name", COVERED)
def test_promised_margin_is_that_of_the_formula(name):
    """The set of (F+, F-) on which the loss still pushes F- up, at m = 1, is that of the margin in the registry.

    One that saturates is taken where it does not yet. Margins do not apply to `ml`: it pushes regardless of both.
    """
    law = LAWS[name]
    function = at(name, **{law.limit: 100.0}) if law.limit else LOSS[name]
    one, two = (axis.ravel() for axis in np.meshgrid(*[np.arange(0.25 if law.nonnegative else -3, 3.1, 0.25)] * 2))
    ones = np.ones(len(one))
    grid = Examples(np.c_[one, two, 0 * ones], ones[:, None], 0 * np.c_[one, two], ones)
    pushed = double(function, grid).slopes[:, 1] < 0
    gap = two - one
    support = {"none": gap > 9, "0": gap < 0, "m": gap < 1, "m, absolute": two < 1, "infinite": gap < 9}
    promised = LOSSES[name].promised
    if promised == "-":
        assert name == "ml"
        assert pushed.all()
    else:
        assert [margin for margin, region in support.items() if (pushed == region).all()] == [promised]


# --- losses side by side ----------------------------------------------------------------------------------------------

BROKEN = Unit("loss", "broken", lambda e: jnp.nan * e.positive, "NaN", "", {}, frozenset({"negatives"}))
DARK = Unit("loss", "dark", lambda v: jnp.nan * v.energy(v.y), "NaN", "", {}, frozenset({"view"}))


@pytest.mark.parametrize(
    ("sound", "broken", "sampler"), [("hinge", BROKEN, "uniform"), ("score-matching", DARK, "none")]
)
def test_a_loss_that_goes_nan_does_not_touch_its_neighbours(sound, broken, sampler):
    """Vectorised lanes: the sound one steps bit for bit as beside a sound one; the broken one is marked as diverged."""
    units = [registry.find(*pair) for pair in (("task", "moons"), ("energy", "mlp"), ("sampler", sampler))]
    settings = [p for table in (loop.SETTINGS, *(unit.parameters for unit in units)) for p in table.values()]
    static = {p.name: p.default for p in settings} | {"hidden": 4, "layers": 1, "negatives": 4, "batch_size": 4}
    program = loop.Program(*units, tuple(static.items()), (REGISTERED[sound], broken), broken.needs)
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


K = ANSWERS - 1
DECLARED = {  # what `ebm list losses` says of a flat energy, as a number at F = 0.5, m = beta = gamma = rate = 1
    "F": 0.5, "0": 0.0, "1/2": 0.5, "m": 1.0, "m, where 0 <= F <= m": 1.0, "sum of m": float(K), "ln 2": LN[2],
    "m^2/2 at F = m/2": 0.5, "ln|Y| / beta": LN[ANSWERS], "1 - 1/|Y|": 1 - 1 / ANSWERS, "2 alpha F^2": 2 * 0.1 * 0.25,
    "0.827 at F = 0.352 (gamma = rate = 1)": 0.827, "ln(1 + K)": LN[1 + K],
    "(1 + K) ln(1 + K) - K ln K": (1 + K) * LN[1 + K] - K * LN[K],
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_the_listed_value_on_a_flat_energy_is_that_of_the_formula(name):
    assert DECLARED[LOSSES[name].flat] == pytest.approx(LAWS[name].flat, abs=5e-4)
