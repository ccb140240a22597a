"""From cells to programs: runs share what is compiled, whatever else is run with them."""

from helpers.cells import plan_of

from ebmcli.core.needs import Need
from ebmcli.planning.programs import program_of, programs


def samplers_of(plan):
    """The sampler of each program."""
    return sorted(program.sampler.name for program, _ in programs(plan.runs))


def test_losses_share_programs_and_hyperparameters_do_not_split_them():
    found = samplers_of(plan_of(loss="all", seed="0..4", lr="0.1,0.2,0.3", margin="1,2"))
    # none: the energy loss, the losses of a view, the reconstruction; langevin: the free head and the softplus one.
    assert found == ["gaussian", "langevin", "langevin", "none", "none", "none", "pcd", "quadrature", "uniform"]
    # exhaustive for each need; loss-augmented, and most-offending, with the free head and with the softplus one.
    twice = ["exhaustive", "loss-augmented", "most-offending"]
    found = samplers_of(plan_of(task="letters", loss="all", fold="0..9"))
    assert found == sorted(["none", "exact", "n-best", "uniform", *twice, *twice])


def test_a_grid_of_everything_has_a_program_for_each_sampler_and_group_of_needs():
    plan = plan_of(loss="all", sampler="all", seed="0..1", steps=200)
    groups = {
        (*(one.config.get(name) for name in ("sampler", "energy", "head")), Need.VIEW in one.units.loss.traits.needs)
        for one in plan.runs
    }
    assert len(programs(plan.runs)) == len(groups)


def test_the_cells_of_a_plan_are_divided_among_its_programs():
    plan = plan_of(task="moons,letters", loss="all", seed="0,1")
    grouped = [one.id for _, group in programs(plan.runs) for one in group]
    assert sorted(grouped) == sorted(one.id for one in plan.runs)
    for program, group in programs(plan.runs):
        assert {one.config["loss"] for one in group} <= {unit.name for unit in program.losses}


def test_a_program_does_not_depend_on_the_other_cells():
    (alone,) = plan_of(loss="hinge").runs
    many = plan_of(loss="all", sampler="all", seed="0..3").runs
    same = next(one for one in many if one.id == alone.id)
    assert program_of(alone.units, alone.config) == program_of(same.units, same.config)
    (program,) = [program for program, group in programs(many) if any(one.id == alone.id for one in group)]
    assert program == program_of(alone.units, alone.config)
