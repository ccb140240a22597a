"""`letters` is the published set, split as published."""

from functools import cache, partial
from importlib import resources
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.tasks import build
from scipy import stats

from ebmcli.core import registry
from ebmcli.metrics import margin
from ebmcli.tasks import _kassel, letters

PER_FOLD = [626, 704, 684, 698, 693, 651, 739, 717, 690, 675]
FOLDS = [0, 4, 9]
LARGEST = 100_000  # draws in search of every word of nine folds
KEY = jax.random.key(30)
UNIT = registry.find("task", "letters")


@cache
def raw():
    """The file as it is shipped: pixels [52152, 16], label, offset, fold."""
    with resources.as_file(resources.files("ebmcli.tasks.data") / "letters.npz") as path, np.load(path) as file:
        return {name: file[name] for name in file.files}


def test_letters_is_the_published_set():
    """6,877 words, 55 distinct, all of them in every fold; 52,152 letters; n is the most frequent."""
    data = _kassel.words()
    present = np.arange(data["label"].shape[1]) < data["length"][:, None]
    assert (len(data["length"]), int(data["length"].sum())) == (6_877, 52_152)
    assert (data["length"].min(), data["length"].max()) == (3, 14)
    assert np.bincount(data["fold"]).tolist() == PER_FOLD
    assert np.diff(letters.split("small")["start"]).tolist() == PER_FOLD
    assert np.diff(_kassel.letters()["start"]).tolist() == PER_FOLD
    assert (data["fold"] == np.repeat(np.arange(10), PER_FOLD)).all(), "words are sorted by fold"
    words = np.array(_kassel.spellings())
    assert len(set(words)) == 55
    assert all(len(set(words[data["fold"] == fold])) == 55 for fold in range(10))
    share = np.bincount(data["label"][present], minlength=26) / 52_152
    assert share.argmax() == ord("n") - ord("a")
    assert round(100 * (1 - share.max()), 2) == 90.37
    assert len({row.tobytes() for row in data["pixels"]}) == 6_877, "no two word images are equal"


def test_words_are_padded_with_zeros():
    data = _kassel.words()
    past = np.arange(data["label"].shape[1]) >= data["length"][:, None]
    assert not data["label"][past].any()
    assert not data["pixels"][past].any()


@pytest.mark.parametrize("number", [0, 1, 2_000, 4_321, 6_876])
def test_words_are_those_of_the_file(number):
    """Pixels, labels and mask of an example, against the file unpacked."""
    file = raw()
    original = sorted(range(len(file["fold"])), key=lambda i: file["fold"][i])[number]  # a stable sort
    first, end = file["offset"][original : original + 2]
    batch = jax.jit(letters.examples)(_kassel.words(), jnp.array([number]))
    (pixels,), (mask,), (label,) = batch.x.letters, batch.x.mask, batch.y
    assert pixels.shape == (14, 128)
    assert pixels.dtype == jnp.float32
    assert mask.tolist() == [True] * (end - first) + [False] * (14 - end + first)
    np.testing.assert_array_equal(pixels[: end - first], np.unpackbits(file["pixels"][first:end], axis=1))
    np.testing.assert_array_equal(label[: end - first], file["label"][first:end])
    assert not np.asarray(label)[end - first :].any()
    assert not np.asarray(pixels)[end - first :].any()


def numbered(protocol):
    """The set with each word's number in place of its ink, so that draws can be counted fast."""
    data = build("letters", protocol=protocol).data()
    number = np.arange(len(data["length"]))
    return {**data, "pixels": np.stack([number >> 8, number & 255], axis=-1).astype(np.uint8)[:, None]}


@partial(jax.jit, static_argnames=("protocol", "size"))
def draw(fold, data, protocol, size):  # the fold is an array in a lane
    return UNIT.build({"protocol": protocol, "fold": fold}).draw(KEY, data, size)


@pytest.mark.parametrize(
    ("protocol", "fold"), [*product(["small", "large"], FOLDS), ("held-out-words", 0), ("held-out-words", 4)]
)
def test_draws_are_all_training_words_and_no_test_word(protocol, fold):
    """Small trains on the fold, large on the other nine, held-out-words on all words that are not of the group; evenly;
    and `test_words` is the complement."""
    data = numbered(protocol)
    here = data["fold"] == fold
    if protocol == "held-out-words":
        here = np.isin(_kassel.spellings(), letters.GROUPS[fold].split())
    trained = here if protocol == "small" else ~here
    batch = draw(jnp.int32(fold), data, protocol, LARGEST // 8 if protocol == "small" else LARGEST)
    drawn = np.packbits(np.asarray(batch.x.letters[:, 0], np.uint8), axis=-1).astype(int) @ [256, 1]
    counts = np.bincount(drawn, minlength=len(here))
    np.testing.assert_array_equal(counts > 0, trained)
    assert stats.chisquare(counts[trained]).pvalue > 1e-3
    np.testing.assert_array_equal(batch.y, data["label"][drawn])
    np.testing.assert_array_equal(letters.test_words(protocol, fold), ~trained)
    assert build("letters", protocol=protocol, fold=fold).examples == trained.sum()


def test_held_out_words_are_five_groups_of_eleven_that_leave_every_letter():
    """They are the 55 words, dealt out in the first random order after which no group takes a letter away."""
    words = sorted(set(_kassel.spellings()))
    groups = [line.split() for line in letters.GROUPS]
    assert sorted(word for group in groups for word in group) == words

    def leaves_all(group):
        return len({letter for word in words if word not in group for letter in word}) == 26

    for seed in range(letters.GROUP_SEED + 1):
        order = np.random.default_rng(seed).permutation(len(words))
        dealt = [sorted(words[i] for i in order[first::5]) for first in range(5)]
        assert all(map(leaves_all, dealt)) == (seed == letters.GROUP_SEED)
    assert groups == dealt


def test_only_folds_that_there_are_can_be_tested_on():
    assert not letters.impossible({"protocol": "small", "fold": 9})
    assert not letters.impossible({"protocol": "held-out-words", "fold": 4})
    assert letters.impossible({"protocol": "held-out-words", "fold": 5}) == "held-out-words has folds 0 to 4, not 5"


def test_the_distance_is_the_number_of_wrong_letters_or_one_for_every_wrong_word():
    y, other = jnp.array([1, 2, 3, 0]), jnp.array([1, 5, 4, 0])
    assert build("letters").distance(y, other) == 2
    assert build("letters", margin_distance="constant").distance(y, other) == 1


@pytest.mark.parametrize(("protocol", "expected"), [("small", 0.0085), ("large", 0.0041), ("held-out-words", 0.6186)])
def test_naive_bayes_and_the_list_of_words_reach_this(protocol, expected):
    """On fold 0; the list has none of the held-out words."""
    assert round(_kassel.word_list_error(letters.test_words(protocol, 0)), 4) == expected


def test_a_gap_is_kept_where_it_reaches_the_margin_of_all_wrong_letters():
    """Of 626 words whose most offending answer has `wrong` wrong letters and lies 1.5 above."""
    label = _kassel.words()["label"]
    chosen = np.arange(len(label)) < PER_FOLD[0]
    other = label.copy()
    wrong = np.where(np.arange(len(label)) % 2, 1, 3)
    other[np.arange(14) < wrong[:, None]] += 1
    energies = {name: np.zeros(len(label)) for name in ("right", "random", "sure")}
    probed = energies | {"offending": np.full(len(label), 1.5), "found": label, "other": other}

    def violated(grows):
        read, _ = letters.evaluation(probed, chosen, True, 1.0, grows, 0.0)
        return margin.kept_margin(read)["violation_rate"]

    assert violated(False) == 0.0
    assert violated(True) == 0.5, "three letters ask for a gap of 3"
