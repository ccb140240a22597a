"""Latent alignments against brute force over all strings of symbols, counts, optax and finite differences."""

import math
from functools import partial
from itertools import groupby, product

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.paths import energies_of_paths, energies_of_words, padded, paths, read, reduced, spelled
from helpers.quick import double, mapped, quick
from rapidfuzz.distance import Levenshtein
from scipy import stats

from ebmcli.numerics import alignment
from ebmcli.numerics.alignment import Topology

SHAPES = [(5, 4), (6, 3)]  # windows, symbols; strips of fewer windows are padded
TOPOLOGIES = pytest.mark.parametrize("topology", [Topology.FORCED, Topology.OPTIONAL])
KINDS = pytest.mark.parametrize("soft", [False, True], ids=["minimum", "sum"])
LENGTH = 7  # of padded answers
EACH = 4  # tables of a shape and number of windows


def instances(shape, topology):
    """Tables [N, L, C] of float64 whose rows past the strip are rubbish, and windows [N]."""
    windows = np.repeat(np.arange(1 if topology is Topology.OPTIONAL else 2, shape[0] + 1), EACH)
    return np.random.default_rng(sum(shape)).normal(0, 2, (len(windows), *shape)), windows


def over_words(function, **static):
    """The function of each table, its windows and each word."""
    return mapped(function, (0, 0, None), (None, None, 0), **static)


def every_word(shape, topology):
    """All words that a full strip can hold, and their padded answers [W, T]."""
    words = paths(*shape, topology).words
    return words, np.stack([padded(word, LENGTH) for word in words])


def both(table, windows, y, topology, soft):
    """The energies of a word and of all words."""
    of_word = alignment.word_energy(table, windows, y, topology, soft)
    return of_word, alignment.all_words(table, windows, topology, soft)


def with_slopes(table, windows, y, topology, soft):
    """The energies of a word and of all words, each with its slopes in the table."""
    of_word = jax.value_and_grad(alignment.word_energy)(table, windows, y, topology, soft)
    return of_word, jax.value_and_grad(alignment.all_words)(table, windows, topology, soft)


@TOPOLOGIES
@KINDS
@pytest.mark.parametrize("shape", SHAPES)
def test_energies_of_words_and_of_all_words(shape, topology, soft):
    """One word: over its paths; all words: over all of them; what is no word of this strip is far and not feasible."""
    (tables, windows), (words, y) = instances(shape, topology), every_word(shape, topology)
    (of_word, _), (of_all, _) = double(over_words(with_slopes, topology=topology, soft=soft), tables, windows, y)
    fits = mapped(alignment.feasible, (0, None), (None, 0), topology=topology)(windows, y)
    for i, (table, count) in enumerate(zip(tables, windows, strict=True)):
        known = energies_of_words(table[:count], topology, soft)
        assert fits[i].tolist() == [word in known for word in words]
        expected = np.array([known.get(word, np.inf) for word in words])
        there = np.isfinite(expected)
        np.testing.assert_allclose(of_word[i, there], expected[there], rtol=1e-12, atol=1e-12)
        assert (of_word[i, ~there] >= alignment.FAR / 2).all()
        every = reduced(energies_of_paths(table[:count], topology), soft)
        np.testing.assert_allclose(of_all[i], np.full(len(words), every), rtol=1e-12, atol=1e-12)


@quick
def of_zeros(beta, windows, y):
    """Energies at that temperature where every symbol costs nothing: of a word, of all words, of all with blanks."""
    table = jnp.zeros((32, 27))
    word, words = both(beta * table, windows, y, Topology.FORCED, True)
    blanks = [alignment.all_words(table, windows, Topology.OPTIONAL, soft) for soft in (True, False)]
    return word / beta, words / beta, alignment.all_words(table, windows, Topology.FORCED, False), *blanks


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("windows", "length"), [(2, 1), (5, 2), (8, 3), (11, 4), (29, 10)])
def test_energies_of_zero_count_the_paths(windows, length, beta):
    """-(1/beta) log C(L-1, 2n-1) for a word, -(1/beta) log sum_n 26^n C(L-1, 2n-1) for all; the minima are 0."""
    of_word = math.comb(windows - 1, 2 * length - 1)
    of_all = sum(26**n * math.comb(windows - 1, 2 * n - 1) for n in range(1, windows // 2 + 1))
    word, words, lowest, blanks, lowest_blanks = double(of_zeros, beta, windows, padded(range(length), 12))
    np.testing.assert_allclose(word, -math.log(of_word) / beta, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(words, -math.log(of_all) / beta, rtol=1e-12)
    assert lowest == lowest_blanks == 0
    np.testing.assert_allclose(blanks, -windows * math.log(27), rtol=1e-12)


def posteriors(symbols, energy, count, soft):
    """[L, C]: the share of each symbol in each window, over paths with these energies; of the best ones, if hard."""
    share = np.exp(energy.min() - energy) if soft else energy == energy.min()
    share = share / share.sum()
    return np.array([np.bincount(column, share, count) for column in symbols.T])


@TOPOLOGIES
@KINDS
@pytest.mark.parametrize("shape", SHAPES[:1])
def test_slopes_are_posteriors(shape, topology, soft):
    """Of one word and of all words; exactly 0 past the strip; a word that is not feasible has finite ones."""
    (tables, windows), (words, y) = instances(shape, topology), every_word(shape, topology)
    (_, of_word), (_, of_all) = double(over_words(with_slopes, topology=topology, soft=soft), tables, windows, y)
    assert np.isfinite(of_word).all()
    for i in range(0, len(windows), EACH - 1):
        table, count = tables[i], windows[i]
        every, energy = paths(count, shape[1], topology), energies_of_paths(table[:count], topology)
        for word in every.words:
            mine = every.word == every.words.index(word)
            expected = posteriors(every.symbols[mine], energy[mine], shape[1], soft)
            np.testing.assert_allclose(of_word[i, words.index(word), :count], expected, atol=1e-10)
            assert (of_word[i, words.index(word), count:] == 0).all()
        np.testing.assert_allclose(of_all[i, 0, :count], posteriors(every.symbols, energy, shape[1], soft), atol=1e-10)
        assert (of_all[i, :, count:] == 0).all()
        assert (of_all[i] == of_all[i, 0]).all()


@TOPOLOGIES
def test_slopes_are_central_differences(topology):
    table, y = np.random.default_rng(0).normal(0, 2, (9, 27)), padded([3, 3, 17], LENGTH)
    towards, h = np.random.default_rng(1).normal(size=table.shape), 1e-5

    def likelihood(table):
        word, words = both(table, 8, y, topology, True)
        return word - words

    tables = np.stack([table, table + h * towards, table - h * towards])
    (_, ahead, behind), slope = double(quick(jax.vmap(jax.value_and_grad(likelihood))), tables)
    np.testing.assert_allclose((ahead - behind) / (2 * h), (slope[0] * towards).sum(), rtol=1e-7)


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
            word, words = both(table, windows, y, Topology.OPTIONAL, True)
            return word - words

        return jax.vmap(one)(-logits, windows, np.where(place[1], -1, labels))

    def pulled(of, logits):
        value, pull = jax.vjp(of, logits)
        return value, pull(np.ones(5))[0]

    value, slope = double(quick(partial(pulled, ours)), logits)
    with jax.numpy_rank_promotion("allow"):  # of optax
        known, expected = double(quick(partial(pulled, theirs)), logits)
    np.testing.assert_allclose(value, known, rtol=1e-9)
    np.testing.assert_allclose(slope, expected, atol=1e-9)


@TOPOLOGIES
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_best_path(shape, topology):
    """It spells the word, has its lowest energy, and ends where the strip ends."""
    (tables, windows), (words, y) = instances(shape, topology), every_word(shape, topology)
    best = over_words(alignment.best_path, topology=topology)
    for table, count, found in zip(tables, windows, double(best, tables, windows, y), strict=True):
        assert (found[:, count:] == -1).all()
        for word, energy in energies_of_words(table[:count], topology, False).items():
            path = found[words.index(word), :count]
            symbols = np.where(path % 2 == 0, shape[1] - 1, padded(word, LENGTH)[np.maximum(path, 0) // 2])
            assert spelled(symbols, shape[1], topology) == word
            np.testing.assert_allclose(table[np.arange(count), symbols].sum(), energy, rtol=1e-12)


def test_edit_distances_are_those_of_rapidfuzz():
    """Words of any two lengths, the empty one among them, padded to any two widths."""
    rng = np.random.default_rng(3)
    longest = 7
    words = np.where(
        np.arange(longest) < rng.integers(0, longest + 1, (300, 1)), rng.integers(0, 3, (300, longest)), -1
    )
    one, other = words[:150], words[150:]
    found = mapped(alignment.edit_distance, (0, 0))(one, np.pad(other, ((0, 0), (0, 2)), constant_values=-1))
    expected = [Levenshtein.distance(read(a), read(b)) for a, b in zip(one, other, strict=True)]
    np.testing.assert_array_equal(found, expected)
    assert {0, 1, 2} < set(expected)


@TOPOLOGIES
@pytest.mark.parametrize("integers", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_best_words_are_the_lowest_of_all_and_different(shape, topology, integers):
    """As many as there are, in order; the second best path usually spells the same word and must not count."""
    tables, windows = instances(shape, topology)
    tables = np.round(tables) if integers else tables
    for count in (1, 6):
        best = mapped(alignment.best_words, (0, 0), topology=topology, count=count, length=LENGTH)
        for table, end, words, found in zip(tables, windows, *double(best, tables, windows), strict=True):
            known = energies_of_words(table[:end], topology, False)
            there = min(count, len(known))
            expected = sorted(known.values())[:there]
            np.testing.assert_allclose(found[:there], expected, rtol=1e-9, atol=1e-9)
            assert (found[there:] >= alignment.FAR / 2).all()
            assert (words[there:] == -1).all()
            spelt = [read(word) for word in words[:there]]
            assert len(set(spelt)) == there
            np.testing.assert_allclose([known[word] for word in spelt], expected, rtol=1e-9, atol=1e-9)


@TOPOLOGIES
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_best_different_words(shape, topology):
    """Of all words but y the lowest; y itself where there are no more; be y the best, any, or no word of the strip."""
    tables, windows = instances(shape, topology)
    every = [energies_of_words(table[:end], topology, False) for table, end in zip(tables, windows, strict=True)]
    chosen = [[min(known, key=known.get), next(iter(known)), (0,) * LENGTH] for known in every]

    def lowest(table, windows, y):
        words = alignment.best_words(table, windows, topology, count=4, length=LENGTH)
        return jax.vmap(partial(alignment.others, *words))(y)

    y = np.array([[padded(word, LENGTH) for word in some] for some in chosen])
    others = double(mapped(lowest, (0, 0, 0)), tables, windows, y)
    assert others.shape == (len(tables), 3, 3, LENGTH)
    for known, some, found_of_each in zip(every, chosen, others, strict=True):
        for word, found in zip(some, found_of_each, strict=True):
            rest = sorted(energy for other, energy in known.items() if other != word)[:3]
            spelt = [read(other) for other in found]
            np.testing.assert_allclose([known[other] for other in spelt[: len(rest)]], rest, rtol=1e-9)
            assert all(other == word for other in spelt[len(rest) :])


def test_words_longer_than_the_answers_are_left_out():
    table = np.random.default_rng(3).normal(0, 2, (6, 3))
    known = {word: e for word, e in energies_of_words(table, Topology.OPTIONAL, False).items() if len(word) <= 2}
    best = quick(partial(alignment.best_words, topology=Topology.OPTIONAL, count=5, length=2))
    words, found = double(best, table, 6)
    assert words.shape == (5, 2)
    np.testing.assert_allclose(found, sorted(known.values())[:5], rtol=1e-9)


@TOPOLOGIES
@pytest.mark.parametrize(("shape", "windows"), [((6, 3), 6), ((6, 3), 4)])
def test_samples_have_the_probabilities_of_the_words(shape, windows, topology):
    """exp(-F(y)) / sum over all: frequencies of 20,000 draws, by chi-square."""
    table, draws = np.random.default_rng(5).normal(0, 1, shape), 20_000
    known = {word: np.exp(-e) for word, e in energies_of_words(table[:windows], topology, True).items()}
    sample = mapped(alignment.sample, topology=topology, count=draws, length=LENGTH)
    drawn = np.asarray(sample(jax.random.key(0), np.float32(table), windows))
    words, counts = np.unique(drawn, axis=0, return_counts=True)
    found = {read(word): count for word, count in zip(words, counts, strict=True)}
    assert set(found) <= set(known), "only words of this strip"
    share = np.array(list(known.values())) / sum(known.values())
    count = np.array([found.get(word, 0) for word in known])
    often = draws * share >= 5
    observed, expected = (np.append(of[often], of[~often].sum()) for of in (count, draws * share))
    observed, expected = (of if expected[-1] > 1 else of[:-1] for of in (observed, expected))
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


@TOPOLOGIES
@KINDS
def test_extreme_tables_stay_finite(topology, soft):
    """Energies of +-1e4 in float32, feasible or not: finite values and slopes."""
    table = np.float32(1e4 * np.sign(np.random.default_rng(7).normal(size=(9, 27))))

    cases = [(9, (1, 1, 2)), (5, (1, 1, 2)), (2, ()), (9, (1, 2, 3, 4, 5, 6, 7))]
    windows, y = (np.array(leaf) for leaf in zip(*[(end, padded(word, LENGTH)) for end, word in cases], strict=True))
    program = mapped(with_slopes, (None, 0, 0), topology=topology, soft=soft)
    for leaf in jax.tree.leaves(program(table, windows, y)):
        assert leaf.dtype == np.float32
        assert np.isfinite(leaf).all()


def test_collapse_is_the_word_of_a_path():
    every = np.array(list(product(range(3), repeat=5)))
    collapse = mapped(alignment.collapse, (0, None), symbols=3, length=6)
    for path, word, cut in zip(every, *(np.asarray(collapse(every, windows)) for windows in (5, 2)), strict=True):
        assert tuple(word) == tuple(padded([s for s, _ in groupby(path) if s != 2], 6))
        assert tuple(cut) == tuple(padded([s for s, _ in groupby(path[:2]) if s != 2], 6)), "windows past the strip"
