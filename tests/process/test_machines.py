"""Faults of clocks, git and machines (docs/faults.md), provoked for real."""

import json
import shutil
import subprocess

import pytest
from helpers.cells import cell_of
from helpers.shell import ROOT, SMALL, ebm, finish, run_here, start, train_sweep

from ebmcli.cli.run import _new_folder
from ebmcli.storage import provenance

# Every reading of the wall clock is an hour before the one before.
CLOCK = """
import time
now, count = time.time, [0]
def back():
    count[0] += 1
    return now() - 3600 * count[0]
time.time = back
"""


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """What a sweep prints on stdout and stderr, on a machine where a clock is set back, a home is not there, a path has
    spaces and a plugin is broken."""
    folder = tmp_path_factory.mktemp("strange") / "a folder with spaces"
    site = folder / "site" / "broken-1.dist-info"
    site.mkdir(parents=True)
    (folder / "site" / "sitecustomize.py").write_text(CLOCK)
    (folder / "site" / "broken.py").write_text("import nowhere_to_be_found")
    (site / "METADATA").write_text("Name: broken\nVersion: 1\n")
    (site / "entry_points.txt").write_text("[ebmcli.plugins]\nbad = broken\n")
    arguments = ["sweep", "--loss", "hinge", "--sampler", "uniform", *SMALL, "--no-pictures", "--json"]
    return finish(start(folder, *arguments, prefix=["env", "-u", "HOME", "-u", "XDG_CACHE_HOME"]))


def test_a_clock_that_is_set_back_changes_no_duration(strange):
    (record,) = json.loads(strange[0])
    assert record["status"] == "done"
    assert all(0 <= seconds < 240 for seconds in record["seconds"].values())


def test_a_home_that_is_not_there_spaces_in_paths_and_a_broken_plugin(strange):
    out, err = strange
    assert err.count("plugin bad is skipped: ModuleNotFoundError: No module named 'nowhere_to_be_found'") == 1
    assert len(json.loads(out)) == 1


def test_ids_are_not_made_of_time_and_two_folders_of_one_moment_differ(tmp_path):
    one, two = (cell_of(loss="hinge") for _ in range(2))
    assert one.id == two.id
    assert _new_folder(tmp_path, "run-1") != _new_folder(tmp_path, "run-1")


def test_provenance_without_git_outside_a_repository_and_of_a_dirty_tree(tmp_path, monkeypatch):
    class Device:
        device_kind = "cpu"

    package = tmp_path / "ebmcli"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(provenance, "ROOT", package)
    found = provenance.provenance([Device()])
    assert (found["commit"], found["dirty"]) == (None, None)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    clean = provenance.provenance([Device()])
    assert (len(clean["commit"]), clean["dirty"]) == (40, False)
    (package / "new.py").write_text("")
    assert provenance.provenance([Device()])["dirty"] is True
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.provenance([Device()])["commit"] is None


@pytest.fixture
def another_version(tmp_path, monkeypatch):
    """For the rest of the test, the package's sources are a copy in which a line was added."""
    copy = tmp_path / "copy" / "ebmcli"
    shutil.copytree(ROOT.parent / "ebmcli", copy, ignore=shutil.ignore_patterns("__pycache__"))
    with open(copy / "losses" / "pairs.py", "a") as file:
        file.write("# another version\n")
    monkeypatch.setattr(provenance, "ROOT", copy)
    provenance.code_hash.cache_clear()
    yield
    provenance.code_hash.cache_clear()


def test_code_that_changed_between_two_halves_is_warned_of(finished_copy, another_version):
    train_sweep(finished_copy, "--loss", "hinge,log", "--seeds", "0..2")
    out, _ = run_here(finished_copy, "report", "x")
    assert "Warning: mixed provenance. 2 versions of the code" in out.partition("\n## ")[0]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"XLA_FLAGS": "--xla_nonsense=1"}, "Unknown flag in XLA_FLAGS: --xla_nonsense=1"),
        ({"JAX_PLATFORMS": "nonsense"}, "nonsense"),
        ({"JAX_PLATFORMS": "cuda"}, "cuda"),
    ],
)
def test_jax_that_does_not_start_is_one_line(tmp_path, environment, words):
    _, err = ebm(tmp_path, "run", "--loss", "hinge", code=1, **environment)
    assert len(err.strip().splitlines()) == 1
    assert words in err
