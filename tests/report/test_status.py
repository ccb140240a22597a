"""How far a sweep is, and how long the rest will take."""

import dataclasses

import pytest
from helpers.made_up import plane, record

from ebmcli.report import status
from ebmcli.storage import store


def timed(one, train, steps=100):
    seconds = {"compile": 9.0, "train": train, "evaluate": 1.0}
    return dataclasses.replace(one, seconds=seconds, config=one.config | {"steps": steps})


def test_time_to_go_is_that_of_the_most_alike_runs_shared_by_the_devices():
    done = [
        timed(record("hinge", "pcd", 0, **plane(0.1, 1.0)), 9.0),
        timed(record("log", "pcd", 0, **plane(0.1, 1.0)), 19.0),
    ]
    rest = [
        timed(record("hinge", "pcd", 1, status="killed"), 0.0, 200),
        timed(record("nce", "pcd", 1, status="pending"), 0.0),
    ]
    # 200 steps of a hinge that took 10 s for 100, and one like the median of (10, 20); two devices
    assert status.seconds_left([*done, *rest]) == pytest.approx((20 + 15) / 2)
    assert status.seconds_left(rest) is None
    assert status.seconds_left(done) == 0.0


def test_what_stands_in_a_sweep_is_counted_by_task_and_state(sweep):
    states = ["done", "done", "diverged", "failed", "killed", "pending"]
    records = [record("hinge", "pcd", n, state, **plane(0.1, 1.0) if n < 3 else {}) for n, state in enumerate(states)]
    folder = sweep([*records, record("hinge", "pcd", 0, task="classes", kl=1.0)])
    (folder / "runs" / "hinge-pcd-moons-s5" / "config.json").unlink()
    (folder / "runs" / "hinge-pcd-moons-s5").rmdir()
    found = status.standing(folder)
    assert found["tasks"] == {
        "moons": {"done": 2, "diverged": 1, "failed": 1, "killed": 1, "pending": 1}, "classes": {"done": 1},
    }  # fmt: skip
    assert (found["left"], found["working"]) == (3, False)
    assert found["last_error"] == {"id": "hinge-pcd-moons-s3", "message": "ValueError: a | b", "attempt": 1}
    table = status.table(found)
    assert table.columns == ["task", "done", "diverged", "pending", "failed", "killed"]
    assert [[str(cell) for cell in row] for row in table.rows] == [
        ["moons", "2", "1", "1", "1", "1"], ["classes", "1", "0", "0", "0", "0"], ["all", "3", "1", "1", "1", "1"],
    ]  # fmt: skip


def test_the_last_error_is_the_newest(sweep):
    folder = sweep([record("hinge", "pcd", seed, "failed") for seed in (0, 1)])
    for seed in (1, 0):
        store.save_failure(folder / "runs" / f"hinge-pcd-moons-s{seed}", {"kind": "failed", "message": f"of {seed}"})
    assert status.standing(folder)["last_error"] == {"id": "hinge-pcd-moons-s0", "message": "of 0", "attempt": 2}


def test_a_sweep_on_which_somebody_works_says_so(sweep):
    from ebmcli.storage.atomic import hold_lock

    folder = sweep([record("hinge", "pcd", 0, "pending")])
    assert "nobody works on it" in " ".join(status.sentences(status.standing(folder)))
    with hold_lock(folder / "lock"):
        found = status.standing(folder)
        assert found["working"]
        assert status.sentences(found) == ["1 runs to go; none has ended yet that would tell how long they take"]
    assert status.sentences(status.standing(sweep([record("hinge", "pcd", 0, kl=0.1)], name="y"))) == [
        "nothing left to do"
    ]
