"""Which loss goes with which negatives: the table of the field, judged from declarations alone."""

import pytest

from ebmcli import config, plan
from ebmcli.registry import units
from ebmcli.validity import judge


def judgement(task, loss, sampler, **settings):
    (cell,), _ = config.cells(config.grid({"task": task, "loss": loss, "sampler": sampler}, settings))
    return judge(cell)


# (task, loss, sampler): run, warn or refuse, and a word of the reason.
TABLE = [
    ("moons", "energy", "none", "run", ""),
    ("moons", "energy", "langevin", "warn", "ignored"),
    ("moons", "hinge", "none", "refuse", "negatives one by one"),
    ("moons", "hinge", "uniform", "run", ""),
    ("moons", "hinge", "langevin", "run", ""),
    ("moons", "hinge", "pcd", "run", ""),
    ("moons", "hinge", "quadrature", "run", ""),
    ("moons", "square-square", "pcd", "run", ""),
    ("moons", "log", "uniform", "run", ""),
    ("moons", "nll", "quadrature", "run", ""),
    ("moons", "nll", "langevin", "refuse", "a sum over all answers"),
    ("moons", "nll", "pcd", "refuse", "quadrature"),
    ("moons", "perceptron", "quadrature", "run", ""),
    ("moons", "perceptron", "uniform", "refuse", "the lowest energy"),
    ("moons", "hinge", "most-offending", "refuse", "points of the plane"),
    ("moons", "nll", "exhaustive", "refuse", "points of the plane"),
    ("letters", "hinge", "loss-augmented", "run", ""),
    ("letters", "hinge", "most-offending", "run", ""),
    ("letters", "hinge", "exhaustive", "refuse", "negatives one by one"),
    ("letters", "hinge", "langevin", "refuse", "label sequences"),
    ("letters", "log", "most-offending", "run", ""),
    ("letters", "log", "loss-augmented", "refuse", "most-offending"),
    ("letters", "nll", "exhaustive", "run", ""),
    ("letters", "nll", "most-offending", "refuse", "exhaustive"),
    ("letters", "perceptron", "exhaustive", "run", ""),
    ("letters", "perceptron", "most-offending", "run", ""),
    ("letters", "perceptron", "loss-augmented", "refuse", "the lowest energy"),
    ("letters", "energy", "none", "run", ""),
]


@pytest.mark.parametrize(("task", "loss", "sampler", "verdict", "word"), TABLE)
def test_the_table(task, loss, sampler, verdict, word):
    found = judgement(task, loss, sampler)
    assert found.verdict == verdict, found
    assert word in found.reason


def test_a_distance_margin_that_the_negatives_do_not_look_at_is_warned_of():
    found = judgement("letters", "hinge", "most-offending", margin_distance="hamming")
    assert (found.verdict, "loss-augmented" in found.reason) == ("warn", True)


def test_an_energy_that_cannot_score_the_answers_is_refused():
    (cell,), _ = config.cells(config.grid({"task": "moons", "loss": "hinge", "energy": "linear-chain"}, {}))
    assert judge(cell).verdict == "refuse"


def test_no_pair_of_the_registry_falls_through():
    grid = config.grid({"task": "all", "loss": "all", "sampler": "all"}, {})
    planned = plan.plan(grid)
    assert len(planned.cells) == len(units("task")) * len(units("loss")) * len(units("sampler"))
    assert all(cell.judgement.reason for cell in planned.cells if cell.judgement.verdict != "run")


@pytest.mark.parametrize("task", units("task"))
@pytest.mark.parametrize("loss", units("loss"))
def test_every_loss_runs_on_every_task_by_default(task, loss):
    (cell,), _ = config.cells(config.grid({"task": task, "loss": loss}, {}))
    assert judge(cell).verdict == "run"


def test_losses_share_programs_and_hyperparameters_do_not_split_them():
    planned = plan.plan(config.grid({"loss": "all", "seed": "0..4"}, {"lr": "0.1,0.2,0.3", "margin": "1,2"}))
    names = [program.sampler.name for program, _ in plan.programs(planned.runs)]
    assert sorted(names) == ["langevin", "none", "quadrature"]
    letters = plan.plan(config.grid({"task": "letters", "loss": "all"}, {"fold": "0..9"}))
    assert len(plan.programs(letters.runs)) == 5  # none, most-offending, loss-augmented, and exhaustive for each need


def test_a_program_does_not_depend_on_the_other_cells():
    alone = plan.plan(config.grid({"loss": "hinge"}, {})).runs[0]
    many = plan.plan(config.grid({"loss": "all", "sampler": "all", "seed": "0..3"}, {})).runs
    same = next(cell for cell in many if cell.id == alone.id)
    assert plan.program_of(alone.config) == plan.program_of(same.config)
