"""What cells cost: evaluations that are declared and exact, steps from a budget, a rough estimate; all without jax."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.cells import cell_of, cells_of, plan_of

from ebmcli.core.errors import UsageError
from ebmcli.core.registry import units
from ebmcli.core.types import Cost
from ebmcli.execution.supervisor import environment
from ebmcli.planning.cost import COMPILE_SECONDS, FIXED_SECONDS, estimate, step_cost

POINTS = Path(__file__).parents[1] / "tasks" / "points.csv"


def test_a_budget_gives_every_run_as_many_steps_as_its_evaluations_allow():
    """By hand: a batch of 256; langevin: 256 chains of 10 steps and their ends; quadrature: 32^2 nodes."""
    found = {one.config["loss"]: one for one in plan_of(loss="hinge,nll,energy,score-matching", budget="1000000").runs}
    costs = {"hinge": 256 + 256 * 10 + 256, "nll": 256 + 32**2, "energy": 256}
    assert {loss: found[loss].config["steps"] for loss in costs} == {
        loss: 10**6 // cost for loss, cost in costs.items()
    }
    for one in found.values():
        step = step_cost(one.units, one.config).evaluations
        assert 0 <= 10**6 - one.config["steps"] * step < step
        assert "budget" not in one.config


def test_a_budget_too_small_for_a_step_is_refused():
    with pytest.raises(UsageError, match="which takes 3,072"):
        plan_of(loss="hinge", budget=3071)
    assert plan_of(loss="hinge", budget=3072).runs[0].config["steps"] == 1


def test_a_run_of_a_budget_is_the_run_of_those_steps():
    (budgeted,) = plan_of(loss="hinge", budget=3072 * 5).runs
    assert budgeted.id == cell_of(loss="hinge", steps=5).id


def test_a_sampler_that_does_not_say_what_it_costs_is_planned_but_has_no_budget(monkeypatch):
    unit = units("sampler")["uniform"]
    monkeypatch.setitem(units("sampler"), "uniform", replace(unit, traits=replace(unit.traits, cost=None)))
    asked = {"loss": "hinge", "sampler": "uniform"}
    one = cell_of(**asked)
    assert step_cost(one.units, one.config) is None
    assert estimate([one], 1) > 0
    with pytest.raises(UsageError, match="uniform does not declare what its negatives cost"):
        plan_of(**asked, budget=10**6)
    assert plan_of(loss="score-matching", sampler="uniform", budget=10**6).runs  # which draws no negatives


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"loss": "hinge", "sampler": "uniform"}, Cost(256 + 256)),
        ({"loss": "hinge", "sampler": "langevin", "chain_steps": 3}, Cost(256 + 256 * 4, 256 * 3)),
        ({"loss": "score-matching"}, Cost(256 * 3, 256 * 3)),  # the slope, and its own slope in two directions
        ({"loss": "score-matching", "sampler": "langevin"}, Cost(256 * 3, 256 * 3)),  # whose negatives are not drawn
        ({"task": "parabola", "loss": "hinge", "sampler": "uniform", "batch_size": 8, "negatives": 4}, Cost(8 + 32)),
        ({"task": "classes", "loss": "nll", "sampler": "exhaustive", "batch_size": 8}, Cost(8 + 8 * 5)),
    ],
)
def test_the_cost_of_a_step_by_hand(said, expected):
    one = cell_of(**said)
    assert step_cost(one.units, one.config) == expected


def test_an_estimate_grows_with_steps_and_programs_and_shrinks_with_cores():
    runs = cells_of(loss="hinge", seed="0..3", steps=1000)
    longer, two = cells_of(loss="hinge", seed="0..3", steps=2000), cells_of(loss="hinge,nll", seed="0,1", steps=1000)
    fixed = COMPILE_SECONDS + FIXED_SECONDS * 4
    assert estimate(longer, 1) - fixed == pytest.approx(2 * (estimate(runs, 1) - fixed))
    assert estimate(runs, 4) - COMPILE_SECONDS == pytest.approx((estimate(runs, 1) - COMPILE_SECONDS) / 4)
    assert estimate(runs, 400) == estimate(runs, 4)
    assert estimate(two, 10**9) > 2 * COMPILE_SECONDS
    assert estimate([], 4) == 0


WITHOUT_JAX = """
import json, sys
from ebmcli.core.registry import units
from ebmcli.planning.cost import estimate, step_cost
from ebmcli.planning.grid import grid
from ebmcli.planning.plan import resolve
from ebmcli.planning.programs import programs

heavy, found = ("jax", "jaxlib", "flax", "optax", "scipy", "pandas", "matplotlib"), {}
for task, unit in units("task").items():
    name = f"{task}:{sys.argv[1]}" if unit.traits.file else task
    for sampler in [one for one in units("sampler").values() if one.traits.cost]:
        plan = resolve(grid({"task": name, "loss": "hinge,nll,energy", "sampler": sampler.name}, {"budget": 10**12}))
        costs = [step_cost(cell.units, cell.config) for cell in plan.runs]
        assert estimate(plan.runs, 2) > 0 or not costs
        assert all(cost is not None and cost.evaluations > 0 for cost in costs)
        imported = [one for one in heavy if one in sys.modules]
        found[f"{task}, {sampler.name}"] = [len(costs), len(programs(plan.runs)), imported]
print(json.dumps(found))
"""


def test_a_grid_with_a_budget_is_planned_and_estimated_without_jax():
    """For every task and every sampler that says what it costs, with losses of which one at least goes with it."""
    command = [sys.executable, "-P", "-c", WITHOUT_JAX, str(POINTS)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(units("task")) * sum(one.traits.cost is not None for one in units("sampler").values())
    assert {name: imported for name, (_, _, imported) in found.items() if imported} == {}
    ran = {name.split(", ")[1] for name, (runs, _, _) in found.items() if runs}
    assert ran == {name for name, one in units("sampler").items() if one.traits.cost}, "each of them runs somewhere"
