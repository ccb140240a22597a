"""Killed and interrupted sweeps, with real signals on real processes."""

import json
import os
import signal
import subprocess
import sys
import time

EXPERIMENT = """
losses = ["hinge", "log", "square-square"]
seeds = "0..3"
steps = 400
batch_size = 16
hidden = 8
negatives = 16
chain_steps = 2
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "ebmcli", "sweep", "x.toml", "--no-pictures"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def results(folder):
    return sorted((folder / "results" / "x" / "runs").glob("*/result.json"))


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def outcome(folder):
    """What must not depend on interruptions: every record but for its times, and the tables of the report."""
    found = [json.loads(path.read_text()) for path in results(folder)]
    report = subprocess.run(
        [sys.executable, "-m", "ebmcli", "report", "x"], cwd=folder, capture_output=True, text=True, check=True
    )
    tables = report.stdout.partition("## moons")[2]
    return [(one["id"], one["config"], one["metrics"]) for one in found], tables


def test_kill_9_and_ctrl_c_lose_nothing(tmp_path):
    disturbed, calm = tmp_path / "disturbed", tmp_path / "calm"
    for folder in (disturbed, calm):
        folder.mkdir()
        (folder / "x.toml").write_text(EXPERIMENT)
    process = start(disturbed)
    wait_for(lambda: len(results(disturbed)) >= 3, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in results(disturbed)}
    assert 3 <= len(before) < 12

    process = start(disturbed)
    wait_for(lambda: len(results(disturbed)) >= len(before) + 2, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert len(results(disturbed)) < 12

    process = start(disturbed)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert {path: path.stat().st_mtime_ns for path in before} == before, "a finished run was made again"
    process = start(calm)
    process.communicate(timeout=120)
    assert len(results(disturbed)) == 12
    assert outcome(disturbed) == outcome(calm)
    assert not [path for path in (disturbed / "results" / "x").rglob("*") if path.name.startswith(".")]


def test_a_second_sweep_waits_for_the_first_and_runs_no_cell_twice(tmp_path):
    (tmp_path / "x.toml").write_text(EXPERIMENT.replace("0..3", "0..1"))
    first = start(tmp_path)
    wait_for(lambda: len(results(tmp_path)) >= 1, first)
    second = start(tmp_path)
    _, err_first = first.communicate(timeout=120)
    _, err_second = second.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "waiting" in err_second
    assert "all there" in err_second
    assert err_first.count(" done ") == 6
    assert err_second.count(" done ") == 0
