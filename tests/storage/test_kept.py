"""The file of a task: a run means its content, wherever it is looked at from and whether or not the file is there."""

import json
import shutil

import numpy as np
import pytest
from helpers.cells import cell_of
from helpers.shell import SMALL, run_here

from ebmcli import load_run
from ebmcli.checks import reproducibility
from ebmcli.core import copies
from ebmcli.core.errors import UsageError
from ebmcli.core.files import digest
from ebmcli.core.registry import task_of
from ebmcli.execution.resume import cells_of, prepare
from ebmcli.planning import experiment_file
from ebmcli.planning.grid import grid
from ebmcli.planning.plan import Plan
from ebmcli.storage import kept, store

COMMAND = ["sweep", "--sampler", "uniform", *SMALL, "--task", "points:in/p.csv", "--name", "x"]


def points(seed=0):
    drawn = np.random.default_rng(seed).normal(size=(60, 2))
    return "x,y\n" + "".join(f"{a!r},{b!r}\n" for a, b in drawn.tolist())


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(copies, "_known", {})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the finished sweep of a file; its energy at two points."""
    folder = tmp_path_factory.mktemp("points")
    (folder / "in").mkdir()
    (folder / "in" / "p.csv").write_text(points())
    run_here(folder, *COMMAND, "--loss", "log", "--no-pictures")
    return folder


@pytest.fixture(params=["gone", "another"])
def moved(request, trained, tmp_path):
    """(results folder, another folder) of a copy whose file is not there any more, or where another has its name."""
    shutil.copytree(trained / "results", tmp_path / "results", symlinks=True)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "in").mkdir(parents=True)
    if request.param == "another":
        (elsewhere / "in" / "p.csv").write_text(points(seed=1))
    return tmp_path / "results", elsewhere


def test_pictures_and_energies_need_no_file(trained, moved, monkeypatch):
    results, elsewhere = moved
    (run,) = (results / "x" / "runs").iterdir()
    monkeypatch.chdir(trained)
    expected = load_run(run.name).energy(None, [[0.0, 1.0], [2.0, -1.0]])
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(copies, "_known", {})
    shutil.move(run, "lone")
    for folder, name in ((elsewhere, "lone"), (elsewhere / "lone", ".")):
        monkeypatch.chdir(folder)
        np.testing.assert_array_equal(load_run(name).energy(None, [[0.0, 1.0], [2.0, -1.0]]), expected)
    monkeypatch.chdir(elsewhere)
    shutil.move(elsewhere / "lone", run)
    monkeypatch.setattr(copies, "_known", {})
    out, _ = run_here(elsewhere, "plot", results / "x", "--output", "page.svg")
    assert out == "page.svg\n"


def test_a_worker_anywhere_trains_on_the_same_points(trained, moved, monkeypatch):
    results, elsewhere = moved
    monkeypatch.chdir(trained)
    planned = cell_of(task="points:in/p.csv", loss="log")
    expected = planned.units.task.build(planned.config).data()["points"]
    monkeypatch.chdir(elsewhere)
    (record,) = store.records(results / "x")
    (cell,) = cells_of(results / "x", [record.id])
    np.testing.assert_array_equal(cell.units.task.build(cell.config).data()["points"], expected)
    assert cell.units.task.name == "points:in/p.csv"


def test_the_same_command_goes_on_from_another_folder_or_without_the_file(trained, tmp_path):
    shutil.copytree(trained / "results", tmp_path / "results")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [*COMMAND, "--results", "../results", "--no-pictures"]
    _, err = run_here(elsewhere, *command, "--loss", "log")
    assert "1 of 1 runs are already in ../results/x: all there" in err
    assert "1 of them already in ../results/x" in run_here(elsewhere, *command, "--loss", "log,hinge", "--dry-run")[0]
    (elsewhere / "in").mkdir()
    (elsewhere / "in" / "p.csv").write_text(points(seed=1))
    _, err = run_here(elsewhere, *command, "--loss", "log,hinge", code=2)
    assert "they differ in data" in err


def test_a_repetition_is_of_the_same_points(moved, monkeypatch, tmp_path):
    """What is prepared for it is what the run had, also for a lone copy of the run."""
    results, elsewhere = moved
    monkeypatch.chdir(elsewhere)
    (run,) = (results / "x" / "runs").iterdir()
    shutil.move(run, "lone")
    prepared = []

    def train(cells, folder, *_, **__):
        prepared.extend(cells_of(folder, [cell.id for cell in cells]))
        raise UsageError("enough")

    monkeypatch.setattr(reproducibility.supervisor, "train", train)
    with pytest.raises(UsageError, match="enough"):
        reproducibility.repeat(elsewhere / "lone", None, None, None)
    (cell,) = prepared
    assert cell.units.task.traits.defaults["data"] == cell.config["data"]


def test_a_run_shares_the_file_of_its_sweep_or_has_its_own(trained, tmp_path, monkeypatch):
    (run,) = (trained / "results" / "x" / "runs").iterdir()
    (record,) = store.records(trained / "results" / "x")
    copy = trained / "results" / "x" / kept.FOLDER / record.config["data"]
    assert copy.read_text() == points()
    assert (run / kept.FILE).samefile(copy)
    (tmp_path / "x" / "runs" / "a").mkdir(parents=True)
    shutil.copytree(copy.parent, tmp_path / "x" / kept.FOLDER)

    def no_links(*_):
        raise PermissionError

    monkeypatch.setattr(kept.os, "link", no_links)
    kept.give(tmp_path / "x" / "runs" / "a", record.config)
    assert (tmp_path / "x" / "runs" / "a" / kept.FILE).read_text() == points()


def test_a_copy_that_was_changed_stands_for_nothing(trained, tmp_path, monkeypatch):
    shutil.copytree(trained / "results", tmp_path / "results")
    (run,) = (tmp_path / "results" / "x" / "runs").iterdir()
    config = json.loads((run / "config.json").read_text())
    for copy in (run / kept.FILE, tmp_path / "results" / "x" / kept.FOLDER / config["data"]):
        copy.write_text(points(seed=1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no longer the one"):
        load_run(run).energy(None, [[0.0, 1.0]])


def test_a_file_that_changes_between_plan_and_start_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text(points())
    cell = cell_of(task="points:p.csv", loss="hinge")
    (tmp_path / "p.csv").write_text(points(seed=1))
    (tmp_path / "x").mkdir()
    with pytest.raises(UsageError, match=r"p\.csv: the file has just changed"):
        prepare(Plan([cell]), tmp_path / "x", "ebm test")
    assert not (tmp_path / "x" / "sweep.json").exists()


def test_a_file_is_read_again_when_it_or_the_folder_has_changed(tmp_path, monkeypatch):
    for seed, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.csv").write_text(points(seed))
    seen = []
    for folder in ("a", "b", "a"):
        monkeypatch.chdir(tmp_path / folder)
        seen.append(cell_of(task="points:p.csv", loss="hinge").config["data"])
    assert seen[0] == seen[2] != seen[1]
    (tmp_path / "a" / "p.csv").write_text(points(seed=2))
    assert cell_of(task="points:p.csv", loss="hinge").config["data"] not in seen


def test_an_experiment_file_means_the_files_beside_it_wherever_it_is_read_from(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "p,q.csv").write_text(points())
    path = tmp_path / "experiments" / "x.toml"
    path.write_text('tasks = ["points:p,q.csv"]\nlosses = ["hinge"]\n')
    for folder in (tmp_path, tmp_path / "experiments"):
        monkeypatch.chdir(folder)
        assert experiment_file.load(path).axes["task"].values == ["points:p,q.csv"]
        assert cell_of(task="points:p,q.csv", loss="hinge").config["data"] == digest(str(path.with_name("p,q.csv")))


@pytest.mark.parametrize("name", ["a,b.csv", "a,moons.csv", "a,,", "a,b,c", " a.csv", "d[/e].csv", "a=b,c", "\udce9,a"])
def test_commas_belong_to_a_name_where_such_a_file_is_there(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(points())
    (tmp_path / "z.csv").write_text(points())
    given = grid({"task": f"moons, points:{name},points:z.csv,8gaussians"}, {}).axes["task"].values
    assert given == ["moons", f"points:{name}", "points:z.csv", "8gaussians"]
    assert task_of(cell_of(task=f"points:{name}", loss="hinge").config).name == f"points:{name}"
    (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=r"No such file|empty entry"):
        grid({"task": f"points:{name}"}, {})
