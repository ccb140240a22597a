"""Which folder a name means."""

import os

import pytest
from helpers.made_up import seeds, written

from ebmcli.core.errors import UsageError
from ebmcli.storage import find


@pytest.fixture
def root(tmp_path):
    """A results folder with a sweep."""
    (tmp_path / "results").mkdir()
    written(tmp_path / "results" / "x", seeds("hinge", "pcd", [0.1, 0.2]))
    return tmp_path / "results"


def test_a_run_is_found_by_its_beginning_and_an_unclear_one_is_refused(root, tmp_path):
    runs = root / "x" / "runs"
    assert find.run("hinge-pcd-moons-s1", root) == runs / "hinge-pcd-moons-s1"
    assert find.run(str(runs / "hinge-pcd-moons-s0"), root).name == "hinge-pcd-moons-s0"
    with pytest.raises(UsageError, match="2 runs: say more"):
        find.run("hinge", root)
    with pytest.raises(UsageError, match="did you mean hinge-pcd-moons-s"):
        find.run("hing-pcd-moons", root)
    with pytest.raises(UsageError, match="no runs in"):
        find.run("hinge", tmp_path / "nothing")


def test_a_run_that_stands_in_several_sweeps_is_that_of_the_newest(root):
    newer = written(root / "y", seeds("hinge", "pcd", [0.1, 0.2]))
    os.utime(newer / "sweep.json", ns=(0, 2**62))
    assert find.run("hinge-pcd-moons-s1", root) == newer / "runs" / "hinge-pcd-moons-s1"


def test_a_sweep_is_found_by_its_name_or_its_folder_and_the_newest_without_one(root):
    newer = written(root / "y", seeds("log", "pcd", [0.1]))
    os.utime(newer / "sweep.json", ns=(0, 2**62))
    assert find.sweep(None, root) == newer
    assert find.sweep("x", root) == root / "x"
    assert find.sweep(str(root / "x"), root / "nowhere") == root / "x"
    with pytest.raises(UsageError, match="unknown sweep 'z': known: y, x"):
        find.sweep("z", root)


@pytest.mark.parametrize("name", [None, "x"])
def test_where_nothing_has_run_nothing_is_found(tmp_path, name):
    with pytest.raises(UsageError, match="run something first"):
        find.sweep(name, tmp_path)
