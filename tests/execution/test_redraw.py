"""Pictures that are lost, damaged or of something else: drawn again by the same command, whatever the clock says."""

import os
import shutil

import pytest
from helpers.shell import PATIENCE, SWEEP, run_here, start

from ebmcli.execution import redraw
from ebmcli.figures import picture
from ebmcli.storage import store
from ebmcli.storage.atomic import FAULT

ASKED = ("--loss", "hinge,log", "--seeds", "0,1")
COMMAND = [one for one in SWEEP if one != "--no-pictures"]


@pytest.fixture
def runs(finished_copy):
    """The runs of a finished sweep, which have no pictures yet."""
    return sorted((finished_copy / "results" / "x" / "runs").iterdir())


def again(folder, *more):
    """The same command, which has nothing to train; what it says."""
    return run_here(folder, *COMMAND, *ASKED, *more)[1]


def test_pictures_that_were_lost_are_drawn_by_the_same_command(finished_copy, runs):
    assert "pictures" not in again(finished_copy, "--no-pictures")
    assert not [run for run in runs if (run / store.PICTURE).exists()]
    assert "4 pictures are missing or older than their runs: they are drawn again" in again(finished_copy)
    before = [(run / store.PICTURE).read_bytes() for run in runs]
    assert "pictures" not in again(finished_copy), "nothing is drawn twice"
    later = {"ns": (2**62, 2**62)}
    (runs[0] / store.PICTURE).unlink()
    shutil.copy(runs[2] / store.PICTURE, runs[1] / store.PICTURE)
    (runs[2] / store.PICTURE).write_bytes(before[2][:-20])
    for run in runs[1:3]:
        os.utime(run / store.PICTURE, **later)
    os.utime(runs[3] / "result.json", **later)
    assert "3 pictures are missing" in again(finished_copy)
    assert [(run / store.PICTURE).read_bytes() for run in runs] == before


def test_a_picture_is_of_the_measures_arrays_and_curves_that_lie_there(runs):
    run = runs[0]
    record = store.result(run)
    redraw.draw(run, record, None)
    assert picture.is_current(run)
    for name in ("arrays.npz", "curves.jsonl", "result.json"):
        raw = (run / name).read_bytes()
        (run / name).write_bytes(raw[:-1])
        assert not picture.is_current(run), name
        (run / name).write_bytes(raw)
    assert picture.is_current(run)


def test_what_cannot_be_drawn_is_a_note_and_a_full_disk_is_not(finished_copy, runs, monkeypatch):
    def broken(*_):
        raise ValueError("no such font\nmore")

    monkeypatch.setattr(picture, "draw", broken)
    assert f"no picture of {runs[0].name}: no such font\n" in again(finished_copy)

    def full(*_):
        raise OSError(28, "No space left on device", "picture.png")

    monkeypatch.setattr(picture, "draw", full)
    err = run_here(finished_copy, *COMMAND, *ASKED, code=1)[1]
    assert "ebm: picture.png: No space left on device" in err


def test_a_run_without_arrays_keeps_what_picture_it_has(finished_copy, runs):
    (runs[0] / store.PICTURE).write_bytes(b"old")
    (runs[0] / "arrays.npz").unlink()
    assert "3 pictures are missing" in again(finished_copy)
    assert "missing" not in again(finished_copy)
    assert (runs[0] / store.PICTURE).read_bytes() == b"old"


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", ["kill 1 picture.png made", "ENOSPC 1 picture.png written", "EIO 1 picture.png synced"]
)
def test_a_death_or_a_full_disk_between_result_and_picture_costs_no_picture(fault, tmp_path):
    faulty = start(tmp_path, *COMMAND, "--loss", "hinge", "--devices", "2", **{FAULT: fault})
    faulty.communicate(timeout=PATIENCE)
    (run,) = (tmp_path / "results" / "x" / "runs").iterdir()
    assert (run / "result.json").exists()
    run_here(tmp_path, *COMMAND, "--loss", "hinge")
    assert picture.is_current(run)
