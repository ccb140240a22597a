"""`ebm run --repeat` and `ebm doctor`, as real commands."""

import json
import os
import shutil

import numpy as np
import pytest
from helpers.shell import ROOT, ebm, results, trained

from ebmcli.checks import machine, reproducibility
from ebmcli.storage import store


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repeat")
    trained(folder, "--loss", "hinge")
    return folder


def test_a_run_repeated_on_this_machine_is_identical(here):
    out, _ = ebm(here, "run", "--repeat", "hinge", "--json")
    found = json.loads(out)
    assert (found["verdict"], found["origins"]) == ("identical", {})
    assert found["figures"] > 30


def test_a_measure_that_is_another_is_named_with_exit_code_3(here, tmp_path):
    shutil.copytree(here / "results", tmp_path / "results")
    (path,) = results(tmp_path)
    record = store.result(path.parent)
    record["metrics"]["auroc"] += 0.1
    record["provenance"]["code"] = "abc"
    store.save_result(path.parent, record)
    out, _ = ebm(tmp_path, "run", "--repeat", str(path.parent), code=3)
    assert "different; the first figure that differs is auroc: " in out
    assert "made with: code abc then, " in out


def test_what_is_the_same_and_what_is_near():
    array = np.array([1.0, 1e-9], np.float32)
    old = {"kl": 1.0, "nll": None, "verdict": "healthy", "params w": array}
    assert reproducibility.compare(old, {**old, "params w": array.copy()})["verdict"] == "identical"
    near = reproducibility.compare(old, {**old, "kl": 1.0005, "params w": array + np.float32(1e-5)})
    assert (near["verdict"], near["first"], near["now"]) == ("equal within tolerance", "kl", 1.0005)
    both = reproducibility.compare(old, {**old, "kl": 1.0005, "params w": array * 2})
    assert (both["verdict"], both["first"]) == ("different", "params w")
    assert reproducibility.compare(old, {**old, "verdict": "flat"})["first"] == "verdict"
    assert reproducibility.compare(old, {k: v for k, v in old.items() if k != "kl"})["verdict"] == "different"
    assert reproducibility.compare(old, {**old, "new": 1.0})["first"] == "new"
    assert reproducibility.compare(old, {**old, "nll": 1.0})["first"] == "nll"


def test_a_run_without_a_result_and_other_flags_are_refused(here, tmp_path):
    _, err = ebm(here, "run", "--repeat", "hinge", "--loss", "log", code=2)
    assert "leave the other flags" in err
    shutil.copytree(ROOT / "assets" / "schema-1", tmp_path / "results" / "x")
    (path, _) = results(tmp_path)
    path.unlink()
    _, err = ebm(tmp_path, "run", "--repeat", path.parent.name, code=2)
    assert "no result" in err


def test_a_sound_machine_passes_and_the_cache_hits_in_a_second_process(here):
    process_lines, _ = ebm_any(here, "doctor", "--json")
    lines = {line["name"]: line for line in json.loads(process_lines)}
    assert set(lines) == {"versions", "cores", "memory", "room", "locks", "renames", "devices", "cache"}
    for name in ("versions", "room", "locks", "renames", "devices", "cache"):
        assert lines[name]["good"], lines[name]
    assert "a second process finds" in lines["cache"]["found"]
    assert not list(here.glob(".ebm*"))


def ebm_any(folder, *arguments, **environment):
    """A command whose exit code depends on what else the machine does."""
    from shell import start

    process = start(folder, *arguments, **environment)
    out, err = process.communicate(timeout=240)
    assert "Traceback" not in out + err
    return out, err


def test_what_is_bad_says_what_to_do(here, tmp_path):
    """jax that does not start, and no home for the cache."""
    out, _ = ebm(here, "doctor", code=1, JAX_PLATFORMS="nonsense")
    assert "BAD  devices   jax does not start" in out
    assert "look at JAX_PLATFORMS" in out


def test_locks_that_do_not_hold_are_seen(tmp_path, monkeypatch):
    from contextlib import contextmanager

    @contextmanager
    def nothing(path):
        path.touch()
        yield

    assert machine._locks(tmp_path) == ""
    monkeypatch.setattr(machine.store, "locked", nothing)
    assert "does not see" in machine._locks(tmp_path)


def test_renames_that_do_not_hold_are_seen(tmp_path, monkeypatch):
    assert machine._renames(tmp_path) == ""
    monkeypatch.setattr(machine.store, "write", lambda path, content: path.exists() or path.write_bytes(content))
    (tmp_path / "more").mkdir()
    assert "still the old one" in machine._renames(tmp_path / "more")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    lines = list(machine._folder(tmp_path / "none"))
    assert [(line.name, line.good) for line in lines] == [("results", False)]
    assert os.strerror(2) in lines[0].found
