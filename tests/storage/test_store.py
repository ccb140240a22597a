"""The files are the truth: what state they are in can be read off them, whatever happened to the writer."""

import json
import subprocess
import sys

import pytest

from ebmcli.core.errors import UsageError
from ebmcli.storage import atomic, store

CONFIG = {"loss": "hinge", "seed": 0}
RECORD = {"id": "a", "status": "done", "config": CONFIG, "metrics": {"kl": 0.5}, "seconds": {}, "provenance": {}}


def test_status_is_derived(tmp_path):
    run = tmp_path / "runs" / "a"
    assert store.status(run) == "pending"
    assert store.claim(tmp_path, "a", CONFIG) == run
    assert store.status(run) == "killed"
    with store.locked(run / "lock"):
        assert store.status(run) == "running"
    store.save_failure(run, {"kind": "failed", "message": "x"})
    assert store.status(run) == "failed"
    store.save_failure(run, {"kind": "failed", "message": "x"})
    assert json.loads((run / "failure.json").read_text())["attempt"] == 2
    store.save_result(run, RECORD)
    assert store.status(run) == "done"
    assert not (run / "failure.json").exists()


def test_claiming_again_mends_the_configuration_and_clears_the_curves(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    store.append_curve(run, {"step": 1})
    (run / "config.json").write_text("junk")
    store.claim(tmp_path, "a", CONFIG)
    store.clear(run, CONFIG)
    assert json.loads((run / "config.json").read_text()) == CONFIG
    assert store.curves(run) == []
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a"]


def test_a_torn_line_of_curves_is_dropped(tmp_path):
    run = store.claim(tmp_path, "a", CONFIG)
    store.append_curve(run, {"step": 1, "kl": float("nan")})
    with open(run / "curves.jsonl", "a") as file:
        file.write('{"step": 2, "k')
    assert store.curves(run) == [{"step": 1, "kl": None}]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"schema_version": 1, "cells": [{}]}', b'{"schema_version": "9"}']
)
def test_a_damaged_manifest_is_a_sentence(tmp_path, content):
    (tmp_path / "sweep.json").write_bytes(content)
    with pytest.raises(UsageError, match="is damaged"):
        store.records(tmp_path)


@pytest.mark.parametrize("change", [{"id": "b"}, {"config": {}}, {"metrics": {"kl": "low"}}, {"provenance": None}])
def test_the_result_of_another_run_or_of_a_wrong_type_is_damaged(tmp_path, change):
    run = store.claim(tmp_path, "a", CONFIG)
    store.save_result(run, RECORD | change)
    assert store.status(run) == "damaged"


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"[]", b'{"id": "a"}', b'{"id": "a", "stat'])
def test_a_damaged_result_is_no_result(tmp_path, content):
    run = store.claim(tmp_path, "a", CONFIG)
    (run / "result.json").write_bytes(content)
    assert store.result(run) is None
    assert store.status(run) == "damaged"
    store.save_manifest(tmp_path, {"cells": [{"id": "a", "config": CONFIG, "refused": ""}]})
    (record,) = store.records(tmp_path)
    assert (record["status"], record["metrics"]) == ("damaged", {})


def test_what_is_not_finite_is_null():
    import numpy as np

    text = store.dumps({"a": float("nan"), "b": [np.float32("inf"), np.int64(3)], "c": np.float64(0.5)})
    assert json.loads(text) == {"a": None, "b": [None, 3], "c": 0.5}


def test_a_newer_manifest_is_read_as_far_as_it_is_known_and_never_written(tmp_path):
    newer = b'{"schema_version": 999, "surprise": 1, "cells": [{"id": "a", "config": {"loss": "hinge"}, "new": {}}]}'
    store.write(tmp_path / "sweep.json", newer)
    assert [record["status"] for record in store.records(tmp_path)] == ["pending"]
    with pytest.raises(UsageError, match="newer ebm"):
        store.save_manifest(tmp_path, {"cells": []})
    assert (tmp_path / "sweep.json").read_bytes() == newer


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    store.write(tmp_path / "f", b"old")
    monkeypatch.setattr(atomic.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        store.write(tmp_path / "f", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"old")]


def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from ebmcli import store\n"
        "with store.locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    lock = tmp_path / "lock"
    process = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "held\n"
        assert store.held(lock)
        process.kill()
    assert not store.held(lock)
