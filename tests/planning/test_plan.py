"""Plans: what is run and what is refused, under one digest; each unit is looked up once or so a cell."""

import sys
from pathlib import Path

import pytest
from helpers.cells import plan_of

from ebmcli.core import registry
from ebmcli.core.errors import UsageError
from ebmcli.planning import experiment_file, plan
from ebmcli.planning.cost import estimate, step_cost
from ebmcli.planning.grid import grid
from ebmcli.planning.plan import resolve
from ebmcli.planning.programs import programs

PLANE = Path(__file__).parents[2] / "experiments" / "plane.toml"


def test_cells_are_run_or_refused_with_a_reason():
    found = plan_of(loss="hinge,nll", sampler="uniform,quadrature")
    assert [(one.config["loss"], one.config["sampler"]) for one in found.refused] == [("nll", "uniform")]
    assert all(one.judgement.refusal for one in found.refused)
    assert [one for one in found.cells if one not in found.refused] == found.runs


def test_the_digest_is_that_of_the_cells():
    digests = [plan_of(loss="hinge", seed=seed).digest for seed in ("0,1", "0..1", "0,2")]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 8


def test_a_grid_without_a_loss_and_one_that_is_too_large_are_refused(monkeypatch):
    with pytest.raises(UsageError, match="no loss is named: say --loss, or losses in a file, with some of energy, "):
        resolve(grid({}, {}))
    assert plan.MOST_CELLS == 10_000
    monkeypatch.setattr(plan, "MOST_CELLS", 100)
    many = grid({"loss": "hinge", "seed": "0..100"}, {})
    with pytest.raises(UsageError, match=r"the grid has 101 runs.*more than 100 runs are not begun without --yes"):
        resolve(many)
    assert len(resolve(many, allow_many=True).cells) == 101


@pytest.fixture
def lookups(monkeypatch):
    """All calls of registry.find, by whichever name a module has it."""
    calls, find = [], registry.find

    def counted(kind, name):
        calls.append((kind, name))
        return find(kind, name)

    for module in [module for name, module in sys.modules.items() if name.startswith("ebmcli.")]:
        for name in [name for name, value in vars(module).items() if value is find]:
            monkeypatch.setattr(module, name, counted)
    return calls


@pytest.mark.parametrize("budget", [None, 10**9])
def test_a_name_is_looked_up_at_most_four_times_a_cell(lookups, budget):
    """In planning, grouping and counting together: a cell carries its units."""
    asked = grid({"loss": "all", "sampler": "all", "task": "moons,letters"}, {"budget": budget})
    found = resolve(asked)
    planned = len(lookups)
    assert 0 < planned <= 4 * len(found.cells)
    programs(found.runs)
    estimate(found.runs, 2)
    assert all(step_cost(one.units, one.config) for one in found.runs)
    assert len(lookups) == planned, "nothing is looked up after planning"


def test_the_lookups_of_a_file_do_not_grow_with_its_seeds(lookups):
    counts = []
    for seeds in ("0", "0..9"):
        before = len(lookups)
        programs(resolve(grid({"seed": seeds}, {}).over(experiment_file.load(PLANE))).runs)
        counts.append(len(lookups) - before)
    assert counts[0] == counts[1]
