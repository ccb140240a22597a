"""Sweeps: bit-identical runs, resuming, extension, failures and divergence."""

import json

import numpy as np
import pytest

from ebmcli.core import registry
from ebmcli.core.errors import UsageError
from ebmcli.core.lazy import jax, jnp
from ebmcli.core.registry import loss
from ebmcli.core.types import Positive
from ebmcli.execution import sweep
from ebmcli.planning import config, plan
from ebmcli.storage import store

TINY = {"steps": 40, "batch_size": 16, "hidden": 8, "layers": 1, "negatives": 16, "chain_steps": 2, "nodes": 8}


class Quiet:
    """A watcher that notes what ended, and may interrupt after so many runs."""

    def __init__(self):
        self.ended = []

    def begin(self, total, finished):
        pass

    def chunk(self, cells, share):
        pass

    def end(self, cell, status, reason):
        self.ended.append((cell.id, status, reason))


def planned(axes, **settings):
    known = {name: value for name, value in TINY.items() if name in settings or _applies(name, axes)}
    return plan.plan(config.grid(axes, known | settings))


def _applies(name, axes):
    try:
        config.cells(config.grid(axes, {name: TINY[name]}))
    except UsageError:
        return False
    return True


def carry_out(what, folder):
    watcher = Quiet()
    folder.mkdir(parents=True, exist_ok=True)
    with store.locked(folder / "lock"):
        missing = sweep.prepare(what, folder, "ebm test")
        sweep.carry_out(missing, folder, watcher, pictures=False)
    return watcher


def bits(folder, run_id):
    """Everything of a run that must not depend on its company: metrics, parameters, curves without their clock."""
    run = folder / "runs" / run_id
    with np.load(run / "params.npz") as params:
        arrays = {name: params[name].tobytes() for name in params.files}
    curves = [{name: value for name, value in line.items() if name != "seconds"} for line in store.curves(run)]
    return store.result(run)["metrics"], arrays, curves


@pytest.mark.parametrize(
    ("task", "alone", "company"),
    [
        ("moons", {"loss": "hinge", "seed": "3"}, {"loss": "hinge,log,square-square,nll,energy", "seed": "0..3"}),
        pytest.param(
            "letters",
            {"loss": "hinge", "seed": "1"},
            {"loss": "hinge,square-square,log,nll,perceptron", "seed": "0..3"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_run_is_bit_identical_alone_in_a_sweep_and_after_a_resume(tmp_path, task, alone, company):
    lone = planned({"task": task} | alone)
    many = planned({"task": task} | company)
    assert len(many.cells) == 20
    (cell,) = lone.cells
    carry_out(lone, tmp_path / "alone")
    carry_out(many, tmp_path / "many")
    half = plan.Plan([c for c in many.cells if c.config["seed"] in (0, 1) and c.id != cell.id], 0)
    carry_out(half, tmp_path / "resumed")
    finished = {c.id for c in half.cells}
    ended = carry_out(many, tmp_path / "resumed").ended
    assert {name for name, _, _ in ended} == {c.id for c in many.cells} - finished
    assert bits(tmp_path / "alone", cell.id) == bits(tmp_path / "many", cell.id)
    for each in many.cells:
        assert bits(tmp_path / "many", each.id) == bits(tmp_path / "resumed", each.id)


def test_the_same_plan_again_does_nothing_and_a_new_seed_runs_only_itself(tmp_path):
    axes = {"loss": "hinge,log"}
    assert len(carry_out(planned(axes | {"seed": "0"}), tmp_path).ended) == 2
    assert carry_out(planned(axes | {"seed": "0"}), tmp_path).ended == []
    ended = carry_out(planned(axes | {"seed": "0,1"}), tmp_path).ended
    assert [("-s1-" in name, status) for name, status, _ in ended] == [(True, "done"), (True, "done")]


def test_a_part_of_the_plan_leaves_the_manifest_as_it_is(tmp_path):
    axes = {"loss": "hinge,log", "seed": "0,1"}
    carry_out(planned(axes), tmp_path)
    assert carry_out(planned({"loss": "log"}), tmp_path).ended == []
    assert len(store.records(tmp_path)) == 4


def test_energies_that_are_not_finite_before_training_are_a_divergence_and_leave_the_neighbour_alone(
    tmp_path, monkeypatch
):
    from ebmcli.training import evaluate

    real = evaluate.measure

    def blind(task, config, snapshot, lane):
        return None if config["seed"] == 1 else real(task, config, snapshot, lane)

    monkeypatch.setattr(evaluate, "measure", blind)
    carry_out(planned({"loss": "hinge", "seed": "0,1"}), tmp_path)
    fine, burst = store.records(tmp_path)
    assert (fine["status"], burst["status"]) == ("done", "diverged")
    assert burst["metrics"]["verdict_reason"].startswith("the energies were not finite")


def test_a_damaged_manifest_is_made_anew_and_its_runs_are_kept(tmp_path):
    what = planned({"loss": "hinge"})
    carry_out(what, tmp_path)
    (tmp_path / "sweep.json").write_text('{"cel')
    assert carry_out(what, tmp_path).ended == []
    assert [record["status"] for record in store.records(tmp_path)] == ["done"]


def test_a_conflicting_plan_is_refused_and_says_where_it_differs(tmp_path):
    carry_out(planned({"loss": "hinge"}), tmp_path)
    with pytest.raises(UsageError, match="differ in lr"):
        carry_out(planned({"loss": "hinge"}, lr=0.1), tmp_path)


def test_a_damaged_result_is_run_again(tmp_path):
    what = planned({"loss": "hinge"})
    carry_out(what, tmp_path)
    result = tmp_path / "runs" / what.cells[0].id / "result.json"
    whole = json.loads(result.read_text())["metrics"]
    result.write_bytes(result.read_bytes()[:100])
    assert [status for _, status, _ in carry_out(what, tmp_path).ended] == ["done"]
    assert json.loads(result.read_text())["metrics"] == whole


@pytest.fixture
def faulty():
    """Losses of a stranger, gone again after the test."""

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
    for name in ("raises", "vector", "narrow", "loops", "bursts"):
        del registry.units("loss")[name]


@pytest.mark.usefixtures("faulty")
def test_losses_that_raise_or_return_a_wrong_shape_fail_alone(tmp_path):
    what = planned({"loss": "raises,vector,narrow,loops,hinge"})
    states = {name.split("-")[0]: (status, reason) for name, status, reason in carry_out(what, tmp_path).ended}
    assert states["hinge"][0] == "done"
    assert states["raises"] == ("failed", "ValueError: boom")
    assert states["vector"][0] == "failed"
    assert "scalar" in states["vector"][1]
    assert "float32" in states["narrow"][1]
    assert states["loops"][0] == "failed"
    assert {r["status"] for r in store.records(tmp_path)} == {"done", "failed"}


@pytest.mark.usefixtures("faulty")
def test_divergence_is_a_result_with_its_step_and_leaves_the_neighbour_alone(tmp_path):
    what = planned({"loss": "bursts,energy", "sampler": "none"}, steps=400, lr=0.05, schedule="constant")
    carry_out(what, tmp_path / "both")
    carry_out(planned({"loss": "energy", "sampler": "none"}, steps=400, lr=0.05, schedule="constant"), tmp_path / "one")
    burst, other = store.records(tmp_path / "both")
    assert (burst["status"], burst["metrics"]["verdict"]) == ("diverged", "diverged")
    step = burst["metrics"]["diverged_step"]
    assert 0 < step < 400
    assert f"step {step}" in burst["metrics"]["verdict_reason"]
    assert np.isfinite(burst["metrics"]["energy_level"])
    assert other["status"] == "done"
    assert bits(tmp_path / "both", other["id"]) == bits(tmp_path / "one", other["id"])


@pytest.fixture
def twin():
    """The hinge loss under a second name, gone again after the test."""

    @loss(promised="m")
    def twin(e, margin: Positive = 1.0):
        """[m + F+ - F-]+"""
        return jax.nn.relu(margin * e.distance + e.positive - e.negatives).mean()

    yield
    del registry.units("loss")["twin"]


@pytest.mark.usefixtures("twin")
def test_at_one_seed_all_losses_see_the_same_data_weights_and_negatives(tmp_path):
    """One loss under two names gives the same bits: nothing random depends on which loss it is."""
    what = planned({"loss": "hinge,twin,log", "seed": "0"})
    carry_out(what, tmp_path)
    one, two, other = (bits(tmp_path, cell.id) for cell in what.cells)
    assert one == two
    assert one[1] != other[1]
    assert one[2][0]["nll"] == other[2][0]["nll"], "the weights at the start"


def test_the_margin_the_temperature_and_the_seed_make_a_difference(tmp_path):
    what = planned({"loss": "hinge", "seed": "0,1"}, margin="1,2", beta="1,2")
    carry_out(what, tmp_path)
    assert len({json.dumps(record["metrics"]) for record in store.records(tmp_path)}) == 8


def test_costs_are_counted(tmp_path):
    what = planned({"loss": "hinge", "sampler": "langevin,uniform"})
    carry_out(what, tmp_path)
    counts = [(r["metrics"]["energy_evaluations"], r["metrics"]["energy_gradients"]) for r in store.records(tmp_path)]
    assert counts == [(40 * (16 + 16 + 32), 40 * 32), (40 * (16 + 16), 0)]


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (sweep.AGAIN, {"failed", "timeout", "oom", "crashed", "killed", "interrupted", "pending", "damaged"}),
        (("diverged",), {"diverged", "interrupted", "pending", "damaged"}),
        (("failed",), {"failed", "interrupted", "pending", "damaged"}),
        ((), {"interrupted", "pending", "damaged"}),
    ],
)
def test_what_is_run_again_is_what_was_asked_for(tmp_path, retry, expected):
    """Of ended runs; what never ended is always run, a finished one never, unless it is asked for."""
    states = ["done", "diverged", "failed", "timeout", "oom", "crashed", "killed", "interrupted", "pending", "damaged"]
    what = planned({"loss": "hinge", "seed": f"0..{len(states) - 1}"})
    sweep.prepare(what, tmp_path, "ebm test")
    for cell, state in zip(what.cells, states, strict=True):
        if state == "pending":
            continue
        run = store.claim(tmp_path, cell.id, cell.config)
        if state in store.FINISHED:
            record = {"id": cell.id, "status": state, "config": cell.config, "metrics": {}, "seconds": {}}
            store.save_result(run, record | {"provenance": {}})
        elif state == "damaged":
            (run / "result.json").write_text("{")
        elif state != "interrupted":
            store.save_failure(run, {"kind": state, "message": "x"})
    asked = sweep.prepare(what, tmp_path, "ebm test", retry=retry)
    assert {state for cell, state in zip(what.cells, states, strict=True) if cell in asked} == expected
    assert store.status(tmp_path / "runs" / what.cells[0].id) == "done"
