"""Faults of files (docs/faults.md), provoked for real: damage of every kind, records of other versions."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.shell import ROOT, SMALL, outcome, results, run_here, train_sweep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebmcli.execution.resume import cells_of, prepare
from ebmcli.planning.plan import Plan
from ebmcli.storage import film, store
from ebmcli.storage.atomic import hold_lock, write

OLD = ROOT / "assets" / "schema-1"
ARGUMENTS = ["--loss", "hinge,nll,log", "--sampler", "uniform", *SMALL, "--no-pictures"]  # of the sweep that OLD is


@pytest.fixture(scope="module")
def present(tmp_path_factory):
    """The runs of the old asset as the present version writes them, with their plan; to be read only."""
    folder = tmp_path_factory.mktemp("present") / "x"
    shutil.copytree(OLD, folder)
    for run in (folder / "runs").iterdir():
        store.save_result(run, replace(store.result(run), schema_version=None))
        store.save_arrays(run / store.FILM, film.pack([{"energy": np.eye(9)}]))
    store.save_manifest(folder, store.manifest(folder))
    return folder, Plan(cells_of(folder, [cell.id for cell in store.manifest(folder).cells]))


def copy_of(present, tmp_path):
    """A copy of them, to be damaged, and the run of hinge in it."""
    folder = tmp_path / "x"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(present[0], folder)
    return folder, next((folder / "runs").glob("hinge*"))


# --- 16: damage ------------------------------------------------------------------------------------------------------

ARRAYS = ("arrays.npz", "params.npz", "film.npz")
FILES = ("result.json", "config.json", "curves.jsonl", *ARRAYS, "failure.json", "sweep.json")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(FILES),
    place=st.floats(0, 1, exclude_max=True),
    how=st.sampled_from(["cut", "flip", "zero", "junk"]),
    bit=st.integers(0, 7),
)
def test_whatever_is_cut_or_corrupted_nothing_breaks_and_the_cell_is_run_again(
    tmp_path, present, name, place, how, bit
):
    folder, run = copy_of(present, tmp_path)
    write(run / "failure.json", b'{"kind": "failed", "message": "x", "traceback": "y", "attempt": 1}')
    path = folder / name if name == "sweep.json" else run / name
    whole = path.read_bytes()
    path.write_bytes(damaged(whole, int(place * len(whole)), how, bit))
    before = store.result(present[0] / "runs" / run.name)
    store.curves(run)
    for arrays in ("arrays.npz", "params.npz", store.FILM):
        store.arrays(run, arrays)
    found = store.result(run)
    assert found in (None, before)
    if name != "sweep.json":
        (record,) = [one for one in store.records(folder) if one.id == run.name]
        assert record.status == ("done" if found else "damaged")
    with hold_lock(folder / "lock"):
        missing = prepare(present[1], folder, "ebm test")
    assert [cell.id for cell in missing] == ([] if found else [run.name])
    if missing:
        store.claim(folder, run.name, missing[0].config)
        store.clear(run, missing[0].config)
        assert (run / "result.damaged").exists()
        assert store.config(run) == missing[0].config


def damaged(whole, at, how, bit):
    if how == "cut":
        return whole[:at]
    new = {"flip": whole[at] ^ (1 << bit), "zero": 0, "junk": 0xFF}[how]
    return whole[:at] + bytes([new]) + whole[at + 1 :]


def test_a_flipped_bit_that_makes_arrays_look_encrypted(present, tmp_path):
    _, run = copy_of(present, tmp_path)
    whole = bytearray((run / "params.npz").read_bytes())
    whole[whole.index(b"PK\x01\x02") + 8] ^= 1
    (run / "params.npz").write_bytes(whole)
    assert store.arrays(run, "params.npz") is None


def test_a_flipped_version_is_damage_and_not_a_newer_version(present, tmp_path):
    folder, _ = copy_of(present, tmp_path)
    path = folder / "sweep.json"
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"schema_version": 2', b'"schema_version": 3'))
    assert path.read_bytes() != before
    with hold_lock(folder / "lock"):
        assert prepare(present[1], folder, "ebm test") == []
    assert store.manifest(folder).schema_version == 2


def test_the_report_of_a_damaged_sweep_comes_and_counts_it(finished, finished_copy):
    first, *others = results(finished_copy)
    text = first.read_bytes()
    place = text.index(b'"kl": ') + 6
    first.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
    json.loads(first.read_bytes())
    out, _ = run_here(finished_copy, "report", "x")
    assert "damaged" in out
    before = {path: path.stat().st_mtime_ns for path in others}
    _, err = train_sweep(finished_copy)
    assert "3 of 4 runs are already" in err
    assert {path: path.stat().st_mtime_ns for path in others} == before
    assert outcome(finished_copy) == outcome(finished)


def test_a_foreign_file_in_a_sweep_is_left_alone(finished, finished_copy):
    runs = finished_copy / "results" / "x" / "runs"
    (runs / "notes.txt").write_text("mine")
    (runs / "a-folder").mkdir()
    _, err = train_sweep(finished_copy)
    assert "all there" in err
    assert (runs / "notes.txt").read_text() == "mine"
    assert (runs / "a-folder").is_dir()
    assert outcome(finished_copy) == outcome(finished)


# --- 17: other versions ----------------------------------------------------------------------------------------------


def test_a_sweep_of_the_first_schema_is_read_reported_extended_and_not_run_again(tmp_path):
    folder = tmp_path / "results" / "schema-1"
    shutil.copytree(OLD, folder)
    assert [one.status for one in store.records(folder)] == ["done", "refused", "done"]
    out, _ = run_here(tmp_path, "report", "schema-1")
    assert "| hinge | uniform | 1 |" in out
    (run,) = (folder / "runs").glob("hinge*")
    before = {path: path.read_bytes() for path in run.parent.rglob("*.json*")}
    _, err = run_here(tmp_path, "sweep", *ARGUMENTS, "--name", "schema-1", "--seeds", "0,1")
    assert "2 of 4 runs are already" in err
    assert {path: path.read_bytes() for path in before} == before
    run_here(tmp_path, "show", run.name, "--json")


def test_a_newer_record_is_read_and_a_newer_sweep_never_written(tmp_path):
    folder = tmp_path / "results" / "new"
    shutil.copytree(OLD, folder)
    for path in [folder / "sweep.json", *folder.glob("runs/*/result.json")]:
        path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99, "surprise": {"a": 1}}))
    before = (folder / "sweep.json").read_bytes()
    out, _ = run_here(tmp_path, "report", "new")
    assert "| hinge | uniform | 1 |" in out
    _, err = run_here(tmp_path, "sweep", *ARGUMENTS, "--name", "new", "--seeds", "0,1", code=2)
    assert "newer ebm (schema 99)" in err
    assert (folder / "sweep.json").read_bytes() == before
