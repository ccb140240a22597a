"""Means, intervals and how numbers are written."""

import numpy as np
import pytest

from ebmcli import stats


def test_the_interval_is_students():
    found = stats.mean([1.0, 2.0, 3.0, None, float("nan")])
    assert (found.n, found.mean) == (3, 2.0)
    assert found.half == pytest.approx(4.302653 * 1.0 / np.sqrt(3), rel=1e-6)  # t table, 2 degrees of freedom


def test_no_interval_below_two_and_no_mean_below_one():
    assert stats.mean([5.0]) == (1, 5.0, None)
    assert stats.mean([None]) == (0, None, None)


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for sample in rng.normal(3.0, 2.0, (2000, 5)):
        found = stats.mean(list(sample))
        hits += abs(found.mean - 3.0) <= found.half
    assert 0.935 <= hits / 2000 <= 0.965


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.12345, "0.123"),
        (12.345, "12.3"),
        (9.9999, "10.0"),
        (12345.6, "12,346"),
        (3.2e9, "3.20e+09"),
        (None, "–"),
    ],
)
def test_numbers(value, text):
    assert stats.number(value) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (stats.Mean(3, 0.19784, 0.0012), "0.1978 ± 0.0012"),
        (stats.Mean(3, 123.4, 12.0), "123 ± 12"),
        (stats.Mean(2, 1.0, 0.0), "1.00 ± 0"),
        (stats.Mean(1, 0.5, None), "0.500"),
        (stats.Mean(0, None, None), "–"),
        (stats.Mean(2, 3e9, 4e8), "3.00e+09 ± 4.0e+08"),
        (stats.Mean(3, 2.01e6, 305_873.0), "2.01e+06 ± 3.1e+05"),
        (stats.Mean(3, 1.0, 3e-16), "1.00 ± 0"),
    ],
)
def test_means(found, text):
    assert stats.text(found) == text
