"""Walks a small sweep's writing, without training, through a fault at every point of the write path (atomic.failpoint).

Run as a program: jax is not there, so that each fault is a fork of milliseconds. Prints how many faults were tried.
"""

import collections
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from ebmcli.execution.resume import prepare
from ebmcli.planning.grid import grid
from ebmcli.planning.plan import resolve
from ebmcli.storage import atomic, store
from ebmcli.storage.atomic import hold_lock
from ebmcli.storage.records import Record

ACTIONS = ("kill", "ENOSPC", "EIO")
PLAN = resolve(grid({"loss": "hinge", "seed": "0,1"}, {}))  # read by all forks, which would each import all units


def write(folder):
    """What a command writes for two runs, in the order of launch._launch and launch._save."""
    with hold_lock(folder / "lock"):
        for cell in prepare(PLAN, folder, "ebm test"):
            run = store.claim(folder, cell.id, cell.config)
            with hold_lock(run / "lock"):
                store.clear(run, cell.config)
                for step in range(3):
                    store.append_curve(run, {"step": step, "kl": cell.config["seed"] + 0.5**step})
                for name in ("arrays.npz", "params.npz", store.FILM):
                    store.save_arrays(run / name, {"x": np.arange(9.0) * cell.config["seed"]})
                store.save_result(run, Record(cell.id, "done", cell.config, {"kl": 0.25}))


def forked(folder, fault=""):
    """The exit status of `write` in a process of its own."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        if fault:
            os.environ[atomic.FAULT] = fault
        write(folder)
    except OSError as error:
        os._exit(7 if error.filename else 8)
    except BaseException:
        os._exit(9)
    os._exit(0)


def content(folder):
    """Everything that counts; no litter may be left."""
    assert not list(folder.rglob(".*"))
    found = {}
    for run in sorted((folder / "runs").iterdir()):
        assert not (run / "failure.json").exists()
        arrays = [{k: v.tolist() for k, v in store.arrays(run, n).items()} for n in ("arrays.npz", "params.npz")]
        found[run.name] = [store.result(run).to_json(), store.curves(run), arrays]
    return json.dumps([found, [record.to_json() for record in store.records(folder)]])


def main():
    """Killed at every passage of every point, and each error at the first; then the same again without a fault."""
    root = Path(tempfile.mkdtemp())
    try:
        calm = root / "calm"
        calm.mkdir()
        assert forked(calm, f"note {root / 'points'}") == 0
        passed, seen = (root / "points").read_text().splitlines(), collections.Counter()
        faults = 0
        for name in passed:
            seen[name] += 1
            for action in ACTIONS if seen[name] == 1 else ACTIONS[:1]:
                faults += 1
                folder = root / f"{action}-{seen[name]}-{name}".replace(" ", "-")
                folder.mkdir()
                status = forked(folder, f"{action} {seen[name]} {name}")
                assert status == (-9 if action == "kill" else 7), (name, action, status)
                store.records(folder)  # whatever is there can be read
                assert forked(folder) == 0, (name, action)
                assert content(folder) == content(calm), (name, action)
        print(json.dumps({"points": sorted(seen), "faults": faults}))
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    assert "jax" not in sys.modules
    main()
