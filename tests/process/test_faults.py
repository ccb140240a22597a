"""Faults of processes (docs/faults.md), provoked for real: signals, crashes, hangs, a lack of memory."""

import contextlib
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.shell import (
    PATIENCE,
    ROOT,
    SMALL,
    alive,
    ebm,
    finish,
    outcome,
    results,
    start,
    started,
    states,
    trained,
    until,
    workers,
)  # fmt: skip

from ebmcli.storage import atomic, store

# Samplers that misbehave as soon as their program is built, each in a program of its own.
PLUGIN = """
import os, signal, time
from ebmcli.plugin import sampler

@sampler(continuous="negatives")
def hangs(setting):
    \"\"\"never ends\"\"\"
    time.sleep(10_000)

@sampler(continuous="negatives")
def crashes(setting):
    \"\"\"dies of a signal\"\"\"
    print("about to crash", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)

@sampler(continuous="negatives")
def eats(setting):
    \"\"\"takes all memory of its group of processes\"\"\"
    if group := os.environ.get("GROUP"):
        with open(group + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))
    else:
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(2**20)) * 64)
"""


@pytest.fixture
def here(tmp_path):
    """A folder with the plugin installed in it, for the commands that are started there."""
    (tmp_path / "site" / "strange-1.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "strange.py").write_text(PLUGIN)
    (tmp_path / "site" / "strange-1.dist-info" / "METADATA").write_text("Name: strange\nVersion: 1\n")
    (tmp_path / "site" / "strange-1.dist-info" / "entry_points.txt").write_text("[ebmcli.plugins]\nx = strange\n")
    return tmp_path


# --- 5, 13: grids ----------------------------------------------------------------------------------------------------


def test_a_grid_of_a_million_cells_is_refused_with_its_size(here):
    _, err = ebm(here, "sweep", "--loss", "hinge", "--seeds", "0..99999", "--margin", "1,2,3,4,5,6,7,8,9,10", code=2)
    assert "the grid has 1,000,000 runs, at 2 seconds each 556 hours on a core" in err
    assert "--yes" in err
    assert not (here / "results").exists()


# --- 7, 8, 19: workers -----------------------------------------------------------------------------------------------


def test_a_killed_worker_costs_its_launch_and_the_next_command_runs_only_that(here):
    arguments = ["--loss", "hinge,log,square-square", "--seeds", "0,1", "--devices", "2", "--steps", "2000"]
    process = start(here, "sweep", "--sampler", "uniform", *SMALL, *arguments, "--no-pictures", "--name", "x")
    runs = here / "results" / "x" / "runs"
    until(lambda: len(results(here)) == 2 and len(list(runs.glob("*/curves.jsonl"))) > 2, process)
    (worker,) = workers(process)
    os.kill(worker, signal.SIGKILL)
    _, err = finish(process, 3)
    lost = [one["id"] for one in store.records(here / "results" / "x") if one["status"] == "killed"]
    assert 1 <= len(lost) <= 2, err
    assert len(results(here)) == 6 - len(lost)
    before = {path: path.stat().st_mtime_ns for path in results(here)}
    _, err = trained(here, *arguments)
    assert f"{6 - len(lost)} of 6 runs are already" in err
    assert len(results(here)) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_worker_dies_with_its_parent_within_two_seconds(here):
    process = start(here, "sweep", "--loss", "hinge", "--sampler", "hangs", *SMALL[:-2], "--name", "x")
    until(lambda: any(map(started, workers(process))), process)
    (worker,) = workers(process)
    process.kill()
    process.communicate()
    end = time.monotonic() + 2
    while alive(worker):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert not store.held(here / "results" / "x" / "lock")


@pytest.fixture
def group():
    """A group of processes that may have 1.5 GB of memory; None where this user cannot make one."""
    folder = Path(f"/sys/fs/cgroup/memory/ebm-test-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(1500 * 2**20))
    except OSError:
        yield None
        return
    yield folder
    for _ in range(100):
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.05)


@pytest.mark.slow
def test_a_crash_a_hang_and_a_lack_of_memory_are_named_tried_again_once_and_the_rest_goes_on(here, group):
    environment = {"GROUP": str(group)} if group else {}
    axes = ["--loss", "hinge", "--sampler", "crashes,hangs,eats,uniform"]
    small = SMALL[:-2]
    out, err = ebm(
        here, "sweep", *axes, *small, "--name", "x", "--no-pictures", "--timeout", "20", code=3, **environment
    )
    assert states(here) == {"crashes": "crashed", "hangs": "timeout", "eats": "oom", "uniform": "done"}, err
    assert "SIGSEGV" in out
    assert "longer than 20 seconds" in out
    for run in (here / "results" / "x" / "runs").iterdir():
        expected = 0 if "uniform" in run.name else 1 if "eats" in run.name and not group else 2
        assert store.failure(run).get("attempt", 0) == expected
    crashed = next((here / "results" / "x" / "runs").glob("*crashes*"))
    assert "about to crash" in store.failure(crashed)["traceback"]
    _, err = ebm(here, "sweep", *axes, *small, "--name", "x", "--retry", "none", code=3)
    assert "4 of 4 runs are already" in err


def test_the_first_failure_ends_a_sweep_that_is_told_so(here):
    axes = ["--loss", "hinge", "--sampler", "crashes,uniform"]
    _, err = ebm(here, "sweep", *axes, *SMALL[:-2], "--name", "x", "--fail-fast", code=3)
    assert states(here) == {"crashes": "crashed", "uniform": "pending"}
    assert "--fail-fast" in err


# --- 9: the write path -----------------------------------------------------------------------------------------------


def test_a_death_or_an_error_at_any_point_of_the_write_path_loses_and_doubles_nothing():
    done = subprocess.run(
        [sys.executable, str(ROOT / "walk.py")], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] >= 60
    for name in ("sweep.json", "config.json", "arrays.npz", "params.npz", "result.json"):
        for place in ("made", "written", "synced", "renamed"):
            assert f"{name} {place}" in found["points"]


@pytest.mark.slow
def test_the_same_of_the_real_command(tmp_path):
    calm = tmp_path / "calm"
    calm.mkdir()
    trained(calm, "--loss", "hinge", **{atomic.FAULT: f"note {tmp_path / 'points'}"})
    points = list(dict.fromkeys((tmp_path / "points").read_text().splitlines()))
    for number, name in enumerate(points):
        action = ("kill", "ENOSPC", "EIO")[number % 3]
        folder = tmp_path / str(number)
        folder.mkdir()
        faulty = start(
            folder, "sweep", "--loss", "hinge", "--sampler", "uniform", *SMALL, "--no-pictures", "--name", "x",
            **{atomic.FAULT: f"{action} 1 {name}"},
        )  # fmt: skip
        _, err = faulty.communicate(timeout=PATIENCE)
        assert "Traceback" not in err
        assert faulty.returncode in ((3, -9) if action == "kill" else (1,)), (name, action, err)
        trained(folder, "--loss", "hinge")
        assert outcome(folder) == outcome(calm), (name, action)
        shutil.rmtree(folder)


@pytest.mark.slow
def test_twenty_kills_of_parent_or_worker_and_the_same_command_after_each(tmp_path):
    arguments = ["sweep", "--loss", "hinge,log,square-square,mce", "--seeds", "0..9", "--sampler", "uniform", *SMALL]
    arguments += ["--no-pictures", "--name", "x"]
    calm, disturbed = tmp_path / "calm", tmp_path / "disturbed"
    for folder in (calm, disturbed):
        folder.mkdir()
    ebm(calm, *arguments)
    assert len(results(calm)) == 40
    draw, kills, process = random.Random(0), 0, start(disturbed, *arguments)
    while kills < 20:
        if process.poll() is not None:
            process.communicate()
            process = start(disturbed, *arguments)
        goal = int(kills * 1.8)
        until(
            lambda goal=goal, p=process: p.poll() is not None or (workers(p) and len(results(disturbed)) >= goal), None
        )
        time.sleep(draw.random() * 0.3)
        victims = [process.pid, *workers(process)] if process.poll() is None else []
        if len(victims) > 1:
            os.kill(draw.choice(victims), signal.SIGKILL)
            kills += 1
            time.sleep(0.1)
    process.communicate(timeout=PATIENCE)
    ebm(disturbed, *arguments)
    assert len(results(disturbed)) == 40
    assert outcome(disturbed) == outcome(calm)
    for path in results(calm):
        run = disturbed / "results" / "x" / "runs" / path.parent.name
        assert {k: v.tobytes() for k, v in store.arrays(run, "params.npz").items()} == {
            k: v.tobytes() for k, v in store.arrays(path.parent, "params.npz").items()
        }
    assert not list((disturbed / "results").rglob(".*"))


# --- 10, 11: signals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_end_after_the_chunk_with_the_table(here, number):
    long = ["sweep", "--loss", "hinge", "--sampler", "uniform", *SMALL, "--steps", "20000000", "--name", "x"]
    process = start(here, *long)
    until(lambda: list((here / "results" / "x" / "runs").glob("*/curves.jsonl")), process)
    process.send_signal(number)
    out, err = finish(process, 130)
    assert "goes on from there" in err
    assert "Not finished" in out


def test_a_second_signal_ends_at_once_and_leaves_the_store_intact(here):
    process = start(here, "sweep", "--loss", "hinge", "--sampler", "hangs,uniform", *SMALL[:-2], "--name", "x")
    until(lambda: any(map(started, workers(process))), process)
    (worker,) = workers(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode in (-signal.SIGINT, 130)
    time.sleep(2)
    assert not alive(worker)
    assert set(states(here)) == {"hangs", "uniform"}


# --- the list --------------------------------------------------------------------------------------------------------


def test_every_fault_of_the_list_has_tests_that_exist():
    """docs/faults.py names them; docs/faults.md is its table."""
    spec = importlib.util.spec_from_file_location("faults", ROOT.parent / "docs" / "faults.py")
    faults = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(faults)
    assert len(faults.FAULTS) == 25
    written = (ROOT.parent / "docs" / "faults.md").read_text()
    for number, (fault, happens, row) in enumerate(faults.FAULTS, start=1):
        assert f"| {number} | {fault} | {happens} |" in written
        assert faults.functions(row)
        for file, function in faults.functions(row):
            assert f"def {function}(" in (ROOT / f"{file}.py").read_text()
    assert "(failed" not in written
