"""A death or an error of the disk between any two system calls of the write path, and the same command after it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from helpers.shell import PATIENCE, ROOT, SWEEP, outcome, results, start, train_sweep, trained, until, workers

from ebmcli.storage import atomic, store


def test_a_death_or_an_error_at_any_point_of_the_write_path_loses_and_doubles_nothing():
    done = subprocess.run(
        [sys.executable, str(ROOT / "helpers" / "walk.py")], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] >= 60
    for name in ("sweep.json", "config.json", "arrays.npz", "params.npz", "film.npz", "result.json"):
        for place in ("made", "written", "synced", "renamed"):
            assert f"{name} {place}" in found["points"]


@pytest.mark.slow
def test_the_same_of_the_real_command(tmp_path):
    calm = tmp_path / "calm"
    calm.mkdir()
    trained(calm, "--loss", "hinge", "--devices", "2", **{atomic.FAULT: f"note {tmp_path / 'points'}"})
    points = list(dict.fromkeys((tmp_path / "points").read_text().splitlines()))
    for number, name in enumerate(points):
        action = ("kill", "ENOSPC", "EIO")[number % 3]
        folder = tmp_path / str(number)
        folder.mkdir()
        faulty = start(folder, *SWEEP, "--loss", "hinge", "--devices", "2", **{atomic.FAULT: f"{action} 1 {name}"})
        _, err = faulty.communicate(timeout=PATIENCE)
        assert "Traceback" not in err
        died = (3, -9, 0) if results(folder) else (3, -9)  # with its result on disk no run is lost
        assert faulty.returncode in (died if action == "kill" else (1,)), (name, action, err)
        train_sweep(folder, "--loss", "hinge")
        assert outcome(folder) == outcome(calm), (name, action)
        shutil.rmtree(folder)


@pytest.mark.slow
def test_twenty_kills_of_parent_or_worker_and_the_same_command_after_each(tmp_path):
    axes = ["--loss", "hinge,log,square-square,mce", "--seeds", "0..9", "--devices", "2"]
    calm, disturbed = tmp_path / "calm", tmp_path / "disturbed"
    disturbed.mkdir()
    calm.mkdir()
    trained(calm, *axes)
    assert len(results(calm)) == 40
    draw, kills, process = random.Random(0), 0, start(disturbed, *SWEEP, *axes)
    while kills < 20:
        if process.poll() is not None:
            process.communicate()
            process = start(disturbed, *SWEEP, *axes)
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
    trained(disturbed, *axes)
    assert len(results(disturbed)) == 40
    assert outcome(disturbed) == outcome(calm)
    for path in results(calm):
        run = disturbed / "results" / "x" / "runs" / path.parent.name
        assert {k: v.tobytes() for k, v in store.arrays(run, "params.npz").items()} == {
            k: v.tobytes() for k, v in store.arrays(path.parent, "params.npz").items()
        }
    assert not list((disturbed / "results").rglob(".*"))
