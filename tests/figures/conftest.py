"""Sweeps of made-up runs on disk."""

import pytest
from helpers.pages import written


@pytest.fixture
def sweep(tmp_path):
    """Writes runs with their arrays into a results folder, and returns the folder of their sweep."""
    return lambda records, **more: written(tmp_path / "results" / "x", records, **more)
