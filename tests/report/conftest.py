"""Sweeps of made-up records on disk."""

import pytest
from helpers.awkward import RECORDS, REFUSED
from helpers.made_up import written


@pytest.fixture
def sweep(tmp_path):
    """Writes records as a sweep leaves them on disk, and returns its folder."""
    return lambda *arguments, name="x", **more: written(tmp_path / name, *arguments, **more)


@pytest.fixture(scope="session")
def awkward(tmp_path_factory):
    """The sweep of all awkward records: to be read only."""
    return written(tmp_path_factory.mktemp("awkward") / "x", RECORDS, REFUSED)
