"""From a grid to cells: one flag is enough, everything is resolved, lists multiply, defaults suit each other."""

import pytest
from helpers.cells import cell_of, cells_of

from ebmcli.core.errors import UsageError
from ebmcli.planning.cells import cell_of_record, cells
from ebmcli.planning.compatibility import judge
from ebmcli.planning.grid import grid
from ebmcli.planning.identity import run_id
from ebmcli.planning.plan import resolve


def test_one_flag_is_enough_and_everything_is_resolved():
    assert cell_of(loss="hinge").config == {
        "task": "moons", "loss": "hinge", "sampler": "langevin", "energy": "mlp", "seed": 0,
        "steps": 2000, "batch_size": 256, "lr": 5e-3, "beta": 1.0, "weight_decay": 0.0,
        "optimizer": "adam", "schedule": "cosine", "hidden": 64, "layers": 3, "head": "free",
        "negatives": 256, "chain_steps": 10, "step_size": 0.1, "chain_precision": "float32", "margin": 1.0,
    }  # fmt: skip


def test_a_cell_carries_its_units_and_is_judged_as_they_are():
    for cell in cells_of(task="moons,letters", loss="hinge,nll", sampler="uniform,exhaustive"):
        four = cell.units.task, cell.units.loss, cell.units.sampler, cell.units.energy
        assert {unit.kind: unit.name for unit in four} == {unit.kind: cell.config[unit.kind] for unit in four}
        assert (cell.id, cell.judgement) == (run_id(cell.config), judge(cell.units, cell.config))
        assert cell.origins.keys() == cell.config.keys()


def test_a_recorded_cell_is_the_planned_one():
    planned = cell_of(task="letters", loss="hinge", seed="3")
    recorded = cell_of_record(planned.id, planned.config)
    assert (recorded.id, recorded.config, recorded.units) == (planned.id, planned.config, planned.units)
    assert recorded.judgement == planned.judgement


@pytest.mark.parametrize(
    ("task", "loss", "distance", "sampler", "resolved"),
    [
        ("moons", "energy", None, "none", None),
        ("moons", "nll", None, "quadrature", None),
        ("moons", "perceptron", None, "quadrature", None),
        ("moons", "log", None, "langevin", None),
        ("letters", "energy", None, "none", "constant"),
        ("letters", "nll", None, "exhaustive", "constant"),
        ("letters", "perceptron", None, "exhaustive", "constant"),
        ("letters", "log", None, "most-offending", "constant"),
        ("letters", "hinge", None, "loss-augmented", "hamming"),
        ("letters", "square-square", "hamming", "loss-augmented", "hamming"),
        ("letters", "hinge", "constant", "most-offending", "constant"),
        ("words", "hinge", None, "most-offending", "constant"),
        ("words", "hinge", "edit", "loss-augmented", "edit"),
        ("words", "log", None, "most-offending", "constant"),
        ("handwriting", "hinge", None, "n-best", "constant"),
        ("handwriting", "square-square", "edit", "loss-augmented", "edit"),
    ],
)
def test_default_negatives_and_margin_distance(task, loss, distance, sampler, resolved):
    found = cell_of(task=task, loss=loss, **({"margin_distance": distance} if distance else {})).config
    assert (found["sampler"], found.get("margin_distance")) == (sampler, resolved)


def test_the_margin_distance_follows_the_negatives_that_are_asked_for():
    for task, distance in (("letters", "hamming"), ("words", "edit")):
        plain, augmented = cells_of(task=task, loss="hinge", sampler="most-offending,loss-augmented")
        assert (plain.config["margin_distance"], augmented.config["margin_distance"]) == ("constant", distance)


def test_each_distance_that_is_asked_for_chooses_its_own_negatives():
    found = [cell.config for cell in cells_of(task="letters", loss="hinge", margin_distance="constant,hamming")]
    assert [(one["margin_distance"], one["sampler"]) for one in found] == [
        ("constant", "most-offending"),
        ("hamming", "loss-augmented"),
    ]


def test_lists_and_ranges_multiply_and_duplicates_are_dropped():
    assert (
        len(cells_of(loss="hinge,nll", seed="0..2", lr="0.1,1e-3", margin=[1, 2.0])) == 3 * 2 * 2 + 3 * 2
    )  # no margin
    found, dropped = cells(grid({"loss": "hinge,hinge"}, {}))
    assert (len(found), dropped) == (1, 1)


def test_all_folds_are_those_that_the_protocol_has():
    """Ten of them, or five groups of words; and `all` stands for no other hyperparameter."""
    found = [cell.config for cell in cells_of(
        task="letters", loss="hinge,nll", fold="all", protocol="large,held-out-words"
    )]  # fmt: skip
    folds = {
        protocol: [c["fold"] for c in found if c["protocol"] == protocol] for protocol in ("large", "held-out-words")
    }
    assert folds == {"large": [*range(10)] * 2, "held-out-words": [*range(5)] * 2}
    with pytest.raises(UsageError, match="steps"):
        grid({"loss": "hinge"}, {"steps": "all"})


def test_a_grid_above_the_limit_is_refused_with_its_size():
    asked = grid({"loss": "hinge", "seed": "0..9"}, {"lr": "0.1,0.2"})
    assert len(cells(asked, limit=20)[0]) == 20
    with pytest.raises(UsageError, match=r"the grid has 20 runs.* more than 19 runs are not begun without --yes"):
        cells(asked, limit=19)


MANY = ",".join(str((place + 1) / 1000) for place in range(1000))


@pytest.mark.parametrize(
    ("axes", "settings", "count"),
    [
        ({}, dict.fromkeys(("lr", "margin", "beta", "step_size"), MANY), "1,000,000,000,000"),
        ({"seed": "0..99999"}, {"lr": MANY}, "100,000,000"),
        ({"seed": "0..99999", "task": "letters"}, {"fold": "all"}, "1,000,000"),
        ({"loss": "all", "sampler": "all", "task": "all", "energy": "all"}, {"lr": MANY}, "more than 100,000"),
    ],
)
def test_a_grid_is_counted_by_multiplication_before_a_cell_is_made(monkeypatch, axes, settings, count):
    monkeypatch.setattr("ebmcli.planning.cells.cell", None)  # whoever makes one fails
    with pytest.raises(UsageError, match=f"the grid has {count} runs") as error:
        cells(grid({"loss": "hinge"} | axes, settings), limit=10_000)
    assert "more than 10,000 runs are not begun without --yes" in str(error.value)


def test_what_stands_twice_is_made_once_however_often_it_stands():
    """Values, units and distances alike; 400 million cells are 4 different ones."""
    ones = ",".join(["1"] * 10_000)
    found, duplicates = cells(grid({"loss": "hinge", "seed": "0..3"}, {"lr": ones, "margin": ones}), limit=10)
    assert (len(found), duplicates) == (4, 4 * (10**8 - 1))
    twice = "constant,constant,hamming"
    found, duplicates = cells(grid({"loss": "hinge,hinge", "task": "letters"}, {"margin_distance": twice}))
    assert (len(found), duplicates) == (2, 4)
    found, duplicates = cells(grid({"loss": "hinge", "sampler": "default,langevin,langevin"}, {}))
    assert (len(found), duplicates) == (1, 2)  # the default is one of them


def test_no_flag_begins_more_than_a_million_runs():
    with pytest.raises(UsageError, match=r"has 10,000,000 runs.* more than 1,000,000 runs are not begun$"):
        resolve(grid({"loss": "hinge", "seed": "0..9999"}, {"lr": MANY}), allow_many=True)


@pytest.mark.parametrize("sampler", ["langevin", "cd", "pcd", "mala"])
def test_the_penalty_and_the_steps_of_chains_follow_beta(sampler):
    """At beta = 1 to the bit as without it; beside each value of a list; what is said, wherever, wins."""
    of_beta = {each.config["beta"]: each.config for each in cells_of(loss="ml", sampler=sampler, beta=[0.1, 1, 3])}
    assert [config["step_size"] for config in of_beta.values()] == [0.01, 0.1, 0.3]
    assert [config["alpha"] for config in of_beta.values()] == [0.01, 0.1, 0.3]
    assert cell_of(loss="ml", sampler=sampler).config == of_beta[1.0]
    asked = cell_of(loss="ml", sampler=sampler, beta=3, step_size=0.1, alpha=0.0).config
    assert (asked["step_size"], asked["alpha"]) == (0.1, 0.0)
    same = cell_of(loss="ml", sampler=sampler, beta=3, step_size=0.3, alpha=0.3)
    assert same.id == cell_of(loss="ml", sampler=sampler, beta=3).id


def test_steps_that_are_on_beta_times_the_energy_and_descents_do_not_follow_beta():
    for sampler, size in (("hmc", 0.2), ("most-offending", 0.1)):
        assert cell_of(loss="hinge", sampler=sampler, beta=3).config["step_size"] == size
    assert cell_of(loss="ml", sampler="exact", beta=3).config["alpha"] == 0.0
