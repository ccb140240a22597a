"""Faults of disks (docs/faults.md), provoked for real: one that is full, one that is read-only, a folder that goes."""

import json
import os
import re
import shutil
import subprocess

import pytest
from helpers.shell import SWEEP, finish, outcome, results, run_here, start, train_sweep, until

from ebmcli.storage import store


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "ebm-test", folder], capture_output=True)
    if done.returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_is_named_and_after_room_is_made_the_same_command_goes_on(small_disk, tmp_path):
    """At every size of what fills it: the disk is full at the manifest, a claim, the curves, the arrays, the result."""
    calm, seen = tmp_path / "calm", set()
    train_sweep(calm, "--loss", "hinge")
    for left in (0, 1, 3, 8, 20, 80):  # pages of 4 KiB
        shutil.rmtree(small_disk / "results", ignore_errors=True)
        (small_disk / "ballast").write_bytes(bytes(4096 * (64 - left) if left < 64 else 0))
        process = start(small_disk, *SWEEP, "--loss", "hinge", "--devices", "2")
        out, err = process.communicate(timeout=240)
        assert "Traceback" not in out + err
        if left == 80:
            assert process.returncode == 0, err
            break
        assert process.returncode == 1, err
        (line,) = [line for line in err.splitlines() if line.startswith("ebm: ")]
        assert "No space left on device" in line
        seen.add(re.search(r"[\w.-]+(?=: No space)", line)[0])
        if (small_disk / "results" / "x" / "sweep.json").exists():
            store.records(small_disk / "results" / "x")
        (small_disk / "ballast").unlink()
        train_sweep(small_disk, "--loss", "hinge")
        assert outcome(small_disk) == outcome(calm)
    assert len(seen) >= 3, seen


@pytest.fixture
def sealed(tmp_path):
    """A folder that cannot be written, by root neither."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "ebm-test", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_read_only_folder_is_one_line(sealed):
    _, err = run_here(sealed, "run", "--loss", "hinge", code=1)
    assert re.search(r"results.*: (Read-only file system|Permission denied)", err)
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("fate", ["moved", "removed"])
def test_a_folder_that_goes_away_in_a_sweep_is_one_line_and_a_moved_one_goes_on(tmp_path, fate):
    axes = ["--loss", "hinge,log,square-square"]
    process = start(tmp_path, *SWEEP, *axes, "--devices", "2")
    until(lambda: len(results(tmp_path)) == 2, process)
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    if fate == "removed":
        shutil.rmtree(tmp_path / "elsewhere")
    _, err = finish(process, 1)
    assert "No such file or directory" in err
    assert not (tmp_path / "results").exists()
    if fate == "moved":
        _, err = run_here(tmp_path, *SWEEP, *axes, "--results", "elsewhere")
        assert "2 of 3 runs are already" in err
        (tmp_path / "elsewhere").rename(tmp_path / "results")
        assert len(results(tmp_path)) == 3
        assert "/" not in json.dumps(store.manifest(tmp_path / "results" / "x").to_json()["cells"])
