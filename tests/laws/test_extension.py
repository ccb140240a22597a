"""A package of somebody else adds one of everything, in one file; each is found everywhere it belongs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.shell import ROOT

WALK = """
import json, pathlib, sys
sys.path[:0] = [sys.argv[2]]
import conftest
from helpers.shell import run_here
here = pathlib.Path(sys.argv[1])
run = ["run", "--task", "dot", "--loss", "outer", "--set", "optimizer=signs", "--set", "schedule=halved", "--name", "x"]
said = {
    "losses": run_here(here, "list", "losses"),
    "samplers": run_here(here, "list", "samplers"),
    "energies": run_here(here, "list", "energies"),
    "tasks": run_here(here, "list", "tasks"),
    "measures": run_here(here, "list", "measures"),
    "settings": run_here(here, "list", "settings", "--format", "md"),
    "help": run_here(here, "run", "--help"),
    "check": run_here(here, "check", "outer"),
    "echo": run_here(here, *run[:-1], "y", "--executor", "echo", "--volume", "full", code=3),
    "wrong": run_here(here, *run[:-1], "y", "--executor", "local", "--volume", "full", code=2),
    "budget": run_here(here, "sweep", *run[1:-1], "z", "--budget", "160", "--dry-run", "--json"),
    "run": run_here(here, *run),
    "show": run_here(here, "show", "outer", "--json"),
    "md": run_here(here, "report", "x"),
    "shout": run_here(here, "report", "x", "--format", "shout"),
    "alias": run_here(here, "report", "x", "--format", "mine"),
    "unknown": run_here(here, "report", "x", "--format", "nope", code=2),
}
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the commands say where that package is installed, as (stdout, stderr)."""
    folder = tmp_path_factory.mktemp("outsider")
    site = folder / "site"
    (site / "outsider-1.dist-info").mkdir(parents=True)
    (site / "outsider-1.dist-info" / "entry_points.txt").write_text("[ebmcli.plugins]\nx = outsider\n")
    (site / "outsider-1.dist-info" / "METADATA").write_text("Name: outsider\nVersion: 1\n")
    shutil.copy(Path(__file__).with_name("outsider.py"), site)
    path = os.pathsep.join([str(site), str(ROOT.parent)])
    done = subprocess.run(
        [sys.executable, "-c", WALK, str(folder), str(ROOT)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_loss_is_listed_judged_and_trained(said):
    assert "exp(rate (F+ - F-))" in said["losses"][0]
    assert "outer" in said["check"][0]
    assert "outer" in said["run"][0]


def test_a_sampler_is_listed_is_a_default_and_its_cost_counts(said):
    assert "points of the corner" in said["samplers"][0]
    (cell,) = json.loads(said["budget"][0])
    assert cell["config"]["sampler"] == "thrown-far"
    assert cell["config"]["steps"] == 10  # 8 examples and 8 negatives a step


def test_an_energy_and_a_task_are_listed_and_trained(said):
    assert "F(y) = s |y|^2" in said["energies"][0]
    assert "points about 0" in said["tasks"][0]
    assert "dot" in said["run"][0]


def test_a_measure_has_its_column_its_direction_and_its_note(said):
    assert "height of the data" in said["run"][0]
    assert "height of the data ↓" in said["md"][0]
    assert "- height of the data: its mean energy." in said["md"][0]
    assert "height of the data" in said["measures"][0]
    assert json.loads(said["show"][0])["metrics"]["height"] > 0


def test_an_optimiser_and_a_schedule_are_choices(said):
    assert "signs" in said["settings"][0]
    assert "halved" in said["settings"][0]
    config = json.loads(said["show"][0])["config"]
    assert (config["optimizer"], config["schedule"]) == ("signs", "halved")


def test_a_report_format_is_written_by_its_name_and_its_alias_and_is_suggested(said):
    assert said["shout"][0] == said["alias"][0] == "OUTER\n"
    assert "shout" in said["unknown"][1]


def test_an_executor_has_its_flag_and_no_other_has_it(said):
    assert "echo full: 1 runs" in said["echo"][1]
    assert "--volume" in said["help"][0]
    assert "say --executor echo with it" in said["wrong"][1]
