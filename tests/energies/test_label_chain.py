"""Chains of labels against brute force over all answers."""

from functools import cache, partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.energy_forms import convolutional, linear, tables
from helpers.quick import double, mapped, quick
from scipy import stats

from ebmcli.core import registry
from ebmcli.core.types import Strings, Word
from ebmcli.energies import label_chain

SHAPES = [(1, 4), (2, 2), (3, 4), (4, 3), (5, 3)]  # positions, labels
EACH = 60  # random chains of a shape


@cache
def instances(positions, labels, integers=False):
    """Tables [N, T, C] and [N, C, C], masks and answers [N, T]; padding holds rubbish. Integers make ties."""
    rng = np.random.default_rng(100 * positions + labels)
    unary = rng.normal(0, 2, (EACH, positions, labels))
    transition = rng.normal(0, 2, (EACH, labels, labels))
    if integers:
        unary, transition = np.round(unary), np.round(transition)
    mask = np.arange(positions) < rng.integers(1, positions + 1, EACH)[:, None]
    return unary, transition, mask, rng.integers(0, labels, (EACH, positions)).astype(np.int32)


@cache
def answers(positions, labels):
    """[labels^positions, positions]: all of them."""
    return np.array(list(product(range(labels), repeat=positions)))


def brute(unary, transition, mask):
    """All answers to the positions that are there, [M, L], and their energies [M], summed term by term."""
    length = int(mask.sum())
    every = answers(length, unary.shape[1])
    energy = sum(unary[t, every[:, t]] for t in range(length))
    return every, energy + sum(transition[every[:, t - 1], every[:, t]] for t in range(1, length))


def free_energies(energy, beta):
    """-(1/beta) log sum exp(-beta F), in float64."""
    least = energy.min()
    return least - np.log(np.exp(-beta * (energy - least)).sum()) / beta


@cache
def known(positions, labels, integers=False):
    """What `brute` finds of each instance."""
    unary, transition, mask, _ = instances(positions, labels, integers)
    return [brute(*one) for one in zip(unary, transition, mask, strict=True)]


def each(function, *arguments, **static):
    """The function of each instance, as numpy; a plain number is the same for all instances."""
    return jax.tree.map(np.asarray, program(function, arguments, static)(*arguments))


def doubly(function, *arguments, **static):
    """The same in float64."""
    return double(program(function, arguments, static), *arguments)


def program(function, arguments, static):
    return mapped(function, tuple(None if isinstance(one, float) else 0 for one in arguments), **static)


@pytest.mark.parametrize(("positions", "labels"), SHAPES)
def test_energy_of_an_answer(positions, labels):
    """The sum of its terms; what stands past the word's end does not count."""
    unary, transition, mask, y = instances(positions, labels)
    found = doubly(label_chain.chain_energy, unary, transition, mask, y)
    for i, (every, energy) in enumerate(known(positions, labels)):
        same = (every == y[i, : mask[i].sum()]).all(axis=1)
        np.testing.assert_allclose(found[i], energy[same].item(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("beta", [0.3, 1.0, 5.0])
@pytest.mark.parametrize(("positions", "labels"), SHAPES)
def test_free_energy(positions, labels, beta):
    """The soft minimum over all answers, never above the minimum, within log(answers)/beta of it."""
    unary, transition, mask, _ = instances(positions, labels)
    found = doubly(label_chain.free_energy, unary, transition, mask, beta)
    for i, (_, energy) in enumerate(known(positions, labels)):
        np.testing.assert_allclose(found[i], free_energies(energy, beta), rtol=1e-12, atol=1e-12)
        assert energy.min() - np.log(len(energy)) / beta - 1e-9 <= found[i] <= energy.min() + 1e-9


@pytest.mark.parametrize("integers", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize(("positions", "labels"), SHAPES)
def test_best_answer(positions, labels, integers):
    """The lowest energy of all; 0 past the word's end."""
    unary, transition, mask, _ = instances(positions, labels, integers)
    found = doubly(label_chain.best, unary, transition, mask)
    reached = doubly(label_chain.chain_energy, unary, transition, mask, found)
    assert (found[~mask] == 0).all()
    lowest = [energy.min() for _, energy in known(positions, labels, integers)]
    np.testing.assert_allclose(reached, lowest, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("integers", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("reward", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("around", ["any", "best"])
@pytest.mark.parametrize(("positions", "labels"), SHAPES)
def test_best_different_answer(positions, labels, around, reward, integers):
    """Of all answers but y the lowest F - reward * hamming, be y the best answer (then the second best) or not."""
    unary, transition, mask, y = instances(positions, labels, integers)
    if around == "best":
        y = np.where(mask, doubly(label_chain.best, unary, transition, mask), y)
    found = doubly(label_chain.best_different, unary, transition, mask, y, reward)
    energy_found = doubly(label_chain.chain_energy, unary, transition, mask, found)
    wrong = (found != y) & mask
    assert found.dtype == y.dtype
    assert ((found >= 0) & (found < labels)).all()
    assert wrong.any(axis=1).all(), "the answer is y itself"
    assert (found == y)[~mask].all(), "the padding of y is not kept"
    for i, (every, energy) in enumerate(known(positions, labels, integers)):
        hamming = (every != y[i, : mask[i].sum()]).sum(axis=1)
        lowest = (energy - reward * hamming)[hamming > 0].min()
        np.testing.assert_allclose(energy_found[i] - reward * wrong[i].sum(), lowest, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("integers", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize(("positions", "labels"), SHAPES)
def test_n_best_answers(positions, labels, integers):
    """Distinct, none of them y, in order, with the lowest energies of all; y where there are no more."""
    unary, transition, mask, y = instances(positions, labels, integers)
    y = np.where(np.arange(EACH)[:, None] % 2, y, doubly(label_chain.best, unary, transition, mask))
    y = np.where(mask, y, 1)  # some padding that is to be kept
    found = doubly(label_chain.n_best, unary, transition, mask, y, count=4)
    energies = double(
        mapped(label_chain.chain_energy, (0, 0, 0, 0), (None, None, None, 0)), unary, transition, mask, found
    )
    assert found.dtype == y.dtype
    assert (found == y[:, None])[np.broadcast_to(~mask[:, None], found.shape)].all()
    missing = 0
    for i, (every, energy) in enumerate(known(positions, labels, integers)):
        others = np.sort(energy[(every != y[i, : every.shape[1]]).any(axis=1)])[:4]
        same = (found[i] == y[i]).all(axis=1)
        assert same.tolist() == [False] * len(others) + [True] * (4 - len(others))
        assert len(np.unique(found[i, : len(others)], axis=0)) == len(others)
        np.testing.assert_allclose(energies[i, : len(others)], others, rtol=1e-9, atol=1e-9)
        missing += same.sum()
    assert bool(missing) == (min(labels**positions, labels) < 5)


@pytest.mark.parametrize("beta", [0.4, 2.0])
@pytest.mark.parametrize(("positions", "labels"), SHAPES)
def test_samples_are_drawn_as_the_model_says(positions, labels, beta):
    """A chi-square over all answers, the words of all chains together; 0 past the word's end."""
    unary, transition, mask, _ = instances(positions, labels)
    draws = 500

    keys = jax.random.split(jax.random.key(0), EACH)
    found = doubly(label_chain.sample, keys, unary, transition, mask, beta, count=draws)
    assert (found[np.broadcast_to(~mask[:, None], found.shape)] == 0).all()
    apart, freedom = 0.0, 0
    for i, (every, energy) in enumerate(known(positions, labels)):
        expected = draws * np.exp(-beta * (energy - free_energies(energy, beta)))
        weights = labels ** np.arange(every.shape[1])[::-1]
        counts = np.bincount(found[i, :, : every.shape[1]] @ weights, minlength=len(every))
        few = expected < 5  # a chi-square needs as many: such answers together are one
        cells = [np.append(c[~few], c[few].sum()) if few.any() else c for c in (counts, expected)]
        kept = cells[1] > 0
        apart += (np.square(cells[0] - cells[1])[kept] / cells[1][kept]).sum()
        freedom += kept.sum() - 1
    assert stats.chi2.sf(apart, freedom) > 1e-3


marginals = jax.grad(label_chain.free_energy, (0, 1))


@pytest.mark.parametrize("beta", [0.5, 3.0])
def test_slopes_of_the_free_energy_are_marginals(beta):
    """Of labels and of neighbouring pairs; exactly 0 past the word's end. And they are central differences."""
    unary, transition, mask, _ = instances(4, 3)

    label, pair = doubly(marginals, unary, transition, mask, beta)
    for i, (every, energy) in enumerate(known(4, 3)):
        share = np.exp(-beta * (energy - free_energies(energy, beta)))
        length = every.shape[1]
        shares = [[share[every[:, t] == c].sum() for c in range(3)] for t in range(length)]
        counts = np.zeros((3, 3))
        for t in range(1, length):
            np.add.at(counts, (every[:, t - 1], every[:, t]), share)
        np.testing.assert_allclose(label[i, :length], shares, atol=1e-10)
        np.testing.assert_allclose(pair[i], counts, atol=1e-10)
        assert (label[i, length:] == 0).all()
    towards = np.random.default_rng(0).normal(size=unary.shape), np.random.default_rng(1).normal(size=transition.shape)
    ahead, behind = (
        doubly(label_chain.free_energy, unary + h * towards[0], transition + h * towards[1], mask, beta)
        for h in (1e-5, -1e-5)
    )
    along = (label * towards[0]).sum((1, 2)) + (pair * towards[1]).sum((1, 2))
    np.testing.assert_allclose((ahead - behind) / 2e-5, along, rtol=1e-6, atol=1e-8)


def test_extreme_tables_stay_finite():
    """Energies of +-1e4 in float32: finite free energy and slopes, and the answers that float64 finds."""
    unary, transition, mask, y = (np.float32(a) if a.dtype == float else a for a in instances(4, 3))
    unary, transition = 1e4 * np.sign(unary), 1e4 * np.sign(transition)
    for function in (label_chain.free_energy, marginals):
        found = each(function, unary, transition, mask, 1.0)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    other = each(label_chain.best_different, unary, transition, mask, y, 1.0)
    np.testing.assert_array_equal(other, doubly(label_chain.best_different, unary, transition, mask, y, 1.0))


# --- the registered energy ------------------------------------------------------------------------------------------

STRINGS = Strings(26, 3, fixed=True)
LINEAR = registry.find("energy", "linear-chain").build({}, STRINGS)


def word(length, positions=3, seed=0, energy=LINEAR):
    """A word of random pixels, padded with rubbish, an answer to it and random parameters, all in float64."""
    rng = np.random.default_rng(seed)
    x = Word(rng.integers(0, 2, (positions, 128)).astype(float), np.arange(positions) < length)
    y = rng.integers(0, 26, positions).astype(np.int32)
    shapes = jax.eval_shape(energy.init, jax.random.key(0), x, y)
    return x, y, jax.tree.map(lambda leaf: rng.normal(0, 0.3, leaf.shape), shapes)


def by_hand(name, x, params, head="free", order=1):
    """Tables of F = sum_t h(-scores(x_t)[y_t]) + h(-A[y_t, y_t+1]), h = log(1 + exp) or nothing."""
    scores = {"linear-chain": linear, "conv-chain": convolutional}[name]
    return tables(scores, params, x, {"head": head, "order": order})


KINDS = [
    ("linear-chain", {}),
    ("linear-chain", {"order": 0, "head": "softplus"}),
    ("conv-chain", {"channels": 3, "code": 5, "head": "softplus"}),
]


@pytest.mark.parametrize("name", ["linear-chain", "conv-chain"])
def test_chains_start_without_preferences_between_neighbours(name):
    """The transitions start at 0, and at order 0 there are none."""
    energy, plain = (registry.find("energy", name).build({"order": order}, STRINGS) for order in (1, 0))
    x, y, _ = word(3)
    assert (quick(energy.init)(jax.random.key(0), x, y)["transition"] == 0).all()
    assert "transition" not in jax.eval_shape(plain.init, jax.random.key(0), x, y)


BETAS, REWARDS = (0.5, 2.0), (0.0, 1.5)


@cache
def everything(number):
    """The energy of that kind, and one program of all that it computes of a word, or of what `encode` makes of it."""
    name, values = KINDS[number]
    energy = registry.find("energy", name).build(values, STRINGS)

    def computed(params, x, y, rewards, betas):
        seen = energy.encode(params, x)
        heights = jax.vmap(partial(energy.apply, params, seen))
        others = [jax.vmap(partial(energy.best_different, params, of, y))(rewards) for of in (seen, x)]
        return {
            "right": energy.apply(params, x, y),
            "seen": energy.apply(params, seen, y),
            "free": jax.vmap(partial(energy.free, params, x))(betas),
            "lowest": energy.apply(params, x, energy.argmin(params, x)),
            "others": others[0],
            "heights": heights(others[1]),
            "n_best": heights(energy.n_best(params, seen, y, 3)),
            "drawn": heights(energy.sample(params, jax.random.key(1), seen, 1.0, 2_000)),
        }

    return energy, quick(computed)


@pytest.mark.parametrize("number", range(len(KINDS)))
@pytest.mark.parametrize("length", [1, 2, 3])
def test_chains_agree_with_their_formula(length, number):
    """apply, free, argmin, best_different, n_best and samples against enumeration of the 26^length words."""
    name, values = KINDS[number]
    energy, program = everything(number)
    x, y, params = word(length, seed=length, energy=energy)
    found = double(program, params, x, y, np.array(REWARDS), np.array(BETAS))
    unary, transition = by_hand(name, x, params, values.get("head", "free"), values.get("order", 1))
    every, energies = brute(unary, transition, x.mask)
    right = (every == y[:length]).all(axis=1)
    hamming = (every != y[:length]).sum(axis=1)
    close = partial(np.testing.assert_allclose, rtol=1e-10)
    close(found["right"], energies[right].item())
    close(found["seen"], found["right"])
    close(found["free"], [free_energies(energies, beta) for beta in BETAS])
    close(found["lowest"], energies.min())
    for other, height, reward in zip(found["others"], found["heights"], REWARDS, strict=True):
        assert (other != y).any()
        close(height - reward * (other != y).sum(), (energies - reward * hamming)[~right].min())
    close(found["n_best"], np.sort(energies[~right])[:3])
    share = np.exp(-(energies - free_energies(energies, 1.0)))
    spread = np.sqrt(share @ np.square(energies - share @ energies))
    np.testing.assert_allclose(found["drawn"].mean(), share @ energies, atol=4 * spread / np.sqrt(2_000))
    if values.get("head") == "softplus":
        assert energies.min() > 0


def with_slopes(params, x, y, name):
    """The nll at beta 2, or the loss-augmented hinge, and its slopes in the parameters."""

    def loss(params):
        if name == "nll":
            return LINEAR.apply(params, x, y) - LINEAR.free(params, x, 2.0)
        other = jax.lax.stop_gradient(LINEAR.best_different(params, x, y, 0.7))
        return jax.nn.relu(0.7 * jnp.sum(other != y) + LINEAR.apply(params, x, y) - LINEAR.apply(params, x, other))

    return jax.value_and_grad(loss)(params)


@pytest.mark.parametrize("name", ["nll", "hinge"])
@pytest.mark.parametrize("length", [2, 3])
def test_slopes_in_the_parameters_are_central_differences(name, length):
    """Of F+ - F_beta, and of the loss-augmented hinge, along random directions in W, b and A."""
    x, y, params = word(length, seed=10 + length)
    rng, h = np.random.default_rng(0), 1e-6
    ways = jax.tree.map(lambda leaf: rng.normal(size=(8, *leaf.shape)), params)
    points = jax.tree.map(lambda p, way: np.concatenate([p[None], p + h * way, p - h * way]), params, ways)
    values, slopes = double(mapped(with_slopes, (0, None, None), name=name), points, x, y)
    assert values[0] > 0.1, "the hinge is active here"
    along = jax.tree.map(lambda slope, way: (slope[0] * way).reshape(8, -1).sum(axis=1), slopes, ways)
    np.testing.assert_allclose((values[1:9] - values[9:]) / (2 * h), sum(jax.tree.leaves(along)), rtol=1e-6, atol=1e-7)
