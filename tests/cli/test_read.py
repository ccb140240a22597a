"""The commands that read results: report, status, show, compare, export; on made-up sweeps and on an old one.

`ebm plot` stands in figures/test_page.py.
"""

import csv
import io
import json
import os
import shutil

import pytest
from helpers.made_up import NOISE, record, seeds, written
from helpers.shell import ROOT, run_here

from ebmcli.cli import read
from ebmcli.report.run import UNKNOWN
from ebmcli.storage import store

BASE = [*seeds("hinge", "pcd", [0.3 + n for n in NOISE]), *seeds("log", "pcd", [0.3 + n for n in NOISE])]


@pytest.fixture
def results(tmp_path):
    """Writes a sweep of that name into a results folder, and returns its folder."""
    (tmp_path / "results").mkdir()
    return lambda name, records, *more: written(tmp_path / "results" / name, records, *more)


@pytest.fixture
def ebm(tmp_path):
    """Runs a command there: (stdout, stderr)."""
    return lambda *arguments, code=0: run_here(tmp_path, *arguments, code=code)


# --- report ----------------------------------------------------------------------------------------------------------


def test_a_page_that_shows_something_else_than_the_runs_is_drawn_again_whatever_the_clock_says(finished_copy):
    folder = finished_copy / "results" / "x"
    page, arrays = folder / "grid-moons.png", next(folder.glob("runs/*/arrays.npz"))
    assert read._pages([folder], draw=False) == {}
    assert read._pages([folder], draw=True) == {"moons": [page]}
    fresh = page.read_bytes()
    os.utime(arrays, ns=(0, 2**62))
    assert read._pages([folder], draw=False) == {"moons": [page]}, "only the clock says that it is old"
    arrays.rename(folder / "aside")
    os.utime(page, ns=(0, 2**62))
    assert read._pages([folder], draw=False) == {}, "only the clock says that it is new"
    assert read._pages([folder], draw=True) == {"moons": [page]}
    assert page.read_bytes() != fresh
    (folder / "aside").rename(arrays)
    for damaged in (fresh[:-1], fresh[:900] + b"?" + fresh[901:], b"", b"GIF89a"):
        page.write_bytes(damaged)
        assert read._pages([folder], draw=False) == {}
    assert read._pages([folder], draw=True) == {"moons": [page]}
    assert page.read_bytes() == fresh


def test_pages_that_cannot_be_drawn_are_a_note(results, ebm, tmp_path):
    results("x", seeds("hinge", "pcd", [0.1, 0.2]))  # made up: they have left no arrays
    _, err = ebm("report", "--output", "r.md")
    assert "no pictures of x: " in err
    assert "arrays.npz" in err
    assert "![" not in (tmp_path / "r.md").read_text()
    assert "there is no folder nowhere" in ebm("report", "--output", "nowhere/r.md", code=2)[1]


def test_a_report_of_several_sweeps_in_a_file_has_the_pages_of_all_of_them(finished_copy):
    shutil.copytree(finished_copy / "results" / "x", finished_copy / "results" / "y")
    run_here(finished_copy, "report", "x", "y", "--output", "both.md")
    text = (finished_copy / "both.md").read_text()
    for name in ("x", "y"):
        assert f"![moons: the runs of {name} side by side.](both_files/{name}-grid-moons.png)" in text
        assert (finished_copy / "both_files" / f"{name}-grid-moons.png").read_bytes()[:4] == b"\x89PNG"
    plain = run_here(finished_copy, "report", "x", "--no-pictures")[0]
    assert plain.startswith("# x\n")
    assert "![" not in plain


# --- status and show -------------------------------------------------------------------------------------------------


def test_status_counts_and_names_the_last_error(results, ebm):
    refused = [({"task": "moons", "loss": "nll", "sampler": "pcd", "energy": "mlp", "seed": 0}, "no sum")]
    results("x", [*seeds("hinge", "pcd", [0.1, 0.2]), record("log", "pcd", 0, status="failed")], refused)
    out, _ = ebm("status")
    lines = [line.split() for line in out.splitlines()]
    assert ["task", "done", "refused", "failed"] in lines
    assert ["moons", "2", "1", "1"] in lines
    for words in ("1 runs to go, roughly", "goes on with it", "log-pcd-moons-s0: ValueError: a | b"):
        assert words in out
    found = json.loads(ebm("status", "x", "--json")[0])
    assert found["tasks"] == {"moons": {"done": 2, "failed": 1, "refused": 1}}
    assert (found["left"], found["working"]) == (1, False)


def test_show_names_everything_of_a_run(results, ebm):
    folder = results("x", seeds("hinge", "pcd", [0.1, 0.2]))
    for step in range(10):
        store.append_curve(folder / "runs" / "hinge-pcd-moons-s0", {"step": step, "gap_q50": step / 10})
    out, _ = ebm("show", "hinge-pcd-moons-s0")
    for words in (
        "done, of the sweep x",
        "healthy: fine",
        "kl at β*",
        "6 of 10 chunk ends",
        "result.json",
        "commit",
        "ebm sweep x.toml",
    ):
        assert words in out
    found = json.loads(ebm("show", "hinge-pcd-moons-s0", "--json")[0])
    assert len(found["curves"]) == 10
    assert found["origins"].keys() == found["config"].keys()


# --- compare and export ----------------------------------------------------------------------------------------------


def test_compare_ends_with_3_only_where_asked(results, ebm):
    results("a", BASE)
    results("b", seeds("hinge", "pcd", [0.9 - n for n in NOISE]))
    assert "Only in the first: log with pcd." in ebm("compare", "a", "b")[0]
    ebm("compare", "a", "b", "--fail-on-worse", code=3)
    assert json.loads(ebm("compare", "a", "b", "--json")[0])["worse"] is True
    ebm("compare", "a", "a", "--fail-on-worse")


def test_export_writes_a_file_named_like_the_sweep_or_where_it_is_told(results, ebm, tmp_path):
    folder = results("x", [*seeds("hinge", "pcd", [0.1, 0.2]), record("=1+1", "pcd", 0, status="killed")])
    store.append_curve(folder / "runs" / "hinge-pcd-moons-s1", {"step": 5, "kl": 0.7})
    assert ebm("export")[0] == "x.csv\n"
    lines = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text())))
    assert [line["status"] for line in lines] == ["done", "done", "killed"]
    assert ebm("export", "x", "--curves", "--output", "c.csv")[0] == "c.csv\n"
    (line,) = csv.DictReader(io.StringIO((tmp_path / "c.csv").read_text()))
    assert (line["id"], line["step"]) == ("hinge-pcd-moons-s1", "5")
    assert "there is no folder nowhere" in ebm("export", "--output", "nowhere/x.csv", code=2)[1]


# --- sweeps of an older version --------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path):
    """A folder with a sweep that version 0.1.0 wrote: schema 1, no checksums, no origins."""
    shutil.copytree(ROOT / "assets" / "schema-1", tmp_path / "results" / "old")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report"], "3 runs: 2 done, 1 refused."),
        (["report", "--format", "html", "--baseline", "hinge"], "Differences to hinge"),
        (["report", "--format", "csv"], "kl_low"),
        (["status"], "nothing left to do"),
        (["plot"], "results/old/grid-moons.png"),
        (["show", "hinge", "--json"], '"loss": "not written down"'),
        (["compare", "old", "old", "--fail-on-worse"], "measures in all"),
        (["export"], "old.csv"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_every_command_reads_a_sweep_of_the_first_schema(old, arguments, words):
    out, _ = run_here(old, *arguments)
    assert words in out


def test_nobody_wrote_down_where_the_values_of_an_old_sweep_came_from(old):
    found = json.loads(run_here(old, "show", "hinge", "--json")[0])
    assert found["origins"] == dict.fromkeys(found["config"], UNKNOWN)
    assert found["command"].startswith("ebm sweep --loss hinge,nll,log")
    assert run_here(old, "show", "hinge")[0].count(UNKNOWN) == len(found["config"])
