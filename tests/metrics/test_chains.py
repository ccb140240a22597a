"""Chains that are no samples of the model: each is warned of, no healthy one is."""

import pytest

from ebmcli.metrics.chains import warnings

HEALTHY = {"acceptance": 0.6, "moved": 0.1, "reflected": 0.05}


@pytest.mark.parametrize(
    ("measures", "said"),
    [
        ({}, ""),
        (HEALTHY, ""),
        ({"acceptance": 0.01, "moved": 1e-3}, ""),
        ({"acceptance": 0.0099}, "accept 1.0% of their proposals and hardly move: lower step_size"),
        ({"acceptance": 0.0, "moved": 0.0}, "accept 0.0% of their proposals"),
        ({"acceptance": 1.0, "moved": 9e-4}, "end where they begin, 0.0009 of the box away: raise step_size"),
        ({"moved": 0.3, "reflected": 0.5}, ""),
        ({"moved": 0.3, "reflected": 0.51}, "a step takes 51% of its chains out of the box"),
        (HEALTHY | {"acceptance": None}, ""),
    ],
)
def test_a_chain_that_is_no_sample_of_the_model_is_warned_of(measures, said):
    found = warnings(measures)
    assert len(found) == bool(said)
    assert said in "".join(found)
