"""Launches: bit-identical runs, failures and divergence that leave their neighbours alone, what is counted."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.sweeps import Told, carry_out, keep_engines, tiny_plan
from helpers.visitors import visitors

from ebmcli.core.types import Positive
from ebmcli.execution.events import Interrupted, StopFlag
from ebmcli.planning.plan import Plan
from ebmcli.plugin import loss
from ebmcli.storage import store
from ebmcli.training import engine, evaluate, memory


@pytest.fixture(autouse=True)
def few_chunks(monkeypatch):
    """A run is measured twice, not twenty times: that takes longer than to train it."""
    monkeypatch.setattr(engine, "CHUNKS", 2)


@pytest.fixture
def kept_engines(monkeypatch):
    keep_engines(monkeypatch)


def bits(folder, run_id):
    """Everything of a run that must not depend on its company: metrics, parameters, curves without their clock."""
    run = folder / "runs" / run_id
    arrays = {name: array.tobytes() for name, array in store.arrays(run, "params.npz").items()}
    curves = [{name: value for name, value in line.items() if name != "seconds"} for line in store.curves(run)]
    return store.result(run).metrics, arrays, curves


@pytest.mark.parametrize(
    ("task", "alone", "company"),
    [
        ("moons", {"loss": "hinge", "seed": "1"}, {"loss": "hinge,log,square-square,nll,energy", "seed": "0..2"}),
        pytest.param(
            "letters",
            {"loss": "hinge", "seed": "1"},
            {"loss": "hinge,square-square,log,nll,perceptron", "seed": "0..3"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_run_is_bit_identical_alone_in_a_sweep_and_after_a_resume(tmp_path, monkeypatch, task, alone, company):
    lone, many = tiny_plan(task=task, **alone), tiny_plan(task=task, **company)
    (cell,) = lone.cells
    assert cell.id in [c.id for c in many.cells][1:], "in another lane"
    carry_out(lone, tmp_path / "alone")
    keep_engines(monkeypatch)  # of the lone run the program was compiled anew
    carry_out(many, tmp_path / "many")
    half = Plan([c for c in many.cells if c.config["seed"] != 1 and c.id != cell.id][::2])
    carry_out(half, tmp_path / "resumed")
    ended = carry_out(many, tmp_path / "resumed").ended
    assert {name for name, _, _ in ended} == {c.id for c in many.cells} - {c.id for c in half.cells}
    assert bits(tmp_path / "alone", cell.id) == bits(tmp_path / "many", cell.id)
    for each in many.cells:
        assert bits(tmp_path / "many", each.id) == bits(tmp_path / "resumed", each.id)


@pytest.mark.usefixtures("kept_engines")
def test_energies_that_are_not_finite_before_training_are_a_divergence_and_leave_the_neighbour_alone(
    tmp_path, monkeypatch
):
    real = evaluate.measure

    def blind(task, config, snapshot, lane):
        return None if config["seed"] == 1 else real(task, config, snapshot, lane)

    monkeypatch.setattr(evaluate, "measure", blind)
    carry_out(tiny_plan(loss="hinge", seed="0,1"), tmp_path)
    fine, burst = store.records(tmp_path)
    assert (fine.status, burst.status) == ("done", "diverged")
    assert burst.metrics["verdict_reason"].startswith("the energies were not finite")


class Stopping(Told):
    """Sets the flag as soon as a launch is under way."""

    def __init__(self):
        super().__init__()
        self.stop = StopFlag()

    def chunk(self, cells, share):
        if share > 0:
            self.stop.set("signal")


@pytest.mark.usefixtures("kept_engines")
def test_a_sweep_that_is_stopped_ends_with_its_chunk_and_goes_on_to_the_same_bits(tmp_path):
    plan, watcher = tiny_plan(loss="hinge", seed="0..3"), Stopping()
    with pytest.raises(Interrupted):
        carry_out(plan, tmp_path / "stopped", watcher, watcher.stop)
    assert watcher.ended == []
    assert sorted(one.status for one in store.records(tmp_path / "stopped")) == [
        "killed",
        "killed",
        "pending",
        "pending",
    ]
    assert len(carry_out(plan, tmp_path / "stopped").ended) == 4
    carry_out(plan, tmp_path / "calm")
    for cell in plan.cells:
        assert bits(tmp_path / "stopped", cell.id) == bits(tmp_path / "calm", cell.id)


# --- losses of a stranger --------------------------------------------------------------------------------------------


@pytest.fixture
def faulty():
    """Losses of a stranger, gone again after the test."""
    with visitors():

        @loss(promised="none")
        def raises(e):
            """boom"""
            raise ValueError("boom")

        @loss(promised="none")
        def vector(e):
            """not a scalar"""
            return e.negatives

        @loss(promised="none")
        def narrow(e):
            """float16"""
            return (e.positive - e.negatives.mean()).astype(jnp.float16)

        @loss(promised="none")
        def loops(e):
            """cannot be differentiated"""
            return jax.lax.while_loop(lambda v: v > 1, lambda v: v / 2, e.positive)

        @loss("", promised="none")
        def bursts(e):
            """nan as soon as F+ is below -9"""
            return e.positive + jnp.where(e.positive < -9, jnp.nan, 0.0)

        yield


@pytest.mark.usefixtures("faulty")
def test_losses_that_raise_or_return_a_wrong_shape_fail_alone(tmp_path):
    ended = carry_out(tiny_plan(loss="raises,vector,narrow,loops,hinge", sampler="uniform"), tmp_path).ended
    states = {name.split("-")[0]: (status, reason) for name, status, reason in ended}
    assert states["hinge"][0] == "done"
    assert states["raises"] == ("failed", "ValueError: boom")
    assert {states[name][0] for name in ("vector", "narrow", "loops")} == {"failed"}
    assert "scalar" in states["vector"][1]
    assert "float32" in states["narrow"][1]
    assert {one.loss: one.status for one in store.records(tmp_path)} == {
        name: "done" if name == "hinge" else "failed" for name in states
    }


@pytest.mark.usefixtures("faulty")
def test_divergence_is_a_result_with_its_step_and_leaves_the_neighbour_alone(tmp_path):
    said = {"sampler": "none", "steps": 400, "lr": 0.05, "schedule": "constant"}
    carry_out(tiny_plan(loss="bursts,energy", **said), tmp_path / "both")
    carry_out(tiny_plan(loss="energy", **said), tmp_path / "one")
    burst, other = store.records(tmp_path / "both")
    assert (burst.status, burst.metrics["verdict"]) == ("diverged", "diverged")
    step = burst.metrics["diverged_step"]
    assert 0 < step < 400
    assert f"step {step}" in burst.metrics["verdict_reason"]
    assert np.isfinite(burst.metrics["energy_level"])
    assert other.status == "done"
    assert bits(tmp_path / "both", other.id) == bits(tmp_path / "one", other.id)


@pytest.fixture
def twin():
    """The hinge loss under a second name, gone again after the test."""
    with visitors():

        @loss(promised="m")
        def twin(e, margin: Positive = 1.0):
            """[m + F+ - F-]+"""
            return jax.nn.relu(margin * e.distance + e.positive - e.negatives).mean()

        yield


@pytest.mark.usefixtures("twin")
def test_at_one_seed_all_losses_see_the_same_data_weights_and_negatives(tmp_path):
    """One loss under two names gives the same bits: nothing random depends on which loss it is."""
    plan = tiny_plan(loss="hinge,twin,log", seed="0")
    carry_out(plan, tmp_path)
    one, two, other = (bits(tmp_path, cell.id) for cell in plan.cells)
    assert one == two
    assert one[1] != other[1]
    assert one[2][0]["nll"] == other[2][0]["nll"], "the weights at the start"


# --- what makes a difference, and what is counted --------------------------------------------------------------------


@pytest.mark.usefixtures("kept_engines")
def test_the_margin_the_temperature_and_the_seed_make_a_difference(tmp_path):
    carry_out(tiny_plan(loss="hinge", seed="0,1", margin="1,2", beta="1,2"), tmp_path)
    assert len({json.dumps(record.metrics) for record in store.records(tmp_path)}) == 8


@pytest.mark.usefixtures("kept_engines")
def test_costs_are_counted(tmp_path):
    carry_out(tiny_plan(loss="hinge", sampler="langevin,uniform"), tmp_path)
    found = {one.sampler: (one.metrics["energy_evaluations"], one.metrics["energy_gradients"])
             for one in store.records(tmp_path)}  # fmt: skip
    assert found == {"langevin": (40 * (16 + 16 + 32), 40 * 32), "uniform": (40 * (16 + 16), 0)}


def test_a_run_that_needs_more_memory_than_there_is_fails_alone_and_says_how_much(tmp_path, monkeypatch):
    """Before anything is compiled for it."""
    monkeypatch.setattr(memory, "of_this_machine", lambda: 2**25)
    ended = carry_out(tiny_plan(loss="hinge", hidden="8,100000"), tmp_path).ended
    assert sorted(status for _, status, _ in ended) == ["done", "oom"]
    (reason,) = [reason for _, status, reason in ended if status == "oom"]
    assert reason.startswith("it needs about ")
    assert "this machine has 32 MiB" in reason
