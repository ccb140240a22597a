"""Faults of workers (docs/faults.md), provoked for real: one is killed, crashes, hangs, has no memory, or no parent."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from helpers.shell import (
    SMALL,
    SWEEP,
    alive,
    ebm,
    finish,
    lasting,
    results,
    run_here,
    start,
    states,
    until,
    workers,
)

from ebmcli.storage import atomic, store

STRANGE = ["sweep", "--loss", "hinge", "--no-pictures", "--name", "x"]
ALONE = SMALL[:-2]  # without the number of negatives: samplers of the plugin have no such setting, and a grid needs one


def test_a_killed_worker_costs_its_launch_and_the_next_command_runs_only_that(tmp_path):
    axes = ["--loss", "hinge,log,square-square", "--seeds", "0,1", "--devices", "2"]
    command = lasting(2_000, SWEEP)
    process = start(tmp_path, *command, *axes)
    runs = tmp_path / "results" / "x" / "runs"
    until(lambda: len(results(tmp_path)) == 2 and len(list(runs.glob("*/curves.jsonl"))) > 2, process)
    (worker,) = workers(process)
    os.kill(worker, signal.SIGKILL)
    _, err = finish(process, 3)
    lost = [one.id for one in store.records(tmp_path / "results" / "x") if one.status == "killed"]
    assert 1 <= len(lost) <= 2, err
    assert len(results(tmp_path)) == 6 - len(lost)
    before = {path: path.stat().st_mtime_ns for path in results(tmp_path)}
    _, err = run_here(tmp_path, *command, *axes)
    assert f"{6 - len(lost)} of 6 runs are already" in err
    assert len(results(tmp_path)) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_worker_dies_with_its_parent_within_two_seconds(strange):
    process = start(strange, *STRANGE, *ALONE, "--sampler", "hangs")
    until((strange / "hanging").exists, process)
    (worker,) = workers(process)
    process.kill()
    process.communicate()
    until(lambda: not (alive(worker) or atomic.is_locked(strange / "results" / "x" / "lock")), None, within=2)


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
def test_a_crash_a_hang_and_a_lack_of_memory_are_named_tried_again_once_and_the_rest_goes_on(strange, group, finished):
    """By `finished` the program of the rest is compiled: it must not take longer than those that hang."""
    environment = {"GROUP": str(group)} if group else {}
    axes = [*SMALL, "--sampler", "crashes,hangs,eats,uniform", "--devices", "2"]
    out, err = ebm(strange, *STRANGE, *axes, "--timeout", "30", code=3, **environment)
    assert states(strange) == {"crashes": "crashed", "hangs": "timeout", "eats": "oom", "uniform": "done"}, err
    assert "SIGSEGV" in out
    assert "longer than 30 seconds" in out
    for run in (strange / "results" / "x" / "runs").iterdir():
        expected = 0 if "uniform" in run.name else 1 if "eats" in run.name and not group else 2
        assert store.failure(run).get("attempt", 0) == expected
    crashed = next((strange / "results" / "x" / "runs").glob("*crashes*"))
    assert "about to crash" in store.failure(crashed)["traceback"]
    _, err = ebm(strange, *STRANGE, *axes, "--retry", "none", code=3)
    assert "4 of 4 runs are already" in err


def test_the_first_failure_ends_a_sweep_that_is_told_so(strange):
    _, err = ebm(strange, *STRANGE, *SMALL, "--sampler", "crashes,uniform", "--fail-fast", code=3)
    assert states(strange) == {"crashes": "crashed", "uniform": "pending"}
    assert "--fail-fast" in err
