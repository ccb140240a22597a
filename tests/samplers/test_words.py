"""Negatives of words: the best and the n best against all words, Gibbs sampling, random words and edits."""

from functools import cache, partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.negatives import KEY, LINEAR, SIZE, STRINGS, at, sampler, words
from scipy import stats

from ebmcli.core import registry
from ebmcli.core.types import Batch, Energy, Strings, Word
from ebmcli.training import objective
from ebmcli.training.objective import Weights


@cache
def words_scored():
    return jax.jit(jax.vmap(words()[1].apply, (None, 0)))


@cache
def every_word(i):
    """Of word i: the energies of all 26^length answers, padded as it is, and their numbers of wrong letters."""
    x, y = jax.tree.map(lambda leaf: leaf[i], words()[2])
    length = int(x.mask.sum())
    answers = np.zeros((26**length, len(y)), np.int32)
    answers[:, :length] = list(product(range(26), repeat=length))
    energy = words_scored()(x, answers)
    return np.asarray(energy, np.float64), (answers != np.asarray(y)).sum(axis=1)


SEQUENCE = [
    ("most-offending", 0.0, "constant"),
    ("most-offending", 0.0, "hamming"),
    ("loss-augmented", 0.7, "hamming"),
    ("exhaustive", 0.0, "hamming"),
]


@pytest.mark.parametrize(("name", "reward", "margin_distance"), SEQUENCE)
def test_sequence_negatives_against_all_words(name, reward, margin_distance):
    """The lowest F - reward * wrong letters of all other words; and their distance, minimum and free energy."""
    params, model, batch = words()
    task = registry.find("task", "letters").build({"margin_distance": margin_distance})
    # Only loss-augmented looks at the reward of its setting.
    drawer = sampler(name, at(STRINGS, reward=reward or 3.0, conditional=True))
    needs = frozenset({"negatives", "partition", "minimum"})

    @jax.jit
    def draw():
        found, _ = drawer.draw(KEY, (), model, batch)
        return found.y, objective.energies_of(
            needs, LINEAR, Weights(params, None), task, batch, found, jnp.float32(2.0)
        )

    y, seen = jax.tree.map(np.asarray, draw())
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
    y = np.asarray(jax.jit(lambda: sampler("n-best", at(STRINGS, conditional=True)).draw(KEY, (), model, batch)[0].y)())
    assert y.shape[1] == 8
    for i, found in enumerate(y):
        energy, wrong = every_word(i)
        x = jax.tree.map(lambda leaf, i=i: leaf[i], batch.x)
        np.testing.assert_allclose(words_scored()(x, found), np.sort(energy[wrong > 0])[:8], rtol=1e-5, atol=1e-5)
    assert (
        y[:, 0] == jax.jit(lambda: sampler("most-offending", at(STRINGS)).draw(KEY, (), model, batch)[0].y)()[:, 0]
    ).all()


SMALL = {True: Strings(3, 4, fixed=True), False: Strings(3, 4, fixed=False)}
PAIRS = jnp.asarray(np.random.default_rng(13).normal(0, 1, (4, 3, 3)), jnp.float32)


def small_energy(x, y):
    """Of up to 4 letters: no chain, every letter meets the first; an energy of its own for each length."""
    there = y >= 0 if x.letters is None else x.mask
    return jnp.sum(jnp.where(there, PAIRS[jnp.arange(4), y[0], y], 0)) + 0.3 * there.sum()


def small_batch(y, fixed):
    """Answers [B, 4], all to a question of three letters; or without one that tells their length, padded with -1."""
    mask = jnp.broadcast_to(jnp.arange(4) < 3, y.shape)
    return Batch(Word(jnp.zeros((len(y), 1)) if fixed else None, mask), jnp.where(mask, y, 0 if fixed else -1))


@pytest.mark.parametrize("fixed", [True, False])
def test_gibbs_leaves_the_model_as_it_is_and_reaches_it(fixed):
    """Exact samples stay exact samples after one sweep; any start is forgotten after many, but for its length."""
    beta, size = 1.5, 8_000
    energy = Energy(lambda *_: None, small_energy)
    every = np.array(list(product(range(3), repeat=3)))
    padded = small_batch(jnp.asarray(np.pad(every, ((0, 0), (0, 1))), jnp.int32), fixed)
    heights = np.asarray(jax.vmap(small_energy)(padded.x, padded.y), np.float64)
    share = np.exp(-beta * heights) / np.exp(-beta * heights).sum()
    rng = np.random.default_rng(14)

    def after(start, sweeps):
        batch = jax.tree.map(lambda leaf: leaf[start], padded)
        values = {"negatives": 1, "chain_steps": sweeps}
        drawer = sampler("gibbs", at(SMALL[fixed], beta, size=len(start), conditional=True), **values)
        y = np.asarray(jax.jit(lambda: drawer.draw(KEY, (), energy, batch)[0].y)())[:, 0]
        assert (y[:, 3] == SMALL[fixed].padding).all(), "the length stays"
        counts, expected = np.bincount(y[:, :3] @ [9, 3, 1], minlength=27), share * len(start)
        few = expected < 5  # a chi-square needs as many: such words together are one
        return stats.chisquare(*(np.append(many[~few], many[few].sum()) for many in (counts, expected))).pvalue

    assert after(rng.choice(27, size, p=share), 1) > 1e-3
    assert after(np.zeros(size, int), 30) > 1e-3
    assert after(np.zeros(size, int), 1) < 1e-6, "one sweep forgets everything: the test shows nothing"


@pytest.mark.parametrize("fixed", [True, False])
def test_random_words(fixed):
    """Letters and lengths are even, log q sums to 1 over all words."""
    space, size = SMALL[fixed], 4_000
    batch = small_batch(jnp.zeros((size, 4), jnp.int32), fixed)
    drawer = sampler("uniform", at(space, size=size, conditional=True), negatives=2)
    found, _ = drawer.draw(KEY, (), None, batch)
    y = np.asarray(found.y).reshape(-1, 4)
    question = jax.tree.map(lambda leaf: leaf[0], batch.x)
    lengths = [3] if fixed else [1, 2, 3, 4]
    every = [(*w, *[space.padding] * (4 - n)) for n in lengths for w in product(range(3), repeat=n)]
    log_q = jax.vmap(partial(found.log_q, question))(jnp.array(every))
    np.testing.assert_allclose(np.exp(log_q).sum(), 1, rtol=1e-5)
    place = {word: i for i, word in enumerate(every)}
    counts = np.bincount([place[tuple(map(int, word))] for word in y], minlength=len(every))
    assert stats.chisquare(counts, np.exp(np.float64(log_q)) / np.exp(np.float64(log_q)).sum() * len(y)).pvalue > 1e-3


def test_the_other_words_of_the_batch_are_as_long_as_y():
    """Longer ones are cut, shorter ones go on as y does; words of free length stay as they are."""
    _, model, batch = words()
    others = [[j % SIZE for j in range(i + 1, i + SIZE)] for i in range(SIZE)]
    y, mask = np.asarray(batch.y), np.asarray(batch.x.mask)
    found = np.asarray(sampler("in-batch", at(STRINGS, conditional=True)).draw(KEY, (), model, batch)[0].y)
    for i, j, k in product(range(SIZE), range(SIZE - 1), range(3)):
        other = others[i][j]
        assert found[i, j, k] == (y[other, k] if mask[i, k] and mask[other, k] else y[i, k])
    free = at(STRINGS._replace(fixed=False), conditional=True)
    np.testing.assert_array_equal(sampler("in-batch", free).draw(KEY, (), model, batch)[0].y, y[np.array(others)])


def edits_of(word, space):
    """All words that one edit makes of a word, as strings of digits."""
    n = len(word)
    changed = {word[:t] + c + word[t + 1 :] for t in range(n) for c in "012" if c != word[t]}
    if space.fixed:
        return changed
    put_in = {word[:t] + c + word[t:] for t in range(n + 1) for c in "012"} if n < 4 else set()
    return changed | put_in | ({word[:t] + word[t + 1 :] for t in range(n)} if n > 1 else set())


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("start", ["0", "201", "2011"])
def test_random_edits(start, fixed):
    """One edit gives every word that one edit makes, and no other; two edits those of these."""
    space, size = SMALL[fixed], 3_000
    padded = [*map(int, start), *[space.padding] * (4 - len(start))]
    x = Word(None, jnp.broadcast_to(jnp.arange(4) < len(start), (size, 4)))
    batch = Batch(x, jnp.broadcast_to(jnp.array(padded, jnp.int32), (size, 4)))

    def found(edits):
        drawer = sampler("corrupt", at(space, size=size, conditional=True), negatives=1, edits=edits)
        y = np.asarray(jax.jit(lambda: drawer.draw(KEY, (), None, batch)[0].y)())[:, 0]
        lengths = [len(start)] * size if fixed else (y >= 0).sum(axis=1)
        spelled = {"".join(map(str, row[:n])) for row, n in zip(y, lengths, strict=True)}
        assert all((row[n:] == space.padding).all() for row, n in zip(y, lengths, strict=True))
        return spelled

    once = edits_of(start, space)
    assert found(1) == once
    assert found(2) == once.union(*(edits_of(word, space) for word in once))
