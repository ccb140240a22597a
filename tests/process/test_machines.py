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


class Device:
    device_kind = "cpu"


def origin():
    """(commit, dirty) of the provenance."""
    entries = provenance.provenance([Device()], {})
    return entries["commit"], entries["dirty"]


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit_all(folder):
    """Make the folder a repository that tracks all in it, and return its commit."""
    git(folder, "init", "-q")
    git(folder, "add", "-f", ".")
    git(folder, "commit", "-qm", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of a package that stands for ours, beside its project file."""
    folder = tmp_path / "project" / "ebmcli"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder.parent / "pyproject.toml").write_text('[project]\nname = "ebmcli"\n')
    monkeypatch.setattr(provenance, "ROOT", folder)
    return folder


def test_provenance_without_git_outside_a_repository_and_of_a_dirty_tree(package, tmp_path, monkeypatch):
    assert origin() == (None, None)
    commit = commit_all(package.parent)
    assert origin() == (commit, False)
    (package / "new.py").write_text("")
    assert origin() == (commit, True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert origin() == (None, None)


@pytest.mark.parametrize("tracked", [False, True], ids=["ignored", "tracked"])
@pytest.mark.parametrize(
    ("where", "name"), [("venv/lib/site-packages", "another"), ("venv/lib", "ebmcli"), ("vendor", "ebmcli"), (".", "x")]
)
def test_the_commit_of_another_project_is_never_ours(package, tmp_path, monkeypatch, tracked, where, name):
    """Installed in an environment inside it, copied into it with our project file, or at its top without that."""
    other = tmp_path / "other"
    place = other / where
    place.mkdir(parents=True)
    shutil.copytree(package, place / "ebmcli")
    (other / "pyproject.toml").write_text('[project]\nname = "another"\n')
    (place / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    if not tracked:
        git(other, "init", "-q")
        git(other, "commit", "-qm", "x", "--allow-empty")
    else:
        commit_all(other)
    monkeypatch.setattr(provenance, "ROOT", place / "ebmcli")
    assert origin() == (None, None)


def test_a_repository_that_the_environment_names_is_not_looked_at(package, tmp_path, monkeypatch):
    """As the hooks of another project do."""
    commit, other = commit_all(package.parent), tmp_path / "other"
    other.mkdir()
    (other / "x").write_text("")
    assert commit_all(other) != commit
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert origin() == (commit, False)


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
