"""`ebm run --repeat`: is a recorded run what its configuration gives today? How it is compared, and what is said."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.shell import ROOT, results, run_here

from ebmcli.checks.reproducibility import Repetition, compare, recorded_devices
from ebmcli.storage import store

RUN = "hinge-uniform-moons-s1"


def test_a_run_repeated_on_this_machine_is_identical(finished):
    out, _ = run_here(finished, "run", "--repeat", RUN, "--json")
    found = json.loads(out)
    assert (found["verdict"], found["origins"]) == ("identical", {})
    assert found["figures"] > 30
    assert "first" in found
    assert "then" not in found


def test_a_measure_that_is_another_is_named_with_exit_code_3(finished_copy):
    (path,) = [path for path in results(finished_copy) if RUN in str(path)]
    record = store.result(path.parent)
    metrics = record.metrics | {"auroc": record.metrics["auroc"] + 0.1}
    changed = replace(record, metrics=metrics, provenance=record.provenance | {"code": "abc"})
    store.save_result(path.parent, changed)
    out, _ = run_here(finished_copy, "run", "--repeat", str(path.parent), code=3)
    assert "different; the first figure that differs is auroc: " in out
    assert "made with: code abc then, " in out
    assert store.result(path.parent) == changed, "the recorded run is left as it is"


def test_a_run_without_a_result_and_other_flags_are_refused(finished, tmp_path):
    _, err = run_here(finished, "run", "--repeat", RUN, "--loss", "log", code=2)
    assert "leave the other flags" in err
    shutil.copytree(ROOT / "assets" / "schema-1", tmp_path / "results" / "x")
    (path, _) = results(tmp_path)
    path.unlink()
    _, err = run_here(tmp_path, "run", "--repeat", path.parent.name, code=2)
    assert "no result" in err


# --- what is compared ------------------------------------------------------------------------------------------------

ARRAY = np.array([1.0, 1e-9], np.float32)
OLD = {"kl": 1.0, "nll": None, "verdict": "healthy", "params w": ARRAY}


@pytest.mark.parametrize(
    ("changes", "verdict", "first"),
    [
        ({}, "identical", None),
        ({"params w": ARRAY.copy()}, "identical", None),
        ({"kl": 1.0005}, "equal within tolerance", "kl"),
        ({"kl": 1.0005, "params w": ARRAY + np.float32(1e-5)}, "equal within tolerance", "kl"),
        ({"params w": ARRAY + np.float32(1e-5)}, "equal within tolerance", "params w"),
        ({"params w": ARRAY.astype(float)}, "equal within tolerance", "params w"),
        ({"params w": ARRAY * 2}, "different", "params w"),
        ({"params w": ARRAY[:1]}, "different", "params w"),
        ({"kl": 1.0005, "params w": ARRAY * 2}, "different", "params w"),
        ({"kl": 1.002}, "different", "kl"),
        ({"verdict": "flat"}, "different", "verdict"),
        ({"nll": 1.0}, "different", "nll"),
        ({"kl": None}, "different", "kl"),
        ({"new": 1.0}, "different", "new"),
    ],
)
def test_what_is_the_same_and_what_is_near(changes, verdict, first):
    found = compare(OLD, {**OLD, **changes})
    assert (found["verdict"], found.get("first"), found["figures"]) == (verdict, first, 4)


def test_a_figure_that_is_missing_today_is_a_difference():
    found = compare(OLD, {name: value for name, value in OLD.items() if name != "kl"})
    assert (found["verdict"], found["first"], found["then"], found["now"]) == ("different", "kl", 1.0, None)


def test_the_sentence_says_what_differs_and_what_may_explain_it():
    same = Repetition("a", **compare(OLD, OLD))
    assert same.sentence() == "a: identical, 4 figures to the bit"
    near = Repetition("a", **compare(OLD, OLD | {"kl": 1.0005}), origins={"devices": ["2 x cpu", "4 x cpu"]})
    assert near.sentence() == (
        "a: equal within tolerance (0.1%); the first figure that differs is kl: 1.0 then, 1.0005 now\n"
        "made with: devices 2 x cpu then, 4 x cpu now"
    )
    other = Repetition("a", **compare(OLD, OLD | {"params w": ARRAY * 2}))
    assert other.sentence() == ("a: different; the first figure that differs is params w: an array then, an array now")


@pytest.mark.parametrize(
    ("devices", "count"), [("2 x cpu", 2), ("64 x cpu", 64), ("1 x NVIDIA H100", None), ("", None)]
)
def test_a_run_is_repeated_on_as_many_devices_as_it_says(tmp_path, devices, count):
    config = {"task": "moons", "loss": "hinge", "sampler": "pcd", "energy": "mlp", "seed": 0}
    run = store.claim(tmp_path, "a", config)
    assert recorded_devices(run) is None
    store.save_result(run, store.Record("a", "done", config, provenance={"devices": devices} if devices else {}))
    assert recorded_devices(run) == count
