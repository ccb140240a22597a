"""Grids: what flags and files ask for, before any default; what is said nearer wins."""

import pytest

from ebmcli.core.errors import UsageError
from ebmcli.planning import experiment_file
from ebmcli.planning.cells import cells
from ebmcli.planning.grid import grid
from ebmcli.planning.plan import resolve


@pytest.fixture
def load(tmp_path):
    """The grid of an experiment file of this text."""

    def loaded(text):
        path = tmp_path / "x.toml"
        path.write_text(text)
        return experiment_file.load(path)

    return loaded


def test_a_flag_wins_over_the_file_and_its_tables(load):
    loaded = load('losses = ["hinge"]\nlr = 0.1\n[loss.hinge]\nmargin = 2.0\n')
    (cell,), _ = cells(grid({"seed": "7"}, {"margin": "3", "lr": "0.5"}).over(loaded))
    assert [cell.config[name] for name in ("margin", "lr", "seed")] == [3.0, 0.5, 7]


def test_tables_of_a_loss_or_a_task_may_name_their_samplers_and_a_flag_wins(load):
    loaded = load(
        'losses = ["hinge", "energy"]\ntasks = ["moons", "letters"]\nsamplers = ["uniform", "pcd"]\n'
        '[loss.energy]\nsamplers = ["none"]\n[task.letters]\nsamplers = ["default"]\n'
    )
    assert [tuple(cell.config[name] for name in ("task", "loss", "sampler")) for cell in cells(loaded)[0]] == [
        ("moons", "hinge", "uniform"), ("moons", "hinge", "pcd"), ("moons", "energy", "none"),
        ("letters", "hinge", "loss-augmented"), ("letters", "energy", "none"),
    ]  # fmt: skip
    found, _ = cells(grid({"sampler": "quadrature"}, {}).over(loaded))
    assert {cell.config["sampler"] for cell in found} == {"quadrature"}


@pytest.mark.parametrize("value", ["0", "-1", "1e9", "nan", "1,2", "", "many"])
def test_a_budget_is_one_whole_number(value):
    with pytest.raises(UsageError, match="budget"):
        grid({"loss": "hinge"}, {"budget": value})


def test_a_budget_and_steps_exclude_each_other_and_the_flag_wins(load):
    with pytest.raises(UsageError, match="leave out steps"):
        grid({"loss": "hinge"}, {"budget": 5000, "steps": 3})
    with pytest.raises(UsageError, match="steps of single tasks"):
        grid({"loss": "hinge"}, {"budget": 5000}, {("task", "moons"): {"steps": 3}})
    with pytest.raises(UsageError, match="leave out steps"):
        load('losses = ["hinge"]\nbudget = 6144\nsteps = 4\n')

    def steps(asked):
        return resolve(asked).runs[0].config["steps"]

    budgeted = load('losses = ["hinge"]\nbudget = 6144\n')
    assert steps(budgeted) == 2
    assert steps(grid({}, {"steps": 7}).over(budgeted)) == 7
    assert steps(grid({}, {"budget": 9216}).over(load('losses = ["hinge"]\n[task.moons]\nsteps = 7\n'))) == 3
