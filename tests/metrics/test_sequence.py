"""Measures of words that are read, on cases with a known answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from ebmcli.metrics import sequence


def padded(words, width=8):
    """[N, width]: words, -1 past their ends."""
    return np.array([[*map(ord, word), *[-1] * (width - len(word))] for word in words])


def test_edit_distances_count_letters_put_in_left_out_or_changed():
    """kitten, sitting: 3; a word that is empty costs its letters; -1 is padding."""
    found = sequence.edit_distances(padded(["kitten", "", "abc", "aab"]), padded(["sitting", "abc", "abc", "ab"]))
    assert found.tolist() == [3, 3, 0, 1]


word = st.text("abc", max_size=7)  # few letters, so that words have much in common


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(word, word), min_size=1, max_size=20), st.integers(0, 3), st.integers(0, 3))
def test_edit_distances_are_those_of_rapidfuzz(pairs, more, fewer):
    """On words of any length, none too, and however wide the padding of either side is."""
    sides = [*zip(*pairs, strict=True)]
    found = sequence.edit_distances(padded(sides[0], 7 + more), padded(sides[1], 7 + fewer))
    assert found.tolist() == [Levenshtein.distance(*pair) for pair in pairs]


@given(st.lists(word, min_size=1, max_size=5))
def test_edit_distances_from_and_to_nothing_are_lengths(words):
    nothing = np.zeros((len(words), 0), int)
    for sides in ((nothing, padded(words)), (padded(words), nothing)):
        assert sequence.edit_distances(*sides).tolist() == [*map(len, words)]


def test_paths_collapse_to_words():
    paths = np.array([[1, 1, 9, 1, 9, -1], [9, 9, 9, 9, 9, 9], [2, 3, 3, 9, 9, 4], [5, 9, -1, -1, -1, -1]])
    found = [[c for c in row if c >= 0] for row in sequence.collapse_symbols(paths, 9).tolist()]
    assert found == [[1, 1], [], [2, 3, 4], [5]]


def test_sequence_errors_count_letters_that_are_there():
    label = np.array([[1, 2, 3, 0], [4, 5, 0, 0]])
    length = np.array([3, 2])
    found = np.array([[1, 2, 9, 9], [4, 5, 7, 7]])
    assert sequence.character_error(found, label, length) == pytest.approx(1 / 5)
    assert sequence.exact_share(found, label, length) == 0.5
    assert sequence.read_segmented(found, label, length) == sequence.Reading(pytest.approx(1 / 5), 0.5, 0.5)


def test_errors_of_strips_are_shares_of_the_letters_and_of_the_words():
    label = padded(["abcd", "ab", "a", "abc"])
    assert sequence.read_strips(np.array([2, 0, 0, 1]), label) == sequence.Reading(0.3, 0.5, 0.5)


def segmented(found, label, length, fine=True):
    return sequence.SegmentedEvaluation(found, found, label, length, np.zeros(len(label)), 0.0, fine)


def test_exact_match_of_each_length():
    label = np.array([[1, 2, 3], [4, 5, 0], [4, 6, 0]])
    found, length = np.array([[1, 2, 3], [4, 5, 9], [4, 5, 9]]), np.array([3, 2, 2])
    by_length = sequence.exact_match_by_length(segmented(found, label, length))
    assert by_length == {"exact_match_2": 0.5, "exact_match_3": 1.0}
    assert sequence.exact_match_by_length(segmented(found, label, length, fine=False)) == {}


def test_the_least_sure_are_rejected_first():
    """Of equally sure ones the right ones, so that ties do not help."""
    sure, wrong = np.array([3.0, 1.0, 2.0, 4.0]), np.array([False, True, True, False])
    rejected, error = sequence.reject_curve(sure, wrong)
    np.testing.assert_array_equal(rejected, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(error, [0.5, 0.25, 0, 0, 0])
    assert sequence.reject_at(sure, wrong, 0.25) == 0.25
    assert sequence.reject_at(sure, wrong) == 0.5
    assert sequence.reject_at(np.zeros(4), wrong) == 1.0
    assert sequence.reject_at(sure, np.zeros(4, bool)) == 0.0
