"""Negatives of words: the best and the n best against all words, Gibbs sampling, random words and edits."""

from functools import cache, partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.negatives import KEY, LINEAR, SIZE, STRINGS, context, sampler, words
from helpers.quick import quick
from helpers.targets import long
from scipy import stats

from ebmcli.core import registry
from ebmcli.core.types import Batch, Model, Strings, Word
from ebmcli.training import objective
from ebmcli.training.objective import Weights


@cache
def every_word(i):
    """Of word i: the energies of all 26^length answers, padded as it is, and their numbers of wrong letters."""
    x, y = jax.tree.map(lambda leaf: np.asarray(leaf)[i], words()[2])
    length = int(x.mask.sum())
    answers = np.zeros((26 ** len(y), len(y)), np.int32)  # those after the first 26^length are of no account
    answers[: 26**length, :length] = list(product(range(26), repeat=length))
    energy, wrong = scored()(x, answers), (answers != y).sum(axis=1)
    return np.asarray(energy, np.float64)[: 26**length], wrong[: 26**length]


@cache
def scored():
    return quick(jax.vmap(words()[1].apply, (None, 0)))


def place(i, y):
    """Where among all answers to word i this one stands."""
    length = int(words()[2].x.mask[i].sum())
    return int(np.ravel_multi_index(y[:length], (26,) * length))


REWARD = 0.7
SEARCHES = {  # of samplers and margin distances; only loss-augmented looks at the reward of its context
    ("most-offending", "constant"): 3.0,
    ("most-offending", "hamming"): 3.0,
    ("loss-augmented", "hamming"): REWARD,
    ("exhaustive", "hamming"): 3.0,
}


@cache
def searched():
    """By sampler and margin distance: the negatives, and what a loss sees of them."""
    params, model, batch = words()
    needs = frozenset({"negatives", "partition", "minimum"})

    def search(name, margin_distance, reward):
        task = registry.find("task", "letters").build({"margin_distance": margin_distance})
        found, _ = sampler(name, context(STRINGS, reward=reward, conditional=True)).draw(KEY, (), model, batch)
        seen = objective.energies_of(needs, LINEAR, Weights(params, None), task, batch, found, jnp.float32(2.0))
        return found.y, seen

    program = quick(lambda: [search(*which, reward) for which, reward in SEARCHES.items()])
    return dict(zip(SEARCHES, jax.tree.map(np.asarray, program()), strict=True))


@pytest.mark.parametrize(("name", "margin_distance"), SEARCHES)
def test_words_that_are_sought_are_the_lowest_of_all_words(name, margin_distance):
    """The lowest F - reward * wrong letters of all other words; and their distance, minimum and free energy."""
    y, seen = searched()[name, margin_distance]
    reward = REWARD if name == "loss-augmented" else 0.0
    batch = words()[2]
    wrong_letters = y[:, 0] != np.asarray(batch.y)
    assert not wrong_letters[~np.asarray(batch.x.mask)].any(), "padding is kept"
    differ = 0
    for i, away in enumerate(wrong_letters.sum(axis=1)):
        energy, wrong = every_word(i)
        assert away > 0, "the negative is the right answer"
        np.testing.assert_allclose(seen.positive[i], energy[wrong == 0].item(), rtol=1e-5)
        others, wrong_of_others = energy[wrong > 0], wrong[wrong > 0]
        augmented = others - reward * wrong_of_others
        lowest = augmented.min()
        differ += augmented.argmin() != others.argmin()
        np.testing.assert_allclose(seen.negatives[i, 0] - reward * away, lowest, rtol=1e-5, atol=1e-5)
        assert seen.distance[i, 0] == (away if margin_distance == "hamming" else 1)
        np.testing.assert_allclose(seen.free[i], -np.log(np.exp(-2 * energy).sum()) / 2, rtol=1e-5, atol=1e-5)
        if not reward:  # a loss compares the two itself
            np.testing.assert_allclose(min(seen.minimum[i], seen.positive[i]), energy.min(), rtol=1e-5)
    assert bool(differ) == bool(reward), "the reward changes no answer: the test shows nothing"


def test_n_best_words_are_the_lowest_of_all_but_y():
    """In order; where y has the lowest energy of all, the second best comes first."""
    _, model, batch = words()
    drawer = sampler("n-best", context(STRINGS, conditional=True))
    y = np.asarray(quick(lambda: drawer.draw(KEY, (), model, batch)[0].y)())
    assert y.shape[1] == 8
    for i, found in enumerate(y):
        energy, wrong = every_word(i)
        lowest = np.sort(energy[wrong > 0])[:8]
        np.testing.assert_allclose([energy[place(i, one)] for one in found], lowest, rtol=1e-5, atol=1e-5)
        assert (found[:, ~np.asarray(batch.x.mask[i])] == 0).all()
    np.testing.assert_array_equal(y[:, 0], searched()["most-offending", "constant"][0][:, 0])


SMALL = {True: Strings(3, 4, fixed=True), False: Strings(3, 4, fixed=False)}
PAIRS = jnp.asarray(np.random.default_rng(13).normal(0, 1, (4, 3, 3)), jnp.float32)


def small_energy(x, y):
    """Of up to 4 letters: no chain, every letter meets the first; an energy of its own for each length."""
    there = y >= 0 if x.letters is None else x.mask
    return jnp.sum(jnp.where(there, PAIRS[jnp.arange(4), y[0], y], 0)) + 0.3 * there.sum()


def small_batch(y, fixed):
    """Answers [B, 4], all to a question of three letters; or without one that tells their length, padded with -1."""
    mask = np.broadcast_to(np.arange(4) < 3, y.shape)
    letters = np.zeros((len(y), 1), np.float32) if fixed else None
    return Batch(Word(letters, mask), np.where(mask, y, np.int32(0 if fixed else -1)))


@pytest.mark.parametrize("fixed", [True, False])
def test_gibbs_leaves_the_model_as_it_is_and_reaches_it(fixed):
    """Exact samples stay exact samples after one sweep; any start is forgotten after many, but for its length."""
    beta, size = 1.5, 8_000
    energy = Model(small_energy)
    every = np.array(list(product(range(3), repeat=3)))
    padded = small_batch(np.pad(every, ((0, 0), (0, 1))).astype(np.int32), fixed)
    heights = np.asarray(quick(jax.vmap(small_energy))(padded.x, padded.y), np.float64)
    share = np.exp(-beta * heights) / np.exp(-beta * heights).sum()
    rng = np.random.default_rng(14)

    @cache
    def gibbs(sweeps):
        setting = context(SMALL[fixed], beta, size=size, conditional=True)
        drawer = sampler("gibbs", setting, negatives=1, chain_steps=sweeps)
        return long(lambda batch: drawer.draw(KEY, (), energy, batch)[0].y)

    def after(start, sweeps):
        y = np.asarray(gibbs(sweeps)(jax.tree.map(lambda leaf: leaf[start], padded)))[:, 0]
        assert (y[:, 3] == SMALL[fixed].padding).all(), "the length stays"
        counts, expected = np.bincount(y[:, :3] @ [9, 3, 1], minlength=27), share * len(start)
        few = expected < 5  # a chi-square needs as many: such words together are one
        return stats.chisquare(*(np.append(many[~few], many[few].sum()) for many in (counts, expected))).pvalue

    assert after(rng.choice(27, size, p=share), 1) > 1e-3
    assert after(np.zeros(size, int), 30) > 1e-3
    assert after(np.zeros(size, int), 1) < 1e-6, "one sweep forgets everything: the test shows nothing"


@pytest.mark.parametrize("fixed", [True, False])
def test_random_words_are_even_and_their_density_sums_to_one(fixed):
    """Letters and lengths are even, log q sums to 1 over all words."""
    space, size = SMALL[fixed], 4_000
    batch = small_batch(np.zeros((size, 4), np.int32), fixed)
    drawer = sampler("uniform", context(space, size=size, conditional=True), negatives=2)
    lengths = [3] if fixed else [1, 2, 3, 4]
    every = [(*w, *[space.padding] * (4 - n)) for n in lengths for w in product(range(3), repeat=n)]

    @quick
    def draw():
        found, _ = drawer.draw(KEY, (), None, jax.tree.map(jnp.asarray, batch))
        question = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), batch.x)
        return found.y.reshape(-1, 4), jax.vmap(partial(found.log_q, question))(jnp.array(every))

    y, log_q = map(np.asarray, draw())
    np.testing.assert_allclose(np.exp(log_q).sum(), 1, rtol=1e-5)
    place = {word: i for i, word in enumerate(every)}
    counts = np.bincount([place[tuple(map(int, word))] for word in y], minlength=len(every))
    assert stats.chisquare(counts, np.exp(np.float64(log_q)) / np.exp(np.float64(log_q)).sum() * len(y)).pvalue > 1e-3


def test_the_other_words_of_the_batch_are_as_long_as_y():
    """Longer ones are cut, shorter ones go on as y does; words of free length stay as they are."""
    _, model, batch = words()
    others = [[j % SIZE for j in range(i + 1, i + SIZE)] for i in range(SIZE)]
    y, mask = np.asarray(batch.y), np.asarray(batch.x.mask)
    fixed, free = context(STRINGS, conditional=True), context(STRINGS._replace(fixed=False), conditional=True)
    both = quick(lambda: [sampler("in-batch", space).draw(KEY, (), model, batch)[0].y for space in (fixed, free)])
    found, unchanged = map(np.asarray, both())
    for i, j, k in product(range(SIZE), range(SIZE - 1), range(3)):
        other = others[i][j]
        assert found[i, j, k] == (y[other, k] if mask[i, k] and mask[other, k] else y[i, k])
    np.testing.assert_array_equal(unchanged, y[np.array(others)])


def edits_of(word, space):
    """All words that one edit makes of a word, as strings of digits."""
    n = len(word)
    changed = {word[:t] + c + word[t + 1 :] for t in range(n) for c in "012" if c != word[t]}
    if space.fixed:
        return changed
    put_in = {word[:t] + c + word[t:] for t in range(n + 1) for c in "012"} if n < 4 else set()
    return changed | put_in | ({word[:t] + word[t + 1 :] for t in range(n)} if n > 1 else set())


MANY = 3_000  # edits of one word, of which each is among them


@cache
def edited(fixed, edits):
    """A program: batch -> words [MANY, 4]."""
    drawer = sampler("corrupt", context(SMALL[fixed], size=MANY, conditional=True), negatives=1, edits=edits)
    return quick(lambda batch: drawer.draw(KEY, (), None, batch)[0].y[:, 0])


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("start", ["0", "201", "2011"])
def test_random_edits_make_every_word_that_they_can_and_no_other(start, fixed):
    """One edit gives every word that one edit makes, and no other; two edits those of these."""
    space = SMALL[fixed]
    padded = np.array([*map(int, start), *[space.padding] * (4 - len(start))], np.int32)
    x = Word(None, np.broadcast_to(np.arange(4) < len(start), (MANY, 4)))
    batch = Batch(x, np.broadcast_to(padded, (MANY, 4)))

    def found(edits):
        y = np.asarray(edited(fixed, edits)(batch))
        lengths = [len(start)] * MANY if fixed else (y >= 0).sum(axis=1)
        spelled = {"".join(map(str, row[:n])) for row, n in zip(y, lengths, strict=True)}
        assert all((row[n:] == space.padding).all() for row, n in zip(y, lengths, strict=True))
        return spelled

    once = edits_of(start, space)
    assert found(1) == once
    assert found(2) == once.union(*(edits_of(word, space) for word in once))
