"""Compilation counts, chunks, lanes side by side."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.quick import quick
from helpers.sweeps import tiny_plan

from ebmcli.planning.programs import program_of
from ebmcli.tasks import plane
from ebmcli.training import devices, engine, loop


def configs_of(**said):
    return [one.config for one in tiny_plan(**said).runs]


def engine_of(**said):
    """A new engine for the first cell of a grid."""
    first = tiny_plan(**said).runs[0]
    return engine.Engine(program_of(first.units, first.config))


def names_of(machine):
    """What a machine has compiled."""
    return sorted(name for name, *_ in machine._compiled)


@cache
def first_launch():
    """The engine of the hinge loss, all that a run of 40 steps yields, and what was compiled before its first step."""
    machine = engine_of(loss="hinge")
    yielded = machine.launch(configs_of(loss="hinge"))
    before = next(yielded)
    compiled = names_of(machine)
    return machine, [before, *yielded], compiled


@cache
def last_alone(**said):
    """The last state of a run alone in its launch, by sgd.

    Adam would blow the rounding of gradients that are 0 (a constant in the energy) up to whole steps.
    """
    machine = engine_of(**said)
    return {one["loss"]: list(machine.launch([one]))[-1] for one in configs_of(**said)}


def assert_close(launch, lane, lone):
    """A lane of a launch has the parameters of a run that was alone, to rounding."""
    one = jax.tree.map(lambda leaf: leaf[0], lone.params)
    other = jax.tree.map(lambda leaf: leaf[lane], launch[-1].params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, other)


def test_what_the_first_step_needs_compiles_side_by_side():
    _, _, compiled = first_launch()
    assert compiled == ["advance", "init", "probe_sampler", "probe_task"]


def test_hyperparameters_compile_nothing(monkeypatch):
    """Fifty runs of other learning rates, margins, losses, step sizes, temperatures and lengths: each function once."""
    monkeypatch.setattr(engine, "CHUNKS", 2)
    rates = ",".join(str(0.001 * n) for n in range(1, 8))
    asked = {"loss": "hinge,log", "lr": rates, "margin": "0.5,2", "beta": "1,3", "step_size": "0.02,0.1"}
    plan = tiny_plan(**asked, steps="5,40")
    machine, _, _ = first_launch()
    assert {program_of(one.units, one.config).static for one in plan.runs} == {machine.program.static}
    chosen = [one.config for one in plan.runs[:: len(plan.runs) // 50][:50]]
    assert {one["loss"] for one in chosen} == {"hinge", "log"}
    assert {one["steps"] for one in chosen} == {5, 40}
    for first in range(0, len(chosen), machine.width):
        for _ in machine.launch(chosen[first : first + machine.width]):
            pass
    assert names_of(machine) == ["advance", "init", "probe_sampler", "probe_task", "probe_task"]  # coarse and fine


def test_a_launch_yields_every_chunk_end_and_the_last_state_finely():
    _, found, _ = first_launch()
    assert [int(one.step[0]) for one in found] == [2 * chunk for chunk in range(21)] + [40]
    assert [one.fine for one in found] == [False] * 21 + [True]
    assert np.isnan(found[0].progress.loss[0])
    assert np.isfinite([one.progress.loss[0] for one in found[1:]]).all()
    sides = [one.probed["task"]["grid"].shape[1] for one in found[-2:]]
    assert sides == [plane.GRID[False] ** 2, plane.GRID[True] ** 2]
    for one, other in zip(*(jax.tree.leaves(one.params) for one in found[-2:]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_of_few_steps_ends_at_its_last_step():
    found = list(first_launch()[0].launch(configs_of(loss="hinge", steps=3)))
    assert int(found[-1].step[0]) == 3
    assert np.isfinite(found[-1].progress.loss[0])


def test_an_idle_lane_does_no_step():
    machine, found, _ = first_launch()
    assert found[-1].step.tolist() == [40] + [0] * (machine.width - 1)


SGD = {"lr": 1e-2, "optimizer": "sgd"}
HINGE = {"loss": "hinge,log,square-square"} | SGD


@pytest.mark.parametrize("said", [HINGE, {"loss": "nll,perceptron,hinge", "sampler": "quadrature"} | SGD])
def test_lanes_side_by_side_give_the_same_figures_to_rounding(monkeypatch, said):
    """As on an accelerator, where the lanes of a device are vectorised."""
    monkeypatch.setattr(engine, "CHUNKS", 2)
    configs, alone = configs_of(**said), last_alone(**said)
    monkeypatch.setattr(engine, "vectorises", lambda: True)
    monkeypatch.setattr(engine, "fitting", lambda rate, wanted: 4)
    machine = engine_of(**said)
    machine.widen(configs)
    assert machine.width >= 4
    assert {unit.name for unit in machine.program.losses} == set(said["loss"].split(","))
    together = list(machine.launch(configs))
    for lane, one in enumerate(configs):
        assert_close(together, lane, alone[one["loss"]])


def test_lanes_grow_until_memory_or_throughput_says_stop():
    tried = []

    def rate(lanes, best=10_000, room=10_000):
        tried.append(lanes)
        if lanes > room:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return min(lanes, best) - lanes / 1e6

    assert engine.fitting(rate, 1_000) == 1_000
    assert tried == [16, 64, 256, 1_000]
    assert engine.fitting(rate, 5) == 5
    assert engine.fitting(partial(rate, best=64), 1_000) == 64
    assert engine.fitting(partial(rate, room=300), 1_000) == 256
    assert engine.fitting(partial(rate, room=5), 1_000) == 4
    assert engine.fitting(partial(rate, room=3), 12) == 3
    assert engine.fitting(partial(rate, room=1), 1_000) == 1
    with pytest.raises(RuntimeError, match="RESOURCE"):  # not even one fits
        engine.fitting(partial(rate, room=0), 1_000)
    with pytest.raises(ZeroDivisionError):
        engine.fitting(lambda lanes: 1 / (lanes - 64), 1_000)


def test_an_accelerator_is_tried_with_the_runs_themselves(monkeypatch):
    """The trial trains: on this machine it finds some width, keeps what it compiled for it and changes no result."""
    monkeypatch.setattr(engine, "CHUNKS", 2)
    said = HINGE | {"loss": "hinge,log", "lr": "0.01,0.02"}
    alone, configs = last_alone(**HINGE), configs_of(**said)
    monkeypatch.setattr(engine, "vectorises", lambda: True)
    monkeypatch.setattr(engine, "FIRST_LANES", 1)
    machine = engine_of(**said)
    machine.widen(configs)
    assert {unit.name for unit in machine.program.losses} == {"hinge", "log"}, "no lane computes what none asks for"
    found = list(machine.launch(configs[: machine.width]))
    assert [name for name, lanes, _ in machine._compiled if lanes == machine.lanes].count("advance") == 1
    assert (configs[0]["loss"], configs[0]["lr"]) == ("hinge", 0.01)
    assert_close(found, 0, alone["hinge"])


def test_a_lane_carries_every_value_of_its_configuration():
    (config,) = configs_of(loss="square-square", margin=3.0, lr=0.25, beta=2.0, step_size=0.5)
    machine, _, _ = first_launch()
    lane = machine._lane(config | {"seed": 2**32 - 1})
    assert machine.program.losses[lane["loss"]].name == "square-square"
    assert lane["loss_values"][0] == 3.0
    assert lane["seed"] == 2**32 - 1
    assert lane["reward"] == 0.0
    expected = {"steps": 40, "lr": 0.25, "beta": 2.0, "weight_decay": 0.0, "step_size": 0.5}
    assert {name: value.item() for name, value in lane["values"].items()} == expected


@pytest.mark.parametrize(("distance", "reward"), [("hamming", 2.5), ("constant", 0.0)])
def test_the_reward_of_a_wrong_letter_is_the_margin_where_it_grows(distance, reward):
    said = {"task": "letters", "loss": "hinge", "sampler": "loss-augmented", "margin": 2.5, "margin_distance": distance}
    (config,) = configs_of(**said)
    assert engine_of(**said)._lane(config)["reward"] == reward


def test_a_finite_loss_with_a_slope_that_is_no_number_ends_the_run():
    """sqrt((F+ - F+)^2) is 0, its slope 0 times infinity."""
    (config,), machine = configs_of(loss="hinge"), first_launch()[0]
    hinge = next(unit for unit in machine.program.losses if unit.name == "hinge")
    kinked = replace(hinge, function=lambda e, margin: jnp.sqrt(jnp.square(e.positive - e.positive)))
    for unit, step in ((hinge, -1), (kinked, 0)):
        program = replace(machine.program, losses=(unit,))
        lane = jax.tree.map(jnp.asarray, machine._lane(config) | {"loss": jnp.int32(0)})
        data = machine.task.data()
        state, progress = quick(partial(loop.step, program))(lane, data, quick(partial(loop.init, program))(lane, data))
        assert np.isfinite(progress.loss)
        assert state.diverged == step


def test_a_loss_that_cannot_be_compiled_is_left_out_with_its_fault(monkeypatch):
    def faulty(unit, needs):
        if unit.name == "log":
            raise ValueError("boom")

    monkeypatch.setattr(engine.objective, "check_loss", faulty)
    machine = engine_of(loss="hinge")
    assert machine.broken == {"log": "ValueError: boom"}
    assert "log" not in [unit.name for unit in machine.program.losses]
    assert "hinge" in [unit.name for unit in machine.program.losses]


def test_a_jax_that_lacks_a_compile_option_goes_without(monkeypatch):
    double = jax.jit(lambda x: 2 * x).lower(1.0)
    assert devices.compile_lowered(double)(1.0) == 2
    monkeypatch.setattr(devices, "ON_A_CPU", {"xla_no_such_option": 1})
    assert devices.compile_lowered(double)(1.0) == 2
