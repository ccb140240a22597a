"""Which folder a name means."""

import os
import shutil
from pathlib import Path

import pytest
from helpers.made_up import seeds, written
from helpers.shell import run_here

from ebmcli import load, load_run
from ebmcli.core.errors import UsageError
from ebmcli.storage import find, store


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


def test_a_run_is_found_in_a_sweep_that_is_named(root):
    older = written(root / "y", seeds("hinge", "pcd", [0.1, 0.2]))
    os.utime(older / "sweep.json", ns=(0, 0))
    assert find.run("y/hinge-pcd-moons-s1", root) == older / "runs" / "hinge-pcd-moons-s1"
    assert find.run("y/runs/hinge-pcd-moons-s1", root) == older / "runs" / "hinge-pcd-moons-s1"
    with pytest.raises(UsageError, match="unknown sweep 'z'"):
        find.run("z/hinge", root)
    with pytest.raises(UsageError, match=r"no run 'y/log'.*did you mean"):
        find.run("y/log", root)


def test_runs_whose_names_begin_alike_are_told_apart_by_what_differs(root):
    with pytest.raises(UsageError, match=r"as in hinge-pcd-moons-s0 \(seed 0\), hinge-pcd-moons-s1 \(seed 1\)$"):
        find.run("x/hinge", root)
    (root / "x" / "runs" / "hinge-pcd-moons-s1" / "config.json").write_text("damaged")
    with pytest.raises(UsageError, match="begins the names of 2 runs"):
        find.run("x/hinge", root)


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


# --- folders that were copied, renamed or linked ---------------------------------------------------------------------


@pytest.fixture
def run(root):
    return root / "x" / "runs" / "hinge-pcd-moons-s1"


def moved(run, how, folder):
    """The path by which a run is named after that, from that folder."""
    if how == "linked":
        (folder / "other").symlink_to(run)
    elif how == "renamed":
        run.rename(folder / "other")
    elif how == "beside the others":
        shutil.copytree(run, run.with_name("other"))
        return run.with_name("other")
    else:
        shutil.copytree(run, folder / "other")
    return {"the current one": ".", "with a slash": "other/", "by a detour": "other/../other"}.get(how, "other")


@pytest.mark.parametrize(
    "how",
    ["copied", "renamed", "linked", "beside the others", "the current one", "with a slash", "by a detour"],
)
def test_the_folder_of_a_run_is_read_wherever_it_lies_and_whatever_it_is_called(how, root, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = store.result(run)
    name = moved(run, how, tmp_path)
    if how == "the current one":
        monkeypatch.chdir(tmp_path / "other")
    loaded = load_run(name, root)
    assert loaded.record == expected
    assert loaded.folder.name not in ("", ".")
    out, _ = run_here(Path.cwd(), "show", name, "--results", root)
    assert out.startswith("hinge-pcd-moons-s1: done, ")
    assert ("in a folder of its own" in out) == (how not in ("linked", "beside the others"))


def test_a_copy_over_another_run_is_damage_to_that(root, run):
    other = run.with_name("hinge-pcd-moons-s0")
    shutil.rmtree(other)
    shutil.copytree(run, other)
    assert store.status(other) == "damaged"
    with pytest.raises(UsageError, match="it is damaged"):
        load_run(other, root)


def test_the_current_folder_is_a_sweep_by_its_own_name(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root / "x")
    assert find.sweep(".", root).name == "x"
    assert set(load(".")["sweep"]) == {"x"}
    assert run_here(root / "x", "export", ".")[0] == "x.csv\n"
    assert run_here(root / "x", "report", ".")[0].startswith("# x\n")
    monkeypatch.chdir(root / "x" / "runs")
    assert find.sweep("..", root).name == "x"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("results/x", "the folder of a sweep, not of a run"),
        ("lost", "there is a result but no config.json"),
        ("a\nb", r"no run 'a\\nb'"),
        ("a\0b", r"no run 'a\\x00b'"),
        ("n" * 5000, "no run 'nnn"),
        ("\udce9", r"no run '\\udce9'"),
    ],
)
def test_what_is_no_run_is_a_sentence(name, said, root, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lost").mkdir()
    shutil.copy(run / "result.json", "lost")
    with pytest.raises(UsageError, match=said):
        find.run(name, root)


def test_a_run_is_no_sweep(root, run):
    with pytest.raises(UsageError, match="the folder of a run, not of a sweep"):
        find.sweep(str(run), root)
    for name in ("a\0b", "n" * 5000):
        with pytest.raises(UsageError, match="unknown sweep"):
            find.sweep(name, root)
