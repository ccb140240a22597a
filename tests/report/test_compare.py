"""Two sweeps, row by row: what changed beyond the noise of the seeds."""

import dataclasses

from helpers.made_up import NOISE, PROVENANCE, plane, record, seeds

from ebmcli.report import compare

BASE = [*seeds("hinge", "pcd", [0.3 + n for n in NOISE]), *seeds("log", "pcd", [0.3 + n for n in NOISE])]


def compared(*second):
    return compare.compare(BASE, [one for group in second for one in group])


def test_the_same_sweep_twice_has_no_changes():
    found = compared(BASE)
    assert {change.finding for change in found.changes} == {"equal"}
    assert not found.worse
    assert compare.table(found, ("a", "b")).rows == []
    assert found.counts() == f"{len(found.changes)} equal"
    collapsed = [*BASE, record("mce", "pcd", 0, **plane(3.0, 1.0, verdict="flat"))]
    assert not compare.compare(collapsed, collapsed).worse, "it was not healthy before"


def test_what_became_worse_is_told_from_noise():
    noise = seeds("hinge", "pcd", [0.3 - n for n in NOISE])
    found = compared(noise, seeds("log", "pcd", [0.9 - n for n in NOISE]))
    told = {(change.row, change.measure): change.finding for change in found.changes}
    assert told["hinge with pcd", "kl"] == "not significant"
    assert told["log with pcd", "kl"] == "worse"
    assert told["log with pcd", "auroc"] == "equal"
    assert found.worse
    row = next(row for row in compare.table(found, ("a", "b")).rows if row[1] == "log with pcd")
    assert [str(cell) for cell in row[2:6]] == ["kl ↓", "0.300 ± 0.015", "0.900 ± 0.015", "0.600 ± 0.030"]
    better = compared(noise, seeds("log", "pcd", [0.1 - n / 2 for n in NOISE]))
    assert "better" in {change.finding for change in better.changes}
    assert not better.worse


def test_a_run_that_is_no_longer_healthy_and_a_row_that_is_missing_are_worse():
    second = [*BASE[:7], record("log", "pcd", 3, **plane(0.3, 1.0, verdict="flat"))]
    assert compared(second).lost == ["moons: log with pcd, seed 3: flat"]
    assert compared(second).worse
    missing = compared(BASE[:4])
    assert missing.only == (["log with pcd"], [])
    assert missing.worse
    assert not compare.compare(BASE[:4], BASE).worse


def test_other_settings_are_named_and_do_not_keep_rows_apart():
    code = PROVENANCE | {"code": "def"}
    found = compared([dataclasses.replace(one, config=one.config | {"lr": 0.2}, provenance=code) for one in BASE])
    assert found.settings == ["lr 0.1 → 0.2", "code abc → def"]
    assert found.only == ([], [])


def test_sweeps_with_nothing_in_common_say_so():
    found = compared(seeds("mce", "uniform", [0.1, 0.2]))
    assert found.counts() == "nothing in common"
    assert compare.sentences(found) == [
        "0 measures in all: nothing in common.",
        "Only in the first: hinge with pcd; log with pcd.",
        "Only in the second: mce with uniform.",
    ]
