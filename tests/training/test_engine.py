"""Compilation counts, lanes side by side, the optimiser."""

import sys
from functools import partial

import numpy as np
import pytest

from ebmcli.core.lazy import jax
from ebmcli.planning import config, plan
from ebmcli.tasks import plane
from ebmcli.training import engine, loop

TINY = {"steps": 40, "batch_size": 16, "hidden": 8, "layers": 1, "negatives": 16, "chain_steps": 2}


def runs(axes, **settings):
    found, _ = config.cells(config.grid(axes, TINY | settings))
    return found


def snapshots(configs):
    machine = engine.Engine(plan.program_of(configs[0]))
    return machine, list(machine.launch(configs))


def test_hyperparameters_compile_nothing():
    """Fifty runs of other learning rates, margins, losses, step sizes, temperatures and lengths: each function once."""
    rates = ",".join(str(0.001 * n) for n in range(1, 8))
    configs = runs({"loss": "hinge,log"}, lr=rates, margin="0.5,2", beta="1,3", step_size="0.02,0.1", steps="5,40")
    machine = engine.Engine(plan.program_of(configs[0]))
    assert len({plan.program_of(one).static for one in configs}) == 1
    chosen = configs[:: len(configs) // 50][:50]
    assert {one["loss"] for one in chosen} == {"hinge", "log"}
    assert {one["steps"] for one in chosen} == {5, 40}
    for first in range(0, len(chosen), machine.width):
        for _ in machine.launch(chosen[first : first + machine.width]):
            pass
    names = [name for name, *_ in machine._compiled]
    assert sorted(names) == ["advance", "init", "probe", "probe", "sampled"]  # the probe is coarse and fine


def test_what_the_first_step_needs_compiles_side_by_side():
    config = runs({"loss": "hinge"})[0]
    machine = engine.Engine(plan.program_of(config))
    next(machine.launch([config]))  # before training
    assert sorted(name for name, *_ in machine._compiled) == ["advance", "init", "probe", "sampled"]


def test_a_launch_yields_every_chunk_end_and_the_last_state_finely():
    configs = runs({"loss": "hinge"})
    _, found = snapshots(configs)
    assert [int(one.step[0]) for one in found] == [2 * chunk for chunk in range(21)] + [40]
    assert [one.fine for one in found] == [False] * 21 + [True]
    assert np.isnan(found[0].progress.loss[0])
    assert np.isfinite(found[1].progress.loss[0])
    assert [one.probed["task"]["grid"].shape[1] for one in found[-2:]] == [
        plane.GRID[False] ** 2,
        plane.GRID[True] ** 2,
    ]


def test_a_run_of_few_steps_ends_at_its_last_step():
    _, found = snapshots(runs({"loss": "hinge"}, steps=3))
    assert int(found[-1].step[0]) == 3
    assert np.isfinite(found[-1].progress.loss[0])


def test_an_idle_lane_does_no_step():
    machine, found = snapshots(runs({"loss": "hinge"}))
    assert found[-1].step.tolist() == [40] + [0] * (machine.width - 1)


@pytest.mark.parametrize(
    "axes", [{"loss": "hinge,log,square-square"}, {"loss": "nll,perceptron,hinge", "sampler": "quadrature"}]
)
def test_lanes_side_by_side_give_the_same_figures_to_rounding(monkeypatch, axes):
    """As on an accelerator, where the lanes of a device are vectorised."""
    # Adam would blow the rounding of gradients that are 0 (a constant in the energy) up to whole steps; sgd does not.
    settings = {"lr": 1e-2, "optimizer": "sgd"} | ({"nodes": 8} if "sampler" in axes else {})
    if "sampler" in axes:
        monkeypatch.delitem(TINY, "negatives")
        monkeypatch.delitem(TINY, "chain_steps")
    configs = runs(axes, **settings)
    alone = [snapshots([one])[1][-1] for one in configs]
    monkeypatch.setattr(engine, "vectorises", lambda: True)
    monkeypatch.setattr(engine, "fitting", lambda rate, wanted: 4)
    machine = engine.Engine(plan.program_of(configs[0]))
    machine.widen(configs)
    assert machine.width >= 4
    together = list(machine.launch(configs))
    for lane, single in enumerate(alone):
        one = jax.tree.map(lambda leaf: leaf[0], single.params)
        other = jax.tree.map(lambda leaf, lane=lane: leaf[lane], together[-1].params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, other)


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
    with pytest.raises(RuntimeError, match="RESOURCE"):  # not even the first ones fit
        engine.fitting(partial(rate, room=1), 1_000)
    with pytest.raises(ZeroDivisionError):
        engine.fitting(lambda lanes: 1 / (lanes - 64), 1_000)


def test_an_accelerator_is_tried_with_the_runs_themselves(monkeypatch):
    """The trial trains: on this machine it finds some width, keeps what it compiled for it and changes no result."""
    monkeypatch.setattr(engine, "vectorises", lambda: True)
    monkeypatch.setattr(engine, "FIRST", 1)
    configs = runs({"loss": "hinge,log"}, lr="0.01,0.02", optimizer="sgd")
    machine = engine.Engine(plan.program_of(configs[0]))
    machine.widen(configs)
    found = list(machine.launch(configs[: machine.width]))
    assert [name for name, lanes, _ in machine._compiled if lanes == machine.lanes].count("advance") == 1
    machine = engine.Engine(plan.program_of(configs[0]))
    alone = list(machine.launch(configs[:1]))
    first = [jax.tree.map(lambda leaf: leaf[0], one[-1].params) for one in (found, alone)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *first)


def test_a_lane_carries_every_value_of_its_configuration():
    (config_of,) = runs({"loss": "square-square"}, margin=3.0, lr=0.25, beta=2.0, step_size=0.5)
    machine = engine.Engine(plan.program_of(config_of))
    lane = machine._lane(config_of | {"seed": 2**32 - 1})
    assert machine.program.losses[lane["loss"]].name == "square-square"
    assert lane["loss_values"][0] == 3.0
    assert lane["seed"] == 2**32 - 1
    assert lane["reward"] == 0.0
    expected = {"steps": 40, "lr": 0.25, "beta": 2.0, "weight_decay": 0.0, "step_size": 0.5}
    assert {name: value.item() for name, value in lane["values"].items()} == expected


@pytest.mark.parametrize(("distance", "reward"), [("hamming", 2.5), ("constant", 0.0)])
def test_the_reward_of_a_wrong_letter_is_the_margin_where_it_grows(monkeypatch, distance, reward):
    monkeypatch.setattr(sys.modules[__name__], "TINY", {"steps": 4, "batch_size": 4})
    settings = {"task": "letters", "loss": "hinge", "sampler": "loss-augmented"}
    (config_of,) = runs(settings, margin=2.5, margin_distance=distance)
    assert engine.Engine(plan.program_of(config_of))._lane(config_of)["reward"] == reward


def test_the_schedule_and_the_decay():
    """The cosine ends at 0; a constant schedule does not decay; biases are not decayed."""
    params = {"kernel": jax.numpy.ones((2, 2)), "bias": jax.numpy.ones(2)}
    zero = jax.tree.map(jax.numpy.zeros_like, params)

    def moved(steps_done, **settings):
        optimiser = loop.training(**({"steps": 10, "lr": 0.1, "optimizer": "sgd"} | settings))
        state = optimiser.init(params)
        for _ in range(steps_done):
            updates, state = optimiser.update(params, state, zero)
        return float(updates["kernel"][0, 0])

    assert moved(1) == pytest.approx(-0.1)
    assert moved(6) == pytest.approx(-0.1 * 0.5 * (1 + np.cos(np.pi * 0.5)))
    assert moved(11) == pytest.approx(0.0, abs=1e-8)
    assert moved(11, schedule="constant") == pytest.approx(-0.1)
    optimiser = loop.training(steps=10, lr=0.1, weight_decay=0.5)
    updates, _ = optimiser.update(zero, optimiser.init(params), params)
    assert updates["kernel"][0, 0] == pytest.approx(-0.05)
    assert updates["bias"][0] == 0


def test_a_jax_that_lacks_a_compile_option_goes_without(monkeypatch):
    double = jax.jit(lambda x: 2 * x).lower(1.0)
    assert engine.compiled(double)(1.0) == 2
    monkeypatch.setattr(engine, "ON_A_CPU", {"xla_no_such_option": 1})
    assert engine.compiled(double)(1.0) == 2
