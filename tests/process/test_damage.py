"""Faults of disks, files and machines (docs/faults.md), provoked for real: a full disk, damage, other versions."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from helpers.shell import ROOT, SMALL, ebm, finish, outcome, results, start, trained, until

from ebmcli.cli import commands
from ebmcli.execution import sweep
from ebmcli.planning import plan as plans
from ebmcli.planning.config import grid
from ebmcli.storage import provenance, store

OLD = ROOT / "assets" / "schema-1"


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A folder with an undisturbed sweep x of one run."""
    folder = tmp_path_factory.mktemp("calm")
    trained(folder, "--loss", "hinge")
    return folder


# --- 14, 15: disks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "ebm-test", folder], capture_output=True)
    if done.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_is_named_and_after_room_is_made_the_same_command_goes_on(small_disk, calm):
    """At every size of what fills it: the disk is full at the manifest, a claim, the curves, the arrays, the result."""
    seen = set()
    for left in (0, 1, 3, 8, 20, 80):  # pages of 4 KiB
        shutil.rmtree(small_disk / "results", ignore_errors=True)
        (small_disk / "ballast").write_bytes(bytes(4096 * (64 - left) if left < 64 else 0))
        process = start(
            small_disk, "sweep", "--loss", "hinge", "--sampler", "uniform", *SMALL, "--no-pictures", "--name", "x"
        )
        out, err = process.communicate(timeout=240)
        assert "Traceback" not in out + err
        if left == 80:
            assert process.returncode == 0, err
            break
        assert process.returncode == 1, err
        (line,) = [line for line in err.splitlines() if line.startswith("ebm: ")]
        assert "No space left on device" in line
        seen.add(re.search(r"[\w.-]+(?=: No space)", line)[0])
        if (small_disk / "results" / "x" / "sweep.json").exists():
            store.records(small_disk / "results" / "x")
        (small_disk / "ballast").unlink()
        trained(small_disk, "--loss", "hinge")
        assert outcome(small_disk) == outcome(calm)
    assert len(seen) >= 3, seen


@pytest.fixture
def sealed(tmp_path):
    """A folder that cannot be written, by root neither."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "ebm-test", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_read_only_folder_is_one_line(sealed):
    _, err = ebm(sealed, "run", "--loss", "hinge", code=1)
    assert re.search(r"results.*: (Read-only file system|Permission denied)", err)
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("fate", ["moved", "removed"])
def test_a_folder_that_goes_away_in_a_sweep_is_one_line_and_a_moved_one_goes_on(tmp_path, calm, fate):
    axes = ["--loss", "hinge,log", "--devices", "1"]
    process = start(tmp_path, "sweep", "--sampler", "uniform", *SMALL, "--no-pictures", "--name", "x", *axes)
    until(lambda: results(tmp_path), process)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    if fate == "removed":
        shutil.rmtree(tmp_path / "elsewhere")
    _, err = finish(process, 1)
    assert "No such file or directory" in err
    assert not (tmp_path / "results").exists()
    if fate == "moved":
        ebm(tmp_path, "sweep", "--sampler", "uniform", *SMALL, "--no-pictures", "--name", "x", *axes,
            "--results", "elsewhere")  # fmt: skip
        (tmp_path / "elsewhere").rename(tmp_path / "results")
        assert len(results(tmp_path)) == 2
        assert "/" not in json.dumps(store.manifest(tmp_path / "results" / "x")["cells"])


# --- 16: damage ------------------------------------------------------------------------------------------------------

FILES = ("result.json", "config.json", "curves.jsonl", "arrays.npz", "params.npz", "failure.json", "sweep.json")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(FILES),
    place=st.floats(0, 1, exclude_max=True),
    how=st.sampled_from(["cut", "flip", "zero", "junk"]),
    bit=st.integers(0, 7),
)
def test_whatever_is_cut_or_corrupted_nothing_breaks_and_the_cell_is_run_again(tmp_path, name, place, how, bit):
    folder = _fresh_copy(tmp_path)
    run = next((folder / "runs").glob("hinge*"))
    store.write(run / "failure.json", b'{"kind": "failed", "message": "x", "traceback": "y", "attempt": 1}')
    path = folder / name if name == "sweep.json" else run / name
    whole = path.read_bytes()
    path.write_bytes(_damaged(whole, int(place * len(whole)), how, bit))
    before, plan = store.result(OLD_NEW / "runs" / run.name), _plan_of(folder)
    store.curves(run), store.arrays(run), store.arrays(run, "params.npz")
    found = store.result(run)
    assert found in (None, before)
    if name != "sweep.json":
        (record,) = [one for one in store.records(folder) if one["id"] == run.name]
        assert record["status"] == ("done" if found else "damaged")
    with store.locked(folder / "lock"):
        missing = sweep.prepare(plan, folder, "ebm test")
    assert [cell.id for cell in missing] == ([] if found else [run.name])
    if missing:
        store.claim(folder, run.name, missing[0].config)
        store.clear(run, missing[0].config)
        assert (run / "result.damaged").exists()
        assert store.config(run) == missing[0].config


def test_a_flipped_bit_that_makes_arrays_look_encrypted(tmp_path):
    run = next((_fresh_copy(tmp_path) / "runs").glob("hinge*"))
    whole = bytearray((run / "params.npz").read_bytes())
    whole[whole.index(b"PK\x01\x02") + 8] ^= 1
    (run / "params.npz").write_bytes(whole)
    assert store.arrays(run, "params.npz") is None


def _damaged(whole, at, how, bit):
    if how == "cut":
        return whole[:at]
    new = {"flip": whole[at] ^ (1 << bit), "zero": 0, "junk": 0xFF}[how]
    return whole[:at] + bytes([new]) + whole[at + 1 :]


OLD_NEW = None


@pytest.fixture(scope="module", autouse=True)
def _present(tmp_path_factory):
    """The runs of the old asset as the present version writes them."""
    global OLD_NEW
    OLD_NEW = tmp_path_factory.mktemp("present") / "x"
    shutil.copytree(OLD, OLD_NEW)
    for run in (OLD_NEW / "runs").iterdir():
        record = store.result(run)
        del record["schema_version"]
        store.save_result(run, record)
    manifest = store.manifest(OLD_NEW)
    del manifest["schema_version"]
    store.save_manifest(OLD_NEW, manifest)


def _fresh_copy(tmp_path):
    folder = tmp_path / "x"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(OLD_NEW, folder)
    return folder


def _plan_of(folder):
    return plans.Plan(sweep.cells_of(OLD_NEW, [cell["id"] for cell in store.manifest(OLD_NEW)["cells"]]), 0)


def test_a_flipped_version_is_damage_and_not_a_newer_version(tmp_path):
    folder = _fresh_copy(tmp_path)
    path = folder / "sweep.json"
    path.write_bytes(path.read_bytes().replace(b'"schema_version": 2', b'"schema_version": 3'))
    with store.locked(folder / "lock"):
        assert sweep.prepare(_plan_of(folder), folder, "ebm test") == []
    assert store.manifest(folder)["schema_version"] == 2


def test_the_report_of_a_damaged_sweep_comes_and_counts_it(calm, tmp_path):
    shutil.copytree(calm / "results", tmp_path / "results")
    (result,) = results(tmp_path)
    text = result.read_bytes()
    place = text.index(b'"kl": ') + 6
    result.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
    json.loads(result.read_bytes())
    out, _ = ebm(tmp_path, "report", "x")
    assert "damaged" in out
    trained(tmp_path, "--loss", "hinge")
    assert outcome(tmp_path) == outcome(calm)


def test_a_foreign_file_in_a_sweep_is_left_alone(calm, tmp_path):
    shutil.copytree(calm / "results", tmp_path / "results")
    runs = tmp_path / "results" / "x" / "runs"
    (runs / "notes.txt").write_text("mine")
    (runs / "a-folder").mkdir()
    _, err = trained(tmp_path, "--loss", "hinge")
    assert "all there" in err
    assert (runs / "notes.txt").read_text() == "mine"
    assert outcome(tmp_path) == outcome(calm)


# --- 17: other versions ----------------------------------------------------------------------------------------------


def test_a_sweep_of_the_first_schema_is_read_reported_extended_and_not_run_again(tmp_path):
    shutil.copytree(OLD, tmp_path / "results" / "schema-1")
    assert [one["status"] for one in store.records(tmp_path / "results" / "schema-1")] == ["done", "refused", "done"]
    out, _ = ebm(tmp_path, "report", "schema-1")
    assert "| hinge | uniform | 1 |" in out
    (run,) = (tmp_path / "results" / "schema-1" / "runs").glob("hinge*")
    before = {path: path.read_bytes() for path in run.parent.rglob("*.json*")}
    arguments = ["--loss", "hinge,nll,log", "--sampler", "uniform", *SMALL, "--name", "schema-1", "--no-pictures"]
    _, err = ebm(tmp_path, "sweep", *arguments, "--seeds", "0,1")
    assert "2 of 4 runs are already" in err
    assert {path: path.read_bytes() for path in before} == before
    ebm(tmp_path, "show", run.name, "--json")


def test_a_newer_record_is_read_and_a_newer_sweep_never_written(tmp_path):
    folder = tmp_path / "results" / "new"
    shutil.copytree(OLD, folder)
    for path in [folder / "sweep.json", *folder.glob("runs/*/result.json")]:
        path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99, "surprise": {"a": 1}}))
    before = (folder / "sweep.json").read_bytes()
    out, _ = ebm(tmp_path, "report", "new")
    assert "| hinge | uniform | 1 |" in out
    _, err = ebm(tmp_path, "sweep", "--loss", "hinge,nll,log", "--sampler", "uniform", *SMALL, "--name", "new",
                 "--seeds", "0,1", code=2)  # fmt: skip
    assert "newer ebm (schema 99)" in err
    assert (folder / "sweep.json").read_bytes() == before


# --- 20, 21, 22, 25: clocks, git, machines ---------------------------------------------------------------------------


def test_ids_are_not_made_of_time_and_two_folders_of_one_moment_differ(tmp_path):
    (one,), (two,) = (plans.plan(grid({"loss": "hinge"}, {})).cells for _ in range(2))
    assert one.id == two.id
    assert commands._fresh(tmp_path, "run-1") != commands._fresh(tmp_path, "run-1")


def test_a_clock_that_is_set_back_changes_no_duration(calm, tmp_path):
    """Every reading of the wall clock is an hour before the one before."""
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nnow = time.time\ncount = [0]\n"
        "def back():\n    count[0] += 1\n    return now() - 3600 * count[0]\ntime.time = back\n"
    )
    there = os.pathsep.join([str(tmp_path), str(ROOT.parent)])
    done = subprocess.run(
        [sys.executable, "-m", "ebmcli", "run", "--loss", "hinge", "--sampler", "uniform", *SMALL, "--no-pictures",
         "--json"],
        cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": there}, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert all(0 <= seconds < 240 for seconds in record["seconds"].values())


def test_provenance_without_git_outside_a_repository_and_of_a_dirty_tree(tmp_path, monkeypatch):
    class Device:
        device_kind = "cpu"

    package = tmp_path / "ebmcli"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(provenance.ebmcli, "__file__", str(package / "__init__.py"))
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


def test_code_that_changed_between_two_halves_is_warned_of(calm, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT.parent / "ebmcli", copy / "ebmcli", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(calm / "results", tmp_path / "results")
    with open(copy / "ebmcli" / "losses" / "margin.py", "a") as file:
        file.write("# another version\n")
    trained(tmp_path, "--loss", "hinge,log", PYTHONPATH=str(copy))
    out, _ = ebm(tmp_path, "report", "x")
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


def test_a_home_that_is_not_there_spaces_in_paths_and_a_broken_plugin(tmp_path):
    folder = tmp_path / "a folder with spaces"
    site = folder / "site" / "broken-1.dist-info"
    site.mkdir(parents=True)
    (folder / "site" / "broken.py").write_text("import nowhere_to_be_found")
    (site / "METADATA").write_text("Name: broken\nVersion: 1\n")
    (site / "entry_points.txt").write_text("[ebmcli.plugins]\nbad = broken\n")
    arguments = ["sweep", "--loss", "hinge", "--sampler", "uniform", *SMALL, "--no-pictures", "--name", "x"]
    process = start(folder, *arguments, prefix=["env", "-u", "HOME", "-u", "XDG_CACHE_HOME"])
    _, err = finish(process, 0)
    assert err.count("plugin bad is skipped: ModuleNotFoundError: No module named 'nowhere_to_be_found'") == 1
    assert len(results(folder)) == 1
