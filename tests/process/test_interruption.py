"""Killed and interrupted sweeps, with real signals on real processes."""

import os
import signal
import time

import pytest
from helpers.shell import (
    SMALL,
    SWEEP,
    alive,
    ebm,
    finish,
    lasting,
    outcome,
    results,
    run_here,
    start,
    states,
    until,
    workers,
)  # fmt: skip

EXPERIMENT = """
losses = ["hinge", "log", "square-square"]
samplers = ["uniform"]
seeds = "0..3"
steps = 400
batch_size = 8
hidden = 4
layers = 1
negatives = 4
"""
COMMAND = ["sweep", "x.toml", "--no-pictures", "--devices", "2"]


def test_kill_9_and_ctrl_c_lose_nothing(tmp_path):
    disturbed, calm = tmp_path / "disturbed", tmp_path / "calm"
    for folder in (disturbed, calm):
        folder.mkdir()
        (folder / "x.toml").write_text(EXPERIMENT)
    process = start(disturbed, *COMMAND)
    until(lambda: len(results(disturbed)) >= 3, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in results(disturbed)}
    assert 3 <= len(before) < 12

    process = start(disturbed, *COMMAND)
    until(lambda: len(results(disturbed)) >= len(before) + 2, process)
    process.send_signal(signal.SIGINT)
    _, err = finish(process, 130)
    assert "interrupted" in err
    assert len(results(disturbed)) < 12

    ebm(disturbed, *COMMAND)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "a finished run was made again"
    ebm(calm, *COMMAND)
    assert len(results(disturbed)) == 12
    assert outcome(disturbed) == outcome(calm)
    assert not list((disturbed / "results" / "x").rglob(".*"))


def test_a_second_sweep_waits_for_the_first_and_runs_no_cell_twice(tmp_path):
    (tmp_path / "x.toml").write_text(EXPERIMENT.replace("0..3", "0..1"))
    first = start(tmp_path, *COMMAND)
    until(lambda: len(results(tmp_path)) >= 1, first)
    _, err_second = run_here(tmp_path, *COMMAND)
    _, err_first = finish(first)
    assert "waiting" in err_second
    assert "all there" in err_second
    assert err_first.count(" done ") == 6
    assert err_second.count(" done ") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_end_after_the_chunk_with_the_table(tmp_path, number):
    process = start(tmp_path, *lasting(1_000_000, SWEEP), "--loss", "hinge")
    until(lambda: list((tmp_path / "results" / "x" / "runs").glob("*/curves.jsonl")), process)
    process.send_signal(number)
    out, err = finish(process, 130)
    assert "goes on from there" in err
    assert "Not finished" in out


def test_the_first_signal_ends_what_is_compiled_at_once(strange):
    """A compiler is deaf, and nothing is lost with it: the same command goes on."""
    process = start(strange, "sweep", "--loss", "hinge", "--sampler", "hangs,uniform", *SMALL, "--name", "x")
    until((strange / "hanging").exists, process)
    (worker,) = workers(process)
    process.send_signal(signal.SIGINT)
    until(lambda: not alive(worker), None, within=2)
    _, err = finish(process, 130)
    assert "goes on from there" in err
    assert states(strange) == {"hangs": "killed", "uniform": "pending"}


def test_a_second_signal_ends_at_once_and_leaves_the_store_intact(strange):
    grid = ["--loss", "hinge", "--sampler", "stalls,uniform", *lasting(100_000, SMALL)]
    process = start(strange, "sweep", *grid, "--no-pictures", "--name", "x")
    runs = strange / "results" / "x" / "runs"
    until(lambda: any(file.read_text().count("\n") > 1 for file in runs.glob("*stalls*/curves.jsonl")), process)
    (strange / "stalling").touch()
    (worker,) = workers(process)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode in (-signal.SIGINT, 130)
    until(lambda: not alive(worker), None, within=2)
    assert set(states(strange)) == {"stalls", "uniform"}
