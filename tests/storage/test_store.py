"""The files are the truth: what state they are in can be read off them, whatever happened to the writer."""

import json

import numpy as np
import pytest

from ebmcli.core.errors import UsageError
from ebmcli.storage import store
from ebmcli.storage.atomic import fresh_name, hold_lock, write
from ebmcli.storage.records import Listed, Manifest, Record

CONFIG = {"task": "moons", "loss": "hinge", "sampler": "pcd", "energy": "mlp", "seed": 0}
RECORD = Record("a", "done", CONFIG, {"kl": 0.5})


def manifest(*cells, **more):
    return Manifest("2026-01-01T00:00:00Z", "ebm test", cells, **more)


# --- one run ---------------------------------------------------------------------------------------------------------


def test_status_is_derived(tmp_path):
    run = tmp_path / "runs" / "a"
    assert store.status(run) == "pending"
    assert store.claim(tmp_path, "a", CONFIG) == run
    assert store.status(run) == "killed"
    with hold_lock(run / "lock"):
        assert store.status(run) == "running"
    store.save_failure(run, {"kind": "failed", "message": "x"})
    assert store.status(run) == "failed"
    store.save_failure(run, {"kind": "failed", "message": "x"})
    assert json.loads((run / "failure.json").read_text())["attempt"] == 2
    store.save_result(run, RECORD)
    assert store.status(run) == "done"
    assert not (run / "failure.json").exists()


def test_a_result_is_read_as_it_was_written(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    told = Record("a", "diverged", CONFIG, {"kl": None, "verdict": "diverged"}, {"train": 1.5}, {"code": "abc"})
    store.save_result(run, told)
    assert store.result(run).to_json() == {"schema_version": 2} | told.to_json()


def test_claiming_again_mends_the_configuration_and_clears_the_curves(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    store.append_curve(run, {"step": 1})
    (run / "config.json").write_text("junk")
    store.claim(tmp_path, "a", CONFIG)
    store.clear(run, CONFIG)
    assert json.loads((run / "config.json").read_text()) == store.config(run) == CONFIG
    assert store.curves(run) == []
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a"]


def test_nothing_of_an_earlier_attempt_is_left_when_a_run_begins_again(tmp_path):
    """But its configuration, its place, and the result that is set aside: parameters of one attempt beside the measures
    of another would be believed."""
    run = store.claim(tmp_path, "a", CONFIG)
    before = {path.name for path in run.iterdir()}
    store.append_curve(run, {"step": 1})
    for name in ("params.npz", "arrays.npz"):
        store.save_arrays(run / name, {"x": np.zeros(3)})
    (run / store.PICTURE).write_bytes(b"old")
    (run / store.FILM).write_bytes(b"old")
    store.save_result(run, RECORD)
    store.clear(run, CONFIG)
    assert {path.name for path in run.iterdir()} - before == {"result.damaged"}


def test_a_configuration_that_cannot_be_read_is_a_sentence(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    (run / "config.json").write_text("junk")
    with pytest.raises(UsageError, match="missing or damaged"):
        store.config(run)


def test_a_torn_line_of_curves_is_dropped(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    store.append_curve(run, {"step": 1, "kl": float("nan")})
    with open(run / "curves.jsonl", "a") as file:
        file.write('{"step": 2, "k')
    assert store.curves(run) == [{"step": 1, "kl": None}]


def test_arrays_are_read_as_they_were_written_and_damaged_ones_are_none(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    arrays = {"x": np.arange(3.0), "sub/y": np.zeros((2, 0), np.int8)}
    store.save_arrays(run / "arrays.npz", arrays)
    found = store.arrays(run)
    assert {name: (one.dtype, one.tolist()) for name, one in found.items()} == {
        name: (one.dtype, one.tolist()) for name, one in arrays.items()
    }
    (run / "arrays.npz").write_bytes((run / "arrays.npz").read_bytes()[:50])
    assert store.arrays(run) is None
    assert store.arrays(run, "params.npz") is None


@pytest.mark.parametrize(
    "change",
    [
        {"id": "b"},
        {"config": {}},
        {"config": CONFIG | {"seed": 1}},
        {"metrics": {"kl": "low"}},
        {"metrics": {"verdict": 3}},
        {"provenance": None},
    ],
)
def test_the_result_of_another_run_or_of_a_wrong_type_is_damaged(tmp_path, change):
    run = store.claim(tmp_path, "a", CONFIG)
    (run / "result.json").write_bytes(store._sealed(RECORD.to_json() | change))
    assert store.status(run) == "damaged"
    (run / "result.json").write_bytes(store._sealed(RECORD.to_json()))
    assert store.status(run) == "done"


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"[]", b'{"id": "a"}', b'{"id": "a", "stat'])
def test_a_damaged_result_is_no_result(tmp_path, content):
    run = store.claim(tmp_path, "a", CONFIG)
    (run / "result.json").write_bytes(content)
    assert store.result(run) is None
    assert store.status(run) == "damaged"
    store.save_manifest(tmp_path, manifest(Listed("a", CONFIG)))
    (record,) = store.records(tmp_path)
    assert (record.status, record.metrics) == ("damaged", {})


def test_a_figure_that_was_changed_on_disk_is_no_result(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    store.save_result(run, RECORD)
    text = (run / "result.json").read_text()
    (run / "result.json").write_text(text.replace("0.5", "0.4"))
    assert store.status(run) == "damaged"
    (run / "result.json").write_text(text)
    assert store.status(run) == "done"


def test_a_result_that_is_set_aside_is_kept_under_another_name(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    store.set_aside(run)
    store.save_result(run, RECORD)
    whole = (run / "result.json").read_bytes()
    store.set_aside(run)
    assert (run / "result.damaged").read_bytes() == whole
    assert store.status(run) == "killed"


# --- a sweep ---------------------------------------------------------------------------------------------------------


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    told = manifest(
        Listed("a", CONFIG, origin=1), Listed("b", CONFIG, "impossible", 0), Listed("c", CONFIG),
        origins=[{"seed": "default"}, {"seed": "command line"}], versions={"jax": "1"},
    )  # fmt: skip
    assert store.manifest(tmp_path) is None
    store.save_manifest(tmp_path, told)
    found = store.manifest(tmp_path)
    assert (found.to_json(), found.schema_version) == (told.to_json(), 2)
    assert [found.origins_of(run) for run in "abc"] == [{"seed": "command line"}, {"seed": "default"}, {}]


def test_there_is_a_record_for_every_cell_of_the_manifest(tmp_path):
    store.save_manifest(tmp_path, manifest(*(Listed(run, CONFIG) for run in "abc"), Listed("d", CONFIG, "impossible")))
    store.save_result(store.claim(tmp_path, "a", CONFIG), RECORD)
    store.save_failure(store.claim(tmp_path, "b", CONFIG), {"kind": "oom", "message": "no memory"})
    found = [(one.id, one.status, one.reason, one.finished) for one in store.records(tmp_path)]
    assert found == [
        ("a", "done", "", True),
        ("b", "oom", "no memory", False),
        ("c", "pending", "", False),
        ("d", "refused", "impossible", False),
    ]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"schema_version": 1, "cells": [{}]}', b'{"schema_version": "9"}']
)
def test_a_damaged_manifest_is_a_sentence(tmp_path, content):
    (tmp_path / "sweep.json").write_bytes(content)
    with pytest.raises(UsageError, match="is damaged"):
        store.records(tmp_path)


def test_a_manifest_that_was_changed_on_disk_is_damaged(tmp_path):
    store.save_manifest(tmp_path, manifest(Listed("a", CONFIG)))
    path = tmp_path / "sweep.json"
    path.write_text(path.read_text().replace("hinge", "hange"))
    with pytest.raises(store.Damaged, match="writes it anew"):
        store.manifest(tmp_path)


def test_a_newer_manifest_is_read_as_far_as_it_is_known_and_never_written(tmp_path):
    newer = b'{"schema_version": 999, "surprise": 1, "cells": [{"id": "a", "config": %s, "new": {}}]}'
    newer %= json.dumps(CONFIG).encode()
    write(tmp_path / "sweep.json", newer)
    assert [record.status for record in store.records(tmp_path)] == ["pending"]
    with pytest.raises(UsageError, match="newer ebm"):
        store.save_manifest(tmp_path, manifest())
    assert (tmp_path / "sweep.json").read_bytes() == newer


def test_what_killed_writers_left_is_tidied_away_and_nothing_else(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    kept = sorted(path for path in tmp_path.rglob("*"))
    (tmp_path / ".git").mkdir()  # a user's
    kept = sorted([*kept, tmp_path / ".git"])
    fresh_name(tmp_path).touch()
    fresh_name(run).touch()
    fresh_name(tmp_path / "runs").symlink_to(tmp_path / ".git")
    claimed = fresh_name(tmp_path / "runs")
    claimed.mkdir()
    fresh_name(claimed).touch()
    store.tidy(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*")) == kept


def test_sweeps_are_listed_the_newest_first(tmp_path):
    import os

    assert store.sweeps(tmp_path / "none") == []
    for age, name in enumerate("abc"):
        (tmp_path / name).mkdir()
        store.save_manifest(tmp_path / name, manifest())
        os.utime(tmp_path / name / "sweep.json", (1000 - age, 1000 - age))
    (tmp_path / "other").mkdir()
    assert [path.name for path in store.sweeps(tmp_path)] == ["a", "b", "c"]
