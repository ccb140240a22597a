"""Handwritten words on a strip: how they are put together, and how the writers of training and test are kept apart."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.tasks import build

from ebmcli.core import registry
from ebmcli.tasks import handwriting

KEY = jax.random.key(40)
UNIT = registry.find("task", "handwriting")


def test_handwritten_letters_stand_side_by_side_at_twice_their_size():
    """Gaps of 0 to 4 pixels, one vertical shift of 0 to 4, 4 pixels free at both ends; labels and columns are true."""
    data = handwriting.written()
    first, length = data["first"][: 27 * 250 : 250], data["length"][: 27 * 250 : 250]
    join = jax.jit(jax.vmap(partial(handwriting.join_letters, longest=14), (0, None, 0, 0)))
    joined = jax.tree.map(np.asarray, join(jax.random.split(KEY, 27), data, first, length))
    gaps, drops = set(), set()
    for image, width, y, centre, place, count in zip(*joined[0], *joined[1:], first, length, strict=True):
        np.testing.assert_array_equal(y[:count], data["label"][place : place + count])
        assert (y[count:] == -1).all()
        start = np.asarray(centre[:count] - 8, int)
        gaps |= set((np.diff(start) - 16).tolist())
        assert 4 <= start[0] <= 8
        assert width == start[-1] + 16 + 4
        small = np.unpackbits(data["pixels"][place : place + count], axis=1).reshape(count, 16, 8)
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
    y = np.asarray(jax.jit(lambda data: task.draw(KEY, data, 2_000).y)(data))
    drawn = set(np.unique(y[y >= 0]))
    assert drawn == ({3} if protocol == "small" else set(range(10)) - {3})
    looked = handwriting.evaluated_count(protocol, 3, True)
    numbers = handwriting._targets(protocol, True)["number"][:looked]
    places = np.asarray(
        jax.jit(handwriting.word_index, static_argnums=3)(data["start"], 3, numbers, protocol == "large")
    )
    assert set(data["fold"][places]) == (set(range(10)) - drawn)
    assert len(set(places.tolist())) == looked
    assert task.examples == (data["fold"] == 3).sum() if protocol == "small" else (data["fold"] != 3).sum()


@pytest.mark.parametrize("vocabulary", ["pieces", "words"])
@pytest.mark.parametrize("protocol", ["small", "large"])
def test_draws_are_pieces_of_all_training_words_and_of_no_test_word(protocol, vocabulary):
    """For the folds at the ends and one between, in every stage of the training; a letter shows the number of the word
    that it belongs to."""
    written = handwriting.written()
    number = np.argsort(written["first"])[np.repeat(np.arange(6_877), written["length"][np.argsort(written["first"])])]
    data = {**written, "label": number.astype(np.int32)}

    @jax.jit
    def draw(key, data, fold, done):
        task = UNIT.build({"protocol": protocol, "fold": fold, "vocabulary": vocabulary})
        return task.curriculum(key, data, 20_000, done).y

    for fold, done in product((0, 3, 9), (0.0, 1.0)):
        y = np.asarray(draw(KEY, data, jnp.int32(fold), done))
        assert (np.where(y < 0, y[:, :1], y) == y[:, :1]).all(), "no letter of another word"
        counts = np.bincount(y[:, 0], minlength=6_877)
        trained = (written["fold"] == fold) == (protocol == "small")
        assert not counts[~trained].any()
        assert (counts[trained] > 0).mean() > 0.9
