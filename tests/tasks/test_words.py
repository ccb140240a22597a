"""The tasks read off a strip: what is drawn, how training and test are kept apart, what is measured."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmcli.core import registry
from ebmcli.core.types import Aligned, Energy
from ebmcli.tasks import _strips as strips
from ebmcli.tasks import handwriting, words

KEY = jax.random.key(40)
HASH = "b339499cc24d0301ede47c00687fb41dfdf9b9ccf729c8507026f333d533a3c1"  # also in ebmcli/tasks/data/README.md


def build(name, **values):
    return registry.find("task", name).build(values)


def draws(task, size, seed=0):
    draw = jax.jit(task.draw, static_argnums=2)
    return jax.tree.map(np.asarray, draw(jax.random.key(seed), task.data(), size))


def spelled(y):
    return "".join(chr(97 + c) for c in y if c >= 0)


def test_the_glyphs_are_those_that_were_rendered_once():
    glyphs = words.glyphs()
    assert glyphs.shape == (26, 12, 32)
    assert hashlib.sha256(glyphs.tobytes()).hexdigest() == HASH
    assert len({glyph.tobytes() for glyph in glyphs}) == 26


def test_a_clean_word_is_its_glyphs_side_by_side():
    """Advance 12, text at the left edge, 18 pixels a letter and 6 more; nothing past the text."""
    batch = draws(build("words", longest=5), 60)
    lengths = (batch.y >= 0).sum(axis=1)
    assert set(lengths) == {2, 3, 4, 5}
    np.testing.assert_array_equal(batch.x.width, 18 * lengths + 6)
    for image, y, n in zip(batch.x.image, batch.y, lengths, strict=True):
        np.testing.assert_array_equal(image[: 12 * n], words.glyphs()[y[:n]].reshape(-1, 32))
        assert not image[12 * n :].any()


def test_jitter_shifts_a_word_and_noise_adds_ink():
    (clean, y), (moved, same), (noisy, too) = (
        draws(build("words", jitter=j, noise=share), 400) for j, share in ((0, 0.0), (7, 0.0), (0, 0.1))
    )
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
    y = jnp.array([7, 4, 11, 11, 14, -1])
    for number in range(5):
        x, centre = words.render_word(jnp.asarray(words.glyphs()), jax.random.key(number), y, 7, 0.0)
        for place, letter in enumerate([7, 4, 11, 11, 14]):
            first = int(centre[place]) - 6
            np.testing.assert_array_equal(x.image[first : first + 12], words.glyphs()[letter])


def test_so_many_training_words_and_no_more():
    """Examples of a limited set are the same images again; without a limit nearly none comes twice."""
    for limit, distinct in ((100, 100), (500, 500)):
        batch = draws(build("words", train_words=limit, noise=0.1, jitter=7), 6_000)
        assert len({image.tobytes() for image in batch.x.image}) == distinct
    assert len({image.tobytes() for image in draws(build("words", noise=0.1), 500).x.image}) == 500
    assert build("words", train_words=100).examples == 100
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


# --- handwriting -----------------------------------------------------------------------------------------------------


def test_handwritten_letters_stand_side_by_side_at_twice_their_size():
    """Gaps of 0 to 4 pixels, one vertical shift of 0 to 4, 4 pixels free at both ends; labels and columns are true."""
    data = jax.tree.map(jnp.asarray, handwriting.written())
    gaps, drops = set(), set()
    for number in range(27):
        place, count = int(data["first"][250 * number]), int(data["length"][250 * number])
        x, y, centre = handwriting.join_letters(jax.random.key(number), data, place, count, 14)
        image = np.asarray(x.image)
        np.testing.assert_array_equal(y[:count], data["label"][place : place + count])
        assert (y[count:] == -1).all()
        start = np.asarray(centre[:count] - 8, int)
        gaps |= set(np.diff(start) - 16)
        assert int(x.width) == start[-1] + 16 + 4
        small = np.unpackbits(np.asarray(data["pixels"][place : place + count]), axis=1).reshape(count, 16, 8)
        large = small.repeat(2, axis=1).repeat(2, axis=2).transpose(0, 2, 1)
        fits = [
            d
            for d in range(5)
            if all((image[s : s + 16, d : d + 32] == g).all() for s, g in zip(start, large, strict=True))
        ]
        drops |= set(fits)
        assert fits
        assert image.sum() == large.sum(), "and there is no other ink"
    assert gaps == drops == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("protocol", ["small", "large"])
def test_folds_of_training_and_test_are_apart(protocol):
    """Draws show each word's number in place of its ink: training words have the right folds, and so do test words."""
    data = dict(handwriting.written())
    letter = np.repeat(np.arange(6_877), data["length"][np.argsort(data["first"])])
    number = np.argsort(data["first"])[letter]  # of the word that a letter belongs to, in the order of folds
    fold = data["fold"][number]
    data["label"] = fold.astype(np.int32)
    task = build("handwriting", protocol=protocol, fold=3)
    batch = jax.jit(task.draw, static_argnums=2)(KEY, data, 2_000)
    drawn = set(np.unique(batch.y[batch.y >= 0]))
    assert drawn == ({3} if protocol == "small" else set(range(10)) - {3})
    looked = handwriting.looked_at(protocol, 3, True)
    places = [handwriting.word_index(data["start"], 3, int(n), protocol == "large") for n in
              handwriting._targets(protocol, True)["number"][:looked]]  # fmt: skip
    assert set(data["fold"][np.array(places)]) == (set(range(10)) - drawn)
    assert len(set(map(int, places))) == looked
    assert task.examples == (data["fold"] == 3).sum() if protocol == "small" else (data["fold"] != 3).sum()


# --- measures --------------------------------------------------------------------------------------------------------


def reader(errors):
    """An energy that knows the answer by its windows: letter k in window k, and `errors` maps a letter to another."""
    table_of = jnp.array([errors.get(c, c) for c in range(26)])

    def read(x):
        found = jnp.full(10, -1).at[: x.image.shape[0]].set(-1)
        return jnp.where(x.image[:10, 0] >= 0, table_of[x.image[:10, 0].astype(int)], found).astype(jnp.int32)

    def apply(x, y):
        return jnp.sum((read(x) != y[:10]).astype(jnp.float32))

    def n_best(x, y, count):
        best = read(x)
        wrong = best.at[0].set((best[0] + 1) % 26)
        second = best.at[0].set((best[0] + 2) % 26)
        other = jnp.where((best == y[:10]).all(), wrong, best)
        return jnp.stack([other, jnp.where((best == y[:10]).all(), second, wrong)])[:count]

    def align(x, y):
        state = jnp.where(jnp.arange(10) < jnp.sum(y >= 0), 2 * jnp.arange(10) + 1, -1)
        table = 1.0 - jax.nn.one_hot(read(x), 27)
        return Aligned(table, state, 12.0 * jnp.arange(10) + 8)

    return Energy(lambda *_: None, apply, n_best=n_best, align=align)


def test_measures_of_a_reader_that_is_known():
    """It reads every a as b and is sure of it by 1; its letters are found two pixels to the right."""
    label = np.full((4, 10), -1, np.int32)
    for row, word in enumerate(["cd", "ab", "xxz", "aaaa"]):
        label[row, : len(word)] = [ord(c) - 97 for c in word]
    model, guess = reader({0: 1}), np.zeros((4, 10), np.int32)
    strip = [strips.Strip(jnp.asarray(y[:, None], jnp.float32), jnp.int32(60)) for y in label]
    seen = [strips.look(model, x, jnp.asarray(y), g) for x, y, g in zip(strip, label, guess, strict=True)]
    probed = jax.tree.map(lambda *leaves: np.stack(leaves), *seen)
    centre = np.tile(12.0 * np.arange(10) + 6, (4, 1))
    found = strips.measures({name: leaf for name, leaf in probed.items() if name != "shown"}, label, centre, 0.5)
    assert found["cer"] == pytest.approx(5 / 11)
    assert (found["wer"], found["exact_match"]) == (0.5, 0.5)
    assert found["alignment_error"] == 2.0
    assert found["violation_rate"] == 0.5
    assert found["gap_q50"] == 0.0, "gaps 1, -1, 1, -4"
    assert found["reject_at_1pct"] == 1.0, "all are equally sure, and ties help nobody"
    assert [spelled(y) for y in probed["found"]] == ["cd", "bb", "xxz", "bbbb"]
    assert found["decoder_gap"] == 0.25, "window by window xx is x"
