"""What is known of every loss of energies without running it, and the checks that hold a loss to that.

Each check raises AssertionError where a function breaks the law, so that planted faults can be tried as well as losses.
"""

import math
from itertools import product
from typing import NamedTuple

import jax
import numpy as np
from helpers.losses import LN, LOSSES, Examples, double, single, some, value

from ebmcli.core.types import Energies

ANSWERS = 4  # of a flat energy: how many there are


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


# --- the checks -------------------------------------------------------------------------------------------------------


def check_worked(function, law: Law) -> None:
    """The values worked by hand."""
    for expected, right, wrong, rest in law.worked:
        fields = {key: at for key, at in rest.items() if key in Energies._fields}
        found = value(function, right, wrong, {key: rest[key] for key in rest.keys() - fields.keys()}, **fields)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def check_reads(function, law: Law) -> None:
    """It depends on the fields that are declared, and on no other."""
    e = some(law.nonnegative)
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
    e = some(law.nonnegative)
    shifts = 1e-5 * np.eye(e.point.shape[1])
    sides = [[double(function, e._replace(point=e.point + s)).loss for s in (shift, -shift)] for shift in shifts]
    numeric = np.stack([(up - down) / 2e-5 for up, down in sides], axis=1)
    np.testing.assert_allclose(double(function, e).slopes, numeric, rtol=1e-6, atol=1e-7)


def check_extremes(function, law: Law) -> None:
    """Finite value and slopes in float32 at energies of -1e4 (or 0) and 1e4, equal to those of float64."""
    e = some(law.nonnegative)
    high, low = e.point[:, :-1] > (2 if law.nonnegative else 0), 0 if law.nonnegative else -1e4
    e = e.at(np.where(high, 1e4, low))
    rough, exact = single(function, e), double(function, e)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(rough))
    one = 2 * np.spacing(np.float32(1e4))  # energies of that size are not known any better
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=one), rough, exact)


def check_order(function, law: Law) -> None:
    """The order of the wrong answers is irrelevant: their distances and densities go with them."""
    e = some(law.nonnegative)
    order = np.random.default_rng(1).permutation(e.distance.shape[1])
    energies = np.r_[0, 1 + order]
    shuffled = Examples(e.point[:, [*energies, -1]], e.distance[:, order], e.log_q[:, energies], e.beta)
    here, there = double(function, e), double(function, shuffled)
    np.testing.assert_allclose(here.loss, there.loss, rtol=1e-12)
    np.testing.assert_allclose(here.slopes[:, [*energies, -1]], there.slopes, rtol=1e-9, atol=1e-12)


def check_pulls(function, law: Law) -> None:
    """F+ is never pushed up nor an answer pulled down; where the wrong answers are lower both move the right way."""
    e = some(law.nonnegative)
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
    e = some(law.nonnegative)
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
    e = some(law.nonnegative)
    f = e.point[:, :-1]
    best = np.c_[np.zeros_like(f[:, 0]) if law.nonnegative else f[:, 0] - 1e4, f[:, 1:] + 1e4]
    for energies in (f, 1e3 * f, best):
        assert double(function, e.at(energies)).loss.min() >= law.floor - 1e-9


def check_itself(function, law: Law) -> None:
    """A negative at distance 0 is the right answer: as if it were not there, or counted as any other; as declared."""
    if law.pushes != "negatives":
        return
    e, hidden, kept = some(law.nonnegative), [1, 3], [0, 2, 4]
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
