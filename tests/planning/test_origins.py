"""Where each value of a cell came from: a flag, a place of a file, whose default, or what it follows from."""

from dataclasses import replace

import pytest
from helpers.cells import cell_of, cells_of, plan_of

from ebmcli.core.registry import combination, units
from ebmcli.planning import experiment_file
from ebmcli.planning.cells import _default, cells
from ebmcli.planning.grid import grid
from ebmcli.planning.plan import resolve
from ebmcli.training.optimiser import SETTINGS

FLAG = "command line"


def test_flags_are_the_command_line():
    found = cell_of(
        task="letters", loss="hinge", sampler="loss-augmented", energy="linear-chain", seed="3",
        lr="0.1", margin=2, margin_distance="hamming", fold=1, head="softplus",
    )  # fmt: skip
    said = ("task", "loss", "sampler", "energy", "seed", "lr", "margin", "margin_distance", "fold", "head")
    assert {found.origins[name] for name in said} == {FLAG}


@pytest.mark.parametrize(
    ("said", "name", "origin"),
    [
        ({}, "task", "default"),
        ({}, "seed", "default"),
        ({}, "sampler", "chosen for the loss and the task"),
        ({"sampler": "default"}, "sampler", "chosen for the loss and the task"),
        ({}, "energy", "chosen for the task and the loss"),
        ({"energy": "default"}, "energy", "chosen for the task and the loss"),
        ({}, "beta", "default"),
        ({}, "lr", "default of task moons"),
        ({}, "batch_size", "default of task moons"),
        ({}, "margin", "default of loss hinge"),
        ({}, "chain_steps", "default of sampler langevin"),
        ({}, "hidden", "default of energy mlp"),
        ({}, "head", "default of energy mlp"),
        ({"task": "letters"}, "protocol", "default of task letters"),
        ({"task": "letters", "energy": "conv-chain"}, "lr", "default of energy conv-chain"),
        ({"task": "letters", "energy": "conv-chain"}, "beta", "default"),
        ({"task": "words", "sampler": "corrupt"}, "negatives", "default of task words"),
        ({"loss": "ml", "sampler": "exact"}, "alpha", "default of sampler exact"),
        ({"loss": "ml", "sampler": "uniform"}, "alpha", "follows beta"),
        ({"loss": "ml", "sampler": "uniform", "alpha": 0.1}, "alpha", FLAG),
        ({"sampler": "pcd"}, "step_size", "follows beta"),
        ({"sampler": "hmc"}, "step_size", "default of sampler hmc"),
        ({"sampler": "most-offending"}, "step_size", "default of sampler most-offending"),
        ({"loss": "min-hinge"}, "head", "follows the loss"),
        ({"loss": "min-hinge", "head": "softplus"}, "head", FLAG),
        ({"task": "letters"}, "margin_distance", "follows the negatives"),
        ({"task": "letters", "sampler": "most-offending"}, "margin_distance", "follows the negatives"),
        ({"budget": 10**6}, "steps", "follows from the budget of 1,000,000 energy evaluations"),
        ({"budget": 10**6}, "lr", "default of task moons"),
    ],
)
def test_what_nobody_said_names_its_default(said, name, origin):
    (found,) = plan_of(**{"loss": "hinge"} | said).cells
    assert found.origins[name] == origin


def test_a_distance_that_a_loss_without_a_margin_cannot_have_is_not_said_to_come_from_the_flag():
    found = {one.config["loss"]: one for one in cells_of(task="letters", loss="hinge,log", margin_distance="hamming")}
    assert (found["hinge"].config["margin_distance"], found["hinge"].origins["margin_distance"]) == ("hamming", FLAG)
    assert found["log"].config["margin_distance"] == "constant"
    assert found["log"].origins["margin_distance"] == "follows the negatives"


def test_the_steps_of_a_refused_cell_do_not_follow_from_the_budget():
    (found,) = plan_of(loss="nll", sampler="uniform", budget=10**6).refused
    assert (found.config["steps"], found.origins["steps"]) == (2000, "default of task moons")


def test_the_content_of_a_file_is_its_digest_and_the_defaults_are_those_of_the_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("x,y\n" + "".join(f"{n % 5},{n % 41}\n" for n in range(200)))
    found = cell_of(task="points:mine.csv", loss="hinge")
    assert found.origins["data"] == "digest of the file"
    assert (found.origins["task"], found.origins["lr"]) == (FLAG, "default of task points")


@pytest.fixture
def file(tmp_path):
    """An experiment file, as it is named on the command line, and its grid."""
    path = tmp_path / "x.toml"
    path.write_text(
        'losses = ["hinge", "energy"]\nsamplers = ["default"]\nlr = 0.01\nsteps = 7\nseeds = "0..1"\n'
        "[loss.hinge]\nmargin = 2\n[task.letters]\nsteps = 9\nfold = 2\n"
        '[loss.energy]\nsamplers = ["none", "default"]\n[sampler.langevin]\nstep_size = 0.2\n[energy.mlp]\nhidden = 8\n'
    )
    return str(path), experiment_file.load(path)


def test_values_of_a_file_name_the_file_and_its_table_and_a_flag_wins(file):
    name, loaded = file
    found = {
        (one.config["task"], one.config["loss"], one.config["sampler"]): one.origins
        for one in cells(grid({"task": "moons,letters"}, {"lr": "0.02"}).over(loaded))[0]
    }
    plain = found["moons", "hinge", "langevin"]
    said = ("task", "loss", "sampler", "energy", "seed", "lr", "steps", "margin", "step_size", "hidden")
    assert {key: plain[key] for key in said} == {
        "task": FLAG, "loss": name, "sampler": "chosen for the loss and the task",
        "energy": "chosen for the task and the loss", "seed": name, "lr": FLAG, "steps": name,
        "margin": f"{name}, [loss.hinge]", "step_size": f"{name}, [sampler.langevin]",
        "hidden": f"{name}, [energy.mlp]",
    }  # fmt: skip
    words = found["letters", "hinge", "loss-augmented"]
    assert (words["steps"], words["fold"]) == (f"{name}, [task.letters]", f"{name}, [task.letters]")
    assert words["protocol"] == "default of task letters"
    assert [found["moons", "hinge", "langevin"][key] for key in ("batch_size", "chain_steps", "beta")] == [
        "default of task moons",
        "default of sampler langevin",
        "default",
    ]


def test_a_sampler_that_a_table_names_is_of_the_table(file):
    name, loaded = file
    named, chosen = (
        cells(grid({}, {}, {("loss", "energy"): {"samplers": [one]}}, name).over(loaded))[0][-1]
        for one in ("none", "default")
    )
    assert (named.config["sampler"], chosen.config["sampler"]) == ("none", "none")
    assert named.origins["sampler"] == f"{name}, [loss.energy]"
    assert chosen.origins["sampler"] == "chosen for the loss and the task"
    (flagged,) = [one for one in cells(grid({"sampler": "pcd", "seed": "0"}, {}).over(loaded))[0]
                  if one.config["loss"] == "energy"]  # fmt: skip
    assert flagged.origins["sampler"] == FLAG


def test_a_budget_of_a_file_and_one_of_a_flag(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('losses = ["hinge"]\nbudget = 6144\n')
    loaded = experiment_file.load(path)
    (cell,) = resolve(loaded).cells
    assert cell.origins["steps"] == "follows from the budget of 6,144 energy evaluations"
    (cell,) = resolve(grid({}, {"budget": 9216}).over(loaded)).cells
    assert cell.origins["steps"] == "follows from the budget of 9,216 energy evaluations"
    (cell,) = resolve(grid({}, {"steps": 5}).over(loaded)).cells
    assert (cell.config["steps"], cell.origins["steps"]) == (5, FLAG)


@pytest.mark.parametrize("task", [name for name, unit in units("task").items() if not unit.traits.file])
def test_every_value_of_every_cell_has_an_origin(task):
    for cell in cells_of(task=task, loss="all", sampler="all"):
        assert cell.origins.keys() == cell.config.keys()
        assert all(cell.origins.values())


@pytest.mark.parametrize(("wins", "over"), [("task", "sampler"), ("energy", "sampler"), ("energy", "task")])
def test_of_clashing_defaults_that_of_the_energy_wins_then_that_of_the_task(wins, over):
    """They are the more particular: a sampler serves many tasks, a task many energies."""
    four = combination({"task": "moons", "loss": "hinge", "sampler": "langevin", "energy": "mlp"})
    clash = {
        kind: replace(unit, traits=replace(unit.traits, defaults={"batch_size": size}))
        for size, kind in enumerate((over, wins), 1)
        for unit in [getattr(four, kind)]
    }
    others = {kind: replace(unit, traits=replace(unit.traits, defaults={})) for kind in ("task", "sampler", "energy")
              for unit in [getattr(four, kind)] if kind not in clash}  # fmt: skip
    default = _default(replace(four, **clash, **others), None, SETTINGS["batch_size"])
    assert (default.values, default.origin) == ([2], f"default of {wins} {getattr(four, wins).name}")
