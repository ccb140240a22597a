"""Latent alignments against brute force over all strings of symbols, counts, optax and finite differences."""

import math
from functools import cache, partial
from itertools import groupby, product

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats
from scipy.special import logsumexp

from ebmcli.metrics import sequence
from ebmcli.numerics import alignment

SHAPES = [(5, 4), (6, 3)]  # windows, symbols; strips of fewer windows are padded
TOPOLOGIES = pytest.mark.parametrize("optional", [False, True], ids=["forced", "optional"])
KINDS = pytest.mark.parametrize("soft", [False, True], ids=["minimum", "sum"])
LENGTH = 7  # of padded answers
EACH = 4  # tables of a shape and number of windows


def spelled(path, symbols, optional):
    """The word of a path, or None where the topology does not allow it: read symbol by symbol."""
    runs = [symbol for symbol, _ in groupby(path)]
    word = tuple(symbol for symbol in runs if symbol != symbols - 1)
    if not optional and runs != [part for letter in word for part in (letter, symbols - 1)]:
        return None
    return word if optional or word else None


@cache
def paths(windows, symbols, optional):
    """{word: its paths [M, windows]}"""
    found = {}
    for path in product(range(symbols), repeat=windows):
        word = spelled(path, symbols, optional)
        if word is not None:
            found.setdefault(word, []).append(path)
    return {word: np.array(some) for word, some in found.items()}


def energies(table, optional):
    """{word: the energies of its paths}, summed window by window."""
    windows, symbols = table.shape
    return {
        word: sum(table[i, some[:, i]] for i in range(windows))
        for word, some in paths(windows, symbols, optional).items()
    }


def padded(word, length=LENGTH):
    return np.array([*word, *[-1] * (length - len(word))], np.int32)


def reduced(values, soft):
    return -logsumexp(-np.asarray(values)) if soft else np.min(values)


def instances(shape, optional):
    """(table of float64 whose rows past the strip are rubbish, windows)."""
    rng = np.random.default_rng(sum(shape))
    fewest = 1 if optional else 2
    return [(rng.normal(0, 2, shape), windows) for windows in range(fewest, shape[0] + 1) for _ in range(EACH)]


slope_of_word, slope_of_all = jax.grad(alignment.word_energy), jax.grad(alignment.all_words)


@cache
def compiled(function, **static):
    return jax.jit(partial(function, **static))


def double(function, *arguments, **static):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, compiled(function, **static)(*arguments))


@TOPOLOGIES
@KINDS
@pytest.mark.parametrize("shape", SHAPES)
def test_energies_of_words_and_of_all_words(shape, optional, soft):
    """One word: over its paths; all words: over all of them; what is no word of this strip is far and not feasible."""
    at = {"optional": optional, "soft": soft}
    for table, windows in instances(shape, optional):
        known = energies(table[:windows], optional)
        for word in paths(*shape, optional):
            y, feasible = padded(word), word in known
            assert double(alignment.feasible, windows, y, optional=optional) == feasible
            found = double(alignment.word_energy, table, windows, y, **at)
            if feasible:
                np.testing.assert_allclose(found, reduced(known[word], soft), rtol=1e-12, atol=1e-12)
            else:
                assert found >= alignment.FAR / 2
        every = np.concatenate(list(known.values()))
        np.testing.assert_allclose(
            double(alignment.all_words, table, windows, **at), reduced(every, soft), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("windows", "length"), [(2, 1), (5, 2), (8, 3), (11, 4), (29, 10)])
def test_energies_of_zero_count_the_paths(windows, length, beta):
    """-(1/beta) log C(L-1, 2n-1) for a word, -(1/beta) log sum_n 26^n C(L-1, 2n-1) for all; the minima are 0."""
    table, word = np.zeros((windows + 3, 27)), padded(range(length), 12)
    of_word = math.comb(windows - 1, 2 * length - 1)
    of_all = sum(26**n * math.comb(windows - 1, 2 * n - 1) for n in range(1, windows // 2 + 1))
    at = {"optional": False, "soft": True}
    found = double(alignment.word_energy, beta * table, windows, word, **at) / beta
    np.testing.assert_allclose(found, -math.log(of_word) / beta, rtol=1e-12, atol=1e-12)
    found = double(alignment.all_words, beta * table, windows, **at) / beta
    np.testing.assert_allclose(found, -math.log(of_all) / beta, rtol=1e-12)
    assert double(alignment.all_words, table, windows, optional=False, soft=False) == 0
    blanks = double(alignment.all_words, table, windows, optional=True, soft=True)
    np.testing.assert_allclose(blanks, -windows * math.log(27), rtol=1e-12)


def posteriors(some, energy, symbols, soft):
    """[L, C]: the share of each symbol in each window, over paths with these energies; of the best ones, if hard."""
    share = (
        np.exp(reduced(energy, True) - energy) if soft else (energy == energy.min()) / np.sum(energy == energy.min())
    )
    return np.array([[share[some[:, i] == c].sum() for c in range(symbols)] for i in range(some.shape[1])])


@TOPOLOGIES
@KINDS
@pytest.mark.parametrize("shape", SHAPES[:1])
def test_slopes_are_posteriors(shape, optional, soft):
    """Of one word and of all words; exactly 0 past the strip; a word that is not feasible has finite ones."""
    at, symbols = {"optional": optional, "soft": soft}, shape[1]

    for table, windows in instances(shape, optional)[:: EACH - 1]:
        known, by_word = energies(table[:windows], optional), paths(windows, symbols, optional)
        for word in paths(*shape, optional):
            slope = double(slope_of_word, table, windows, padded(word), **at)
            assert np.isfinite(slope).all()
            if word in known:
                expected = posteriors(by_word[word], known[word], symbols, soft)
                np.testing.assert_allclose(slope[:windows], expected, atol=1e-10)
                assert (slope[windows:] == 0).all()
        slope = double(slope_of_all, table, windows, **at)
        every = np.concatenate(list(by_word.values())), np.concatenate(list(known.values()))
        np.testing.assert_allclose(slope[:windows], posteriors(*every, symbols, soft), atol=1e-10)
        assert (slope[windows:] == 0).all()


@TOPOLOGIES
def test_slopes_are_central_differences(optional):
    table, y = np.random.default_rng(0).normal(0, 2, (9, 27)), padded([3, 3, 17])
    towards = np.random.default_rng(1).normal(size=table.shape)

    def likelihood(table, windows, y, optional):
        word = alignment.word_energy(table, windows, y, optional, True)
        return word - alignment.all_words(table, windows, optional, True)

    slope = double(jax.grad(likelihood), table, 8, y, optional=optional)
    ahead, behind = (double(likelihood, table + h * towards, 8, y, optional=optional) for h in (1e-5, -1e-5))
    np.testing.assert_allclose((ahead - behind) / 2e-5, (slope * towards).sum(), rtol=1e-7)


def test_the_optional_blank_is_ctc_as_optax_has_it():
    """-log P(y) = F(y) - F(all), and its slopes; in float64, to 1e-9."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 2, (5, 12, 27)), rng.integers(0, 26, (5, 4))
    labels[0, 1] = labels[0, 0]
    windows, letters = np.array([12, 9, 6, 12, 8]), np.array([4, 3, 1, 0, 4])
    place = np.arange(12) >= windows[:, None], np.arange(4) >= letters[:, None]

    def theirs(logits):
        return optax.ctc_loss(logits, place[0] * 1.0, labels, place[1] * 1.0, blank_id=26)

    def ours(logits):
        def one(table, windows, y):
            word = alignment.word_energy(table, windows, y, True, True)
            return word - alignment.all_words(table, windows, True, True)

        return jax.vmap(one)(-logits, jnp.asarray(windows), jnp.asarray(np.where(place[1], -1, labels)))

    with jax.enable_x64(True):
        (value, slope), (known, expected) = (jax.jit(lambda x, of=of: jax.vjp(of, x))(logits) for of in (ours, theirs))
        np.testing.assert_allclose(value, known, rtol=1e-9)
        np.testing.assert_allclose(slope(np.ones(5))[0], expected(np.ones(5))[0], atol=1e-9)


@TOPOLOGIES
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_best_path(shape, optional):
    """It spells the word, has its lowest energy, and ends where the strip ends."""
    for table, windows in instances(shape, optional):
        for word, energy in energies(table[:windows], optional).items():
            path = double(alignment.best_path, table, windows, padded(word), optional=optional)
            assert (path[windows:] == -1).all()
            symbols = np.where(path % 2 == 0, shape[1] - 1, padded(word)[np.maximum(path, 0) // 2])[:windows]
            assert spelled(symbols, shape[1], optional) == word
            np.testing.assert_allclose(table[np.arange(windows), symbols].sum(), energy.min(), rtol=1e-12)


def test_edit_distances_are_those_of_the_library():
    """Words of any two lengths, the empty one among them, padded to any two widths."""
    rng = np.random.default_rng(3)
    longest = 7
    words = np.where(
        np.arange(longest) < rng.integers(0, longest + 1, (300, 1)), rng.integers(0, 3, (300, longest)), -1
    )
    one, other = words[:150], words[150:]
    found = jax.vmap(alignment.edit_distance)(one, np.pad(other, ((0, 0), (0, 2)), constant_values=-1))
    np.testing.assert_array_equal(found, sequence.edit_distances(one, other))
    assert {0, 1, 2} < set(np.asarray(found))


@TOPOLOGIES
@pytest.mark.parametrize("integers", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_best_words_are_the_lowest_of_all_and_different(shape, optional, integers):
    """As many as there are, in order; the second best path usually spells the same word and must not count."""
    for table, windows in instances(shape, optional):
        table = np.round(table) if integers else table
        known = {word: energy.min() for word, energy in energies(table[:windows], optional).items()}
        for count in (1, 6):
            at = {"optional": optional, "count": count, "length": LENGTH}
            words, found = double(alignment.best_words, table, windows, **at)
            there = min(count, len(known))
            expected = sorted(known.values())[:there]
            np.testing.assert_allclose(found[:there], expected, rtol=1e-9, atol=1e-9)
            assert (found[there:] >= alignment.FAR / 2).all()
            assert (words[there:] == -1).all()
            read = [tuple(word[word >= 0]) for word in words[:there]]
            assert len(set(read)) == there
            np.testing.assert_allclose([known[word] for word in read], expected, rtol=1e-9, atol=1e-9)


@TOPOLOGIES
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_best_different_words(shape, optional):
    """Of all words but y the lowest; y itself where there are no more; be y the best, any, or no word of the strip."""
    for table, windows in instances(shape, optional)[::2]:
        known = {word: energy.min() for word, energy in energies(table[:windows], optional).items()}
        for y in [min(known, key=known.get), next(iter(known)), (0,) * LENGTH]:
            words = double(alignment.best_words, table, windows, optional=optional, count=4, length=LENGTH)
            found = double(alignment.others, *words, padded(y))
            assert found.shape == (3, LENGTH)
            rest = sorted(energy for word, energy in known.items() if word != y)[:3]
            read = [tuple(word[word >= 0]) for word in found]
            np.testing.assert_allclose([known[word] for word in read[: len(rest)]], rest, rtol=1e-9)
            assert all(word == y for word in read[len(rest) :])


def test_words_longer_than_the_answers_are_left_out():
    table = np.random.default_rng(3).normal(0, 2, (6, 3))
    known = {word: e.min() for word, e in energies(table, True).items() if len(word) <= 2}
    words, found = double(alignment.best_words, table, 6, optional=True, count=5, length=2)
    assert words.shape == (5, 2)
    np.testing.assert_allclose(found, sorted(known.values())[:5], rtol=1e-9)


@TOPOLOGIES
@pytest.mark.parametrize(("shape", "windows"), [((5, 3), 5), ((6, 3), 4)])
def test_samples_have_the_probabilities_of_the_words(shape, windows, optional):
    """exp(-F(y)) / sum over all: frequencies of 20,000 draws, by chi-square."""
    table, draws = np.random.default_rng(5).normal(0, 1, shape), 20_000
    known = {word: np.exp(-reduced(e, True)) for word, e in energies(table[:windows], optional).items()}
    at = {"optional": optional, "count": draws, "length": LENGTH}
    drawn = np.asarray(compiled(alignment.sample, **at)(jax.random.key(0), np.float32(table), windows))
    read, counts = np.unique(drawn, axis=0, return_counts=True)
    found = {tuple(word[word >= 0]): count for word, count in zip(read, counts, strict=True)}
    assert set(found) <= set(known), "only words of this strip"
    share = np.array(list(known.values())) / sum(known.values())
    count = np.array([found.get(word, 0) for word in known])
    often = draws * share >= 5
    observed, expected = (np.append(of[often], of[~often].sum()) for of in (count, draws * share))
    observed, expected = (of if expected[-1] > 1 else of[:-1] for of in (observed, expected))
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


@TOPOLOGIES
@KINDS
def test_extreme_tables_stay_finite(optional, soft):
    """Energies of +-1e4 in float32, feasible or not: finite values and slopes."""
    table = np.float32(1e4 * np.sign(np.random.default_rng(7).normal(size=(9, 27))))
    of_word, of_all = (
        jax.jit(jax.value_and_grad(partial(function, optional=optional, soft=soft)))
        for function in (alignment.word_energy, alignment.all_words)
    )
    for windows, word in [(9, (1, 1, 2)), (5, (1, 1, 2)), (2, ()), (9, (1, 2, 3, 4, 5, 6, 7))]:
        for found in (of_word(table, windows, padded(word)), of_all(table, windows)):
            assert all(np.isfinite(leaf).all() for leaf in found)


def test_collapse_is_the_word_of_a_path():
    every = np.array(list(product(range(3), repeat=5)))
    words = jax.vmap(lambda path: alignment.collapse(path, 5, 3, 6))(every)
    for path, word in zip(every, np.asarray(words), strict=True):
        assert tuple(word) == tuple(padded([s for s, _ in groupby(path) if s != 2], 6))
    assert tuple(alignment.collapse(jnp.array([0, 2, 1, 1]), 2, 3, 3)) == (0, -1, -1), "windows past the strip"
