"""Rendered words: what is drawn, in which conditions, and how training and test are kept apart."""

import hashlib
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.tasks import build

from ebmcli.core import registry
from ebmcli.tasks import words

HASH = "b339499cc24d0301ede47c00687fb41dfdf9b9ccf729c8507026f333d533a3c1"  # also in ebmcli/tasks/data/README.md
LONGEST = 5
MANY = 500
UNIT = registry.find("task", "words")


@jax.jit
def compiled(seed, values, glyphs):
    task = UNIT.build({"longest": LONGEST, **values})
    return task.draw(jax.random.key(seed), {"glyphs": glyphs, "tested": words.tested_words(LONGEST)}, MANY)


@cache
def draws(seed=0, jitter=0, noise=0.0, train_words=0):
    """500 words of at most five letters; these settings are arrays in a lane."""
    values = {"jitter": jnp.int32(jitter), "noise": jnp.float32(noise), "train_words": jnp.int32(train_words)}
    return jax.tree.map(np.asarray, compiled(seed, values, words.glyphs()))


def spelled(y):
    return "".join(chr(97 + c) for c in y if c >= 0)


def test_the_glyphs_are_those_that_were_rendered_once():
    glyphs = words.glyphs()
    assert glyphs.shape == (26, 12, 32)
    assert hashlib.sha256(glyphs.tobytes()).hexdigest() == HASH
    assert len({glyph.tobytes() for glyph in glyphs}) == 26


def test_a_clean_word_is_its_glyphs_side_by_side():
    """Advance 12, text at the left edge, 18 pixels a letter and 6 more; nothing past the text."""
    batch = draws()
    lengths = (batch.y >= 0).sum(axis=1)
    assert set(lengths) == {2, 3, 4, 5}
    np.testing.assert_array_equal(batch.x.width, 18 * lengths + 6)
    for image, y, n in zip(batch.x.image, batch.y, lengths, strict=True):
        np.testing.assert_array_equal(image[: 12 * n], words.glyphs()[y[:n]].reshape(-1, 32))
        assert not image[12 * n :].any()


def test_jitter_shifts_a_word_and_noise_adds_ink():
    (clean, y), (moved, same), (noisy, too) = draws(), draws(jitter=7), draws(noise=0.1)
    np.testing.assert_array_equal(y, same)
    np.testing.assert_array_equal(y, too)
    shifts = [
        next(s for s in range(8) if (np.roll(one, s, axis=0) == other).all())
        for one, other in zip(clean.image, moved.image, strict=True)
    ]
    assert np.bincount(shifts, minlength=8).min() > 25, "0 to 7, evenly"
    assert (noisy.image >= clean.image).all()
    assert noisy.image[clean.image == 0].mean() == pytest.approx(0.1, abs=0.002)


def test_the_true_columns_are_the_middles_of_the_glyphs():
    word = jnp.array([7, 4, 11, 11, 14, -1])
    render = jax.jit(jax.vmap(partial(words.render_word, y=word, jitter=7, noise=0.0), (None, 0)))
    x, centre = render(words.glyphs(), jax.random.split(jax.random.key(0), 20))
    assert len(set(np.asarray(centre[:, 0]).tolist())) > 3
    for image, middles in zip(np.asarray(x.image), np.asarray(centre), strict=True):
        for middle, letter in zip(middles, [7, 4, 11, 11, 14], strict=False):
            first = int(middle) - 6
            np.testing.assert_array_equal(image[first : first + 12], words.glyphs()[letter])


@pytest.mark.parametrize("limit", [100, 500])
def test_so_many_training_words_and_no_more(limit):
    """Examples of a limited set are the same images again."""
    batches = [draws(seed, jitter=7, noise=0.1, train_words=limit) for seed in range(12)]
    assert len({image.tobytes() for batch in batches for image in batch.x.image}) == limit
    assert build("words", train_words=limit).examples == limit


def test_without_a_limit_no_training_word_comes_twice():
    assert len({image.tobytes() for image in draws(noise=0.1).x.image}) == MANY
    assert build("words").examples is None


def test_the_test_words_have_all_lengths_conditions_and_hello():
    tests, groups = words._tests(True), words._groups()
    label = tests["label"]
    assert len(label) % words.BLOCK == len(words._tests(False)["label"]) % words.BLOCK == 0
    assert {len(rows) for name, rows in groups.items() if name.isdigit()} == {100}
    for n in range(2, 11):
        assert {len(spelled(y)) for y in label[groups[str(n)]]} == {n}
        assert (tests["condition"][groups[str(n)]] == words.OWN).all()
    assert {spelled(y) for y in label[groups["hello"]]} == {"hello"}
    assert all((y[1:] == y[:-1])[y[1:] >= 0].any() for y in label[groups["doubled"]])
    for number, name in enumerate(words.CONDITIONS):
        np.testing.assert_array_equal(label[groups[name]], label[words._usual(True)])
        assert set(tests["condition"][groups[name]]) == {number}
    assert sorted(np.concatenate(list(groups.values())).tolist()) == list(range(len(label)))


def test_the_words_that_training_never_draws_are_all_test_words():
    assert {n: len(words.tested_words(n)) for n in (2, 3, 5, 14)} == {2: 93, 3: 238, 5: 529, 14: 1_074}
    all_tested = {spelled(y) for fine in (True, False) for y in words._tests(fine)["label"]}
    assert {spelled(y) for y in words.tested_words(14)} == all_tested
    assert {spelled(y) for y in words.tested_words(3)} == {word for word in all_tested if len(word) <= 3}


@pytest.mark.parametrize("train_words", [0, 500])
@pytest.mark.parametrize("longest", [2, 3])
def test_training_draws_every_word_but_those_of_the_test_set(longest, train_words):
    """Whatever the seed; all others of two letters are there."""
    task = UNIT.build({"longest": longest, "train_words": train_words})
    data = task.data()
    draw = jax.jit(lambda seed, data: task.draw(jax.random.key(seed), data, 4_000).y)
    drawn = {spelled(y) for seed in range(6) for y in np.asarray(draw(seed, data))}
    tested = {spelled(y) for y in data["tested"]}
    assert not drawn & tested
    if not train_words:
        assert len({word for word in drawn if len(word) == 2}) == 26**2 - 93
    letters = np.bincount([ord(c) - 97 for word in drawn for c in word], minlength=26)
    assert letters.min() > 0.7 * letters.mean(), "no letter is rare"


def test_a_word_is_drawn_again_until_it_is_no_excluded_one():
    """Of all words of two letters but one: what is left is drawn, whatever the key."""
    every = np.array([[a, b] for a in range(26) for b in range(26)], np.int32)
    draw = jax.jit(jax.vmap(words.spell_outside, (0, None, None)))
    keys = jax.random.split(jax.random.key(0), 20)
    assert {spelled(y) for y in np.asarray(draw(keys, 2, every[1:]))} == {"aa"}
    alone = np.asarray(draw(keys, 1, every[1:]))
    assert (alone[:, 1] == -1).all(), "a letter alone is no word of two"
