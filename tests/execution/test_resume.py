"""Resuming: what is still to be done in a folder, what extends it, what is refused, what is run again."""

import json
from typing import Annotated

import jax
import pytest
from annotated_types import Ge, Le
from helpers.cells import plan_of
from helpers.sweeps import carry_out, keep_engines, tiny_plan
from helpers.visitors import visitors

from ebmcli.core.errors import UsageError
from ebmcli.core.parameters import Before
from ebmcli.core.types import Positive
from ebmcli.execution.resume import RETRIED, RETRY, bury, cells_of, prepare
from ebmcli.plugin import loss
from ebmcli.report import rows
from ebmcli.report.compare import compare
from ebmcli.storage import store
from ebmcli.storage.records import FINISHED, Record
from ebmcli.training import engine

SMALL = {"sampler": "uniform", "steps": 20, "batch_size": 8, "hidden": 4, "layers": 1, "negatives": 4}


def small_plan(**said):
    """The plan of the sweep `finished`, or of a part of it, or of more."""
    return plan_of(**{"loss": "hinge,log", "seed": "0,1"} | SMALL | said)


@pytest.fixture(autouse=True)
def kept_engines(monkeypatch):
    keep_engines(monkeypatch)


@pytest.fixture
def few_chunks(monkeypatch):
    """A run is measured twice, not twenty times: that takes longer than to train it."""
    monkeypatch.setattr(engine, "CHUNKS", 2)


@pytest.fixture
def sweep(finished_copy):
    """The folder of a finished sweep, to be changed."""
    return finished_copy / "results" / "x"


def statuses(sweep):
    return [one.status for one in store.records(sweep)]


@pytest.mark.usefixtures("few_chunks")
def test_the_same_plan_again_does_nothing_and_a_new_seed_runs_only_itself(sweep):
    assert carry_out(small_plan(), sweep).ended == []
    ended = carry_out(small_plan(seed="0..2"), sweep).ended
    assert [("-s2-" in name, status) for name, status, _ in ended] == [(True, "done"), (True, "done")]
    assert statuses(sweep) == ["done"] * 6


def test_a_part_of_the_plan_leaves_the_manifest_as_it_is(sweep):
    before = store.manifest(sweep)
    assert prepare(small_plan(loss="log"), sweep, "ebm other") == []
    after = store.manifest(sweep)
    assert (after.command, after.created, after.cells) == (before.command, before.created, before.cells)
    assert statuses(sweep) == ["done"] * 4


def test_the_same_plan_in_another_order_keeps_the_order_of_the_first(sweep):
    before = [cell.id for cell in store.manifest(sweep).cells]
    prepare(small_plan(loss="log,hinge"), sweep, "ebm other")
    after = store.manifest(sweep)
    assert ([cell.id for cell in after.cells], after.command) == (before, "ebm other")


def test_a_damaged_manifest_is_made_anew_and_its_runs_are_kept(sweep):
    (sweep / "sweep.json").write_text('{"cel')
    assert prepare(small_plan(), sweep, "ebm test") == []
    assert statuses(sweep) == ["done"] * 4


def test_a_conflicting_plan_is_refused_and_says_where_it_differs(sweep):
    before = (sweep / "sweep.json").read_bytes()
    with pytest.raises(UsageError, match=r"4 of its 4 runs are not in this one; they differ in lr\)"):
        prepare(small_plan(lr=0.1), sweep, "ebm test")
    assert (sweep / "sweep.json").read_bytes() == before


def test_a_damaged_result_is_run_again(sweep):
    plan = small_plan()
    result = sweep / "runs" / plan.cells[0].id / "result.json"
    whole = json.loads(result.read_text())["metrics"]
    result.write_bytes(result.read_bytes()[:100])
    assert [(name, status) for name, status, _ in carry_out(plan, sweep).ended] == [(plan.cells[0].id, "done")]
    assert json.loads(result.read_text())["metrics"] == whole


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (RETRIED, {"failed", "timeout", "oom", "crashed", "killed", "interrupted", "pending", "damaged"}),
        (("diverged",), {"diverged", "interrupted", "pending", "damaged"}),
        (("failed",), {"failed", "interrupted", "pending", "damaged"}),
        (("killed",), {"timeout", "oom", "crashed", "killed", "interrupted", "pending", "damaged"}),
        ((), {"interrupted", "pending", "damaged"}),
    ],
)
def test_what_is_run_again_is_what_was_asked_for(tmp_path, retry, expected):
    """Of ended runs; what never ended is always run, a finished one never, unless it is asked for."""
    states = ["done", "diverged", "failed", "timeout", "oom", "crashed", "killed", "interrupted", "pending", "damaged"]
    plan = tiny_plan(loss="hinge", seed=f"0..{len(states) - 1}")
    prepare(plan, tmp_path, "ebm test")
    for cell, state in zip(plan.cells, states, strict=True):
        if state == "pending":
            continue
        run = store.claim(tmp_path, cell.id, cell.config)
        if state in FINISHED:
            store.save_result(run, Record(cell.id, state, cell.config))
        elif state == "damaged":
            (run / "result.json").write_text("{")
        elif state != "interrupted":
            bury(tmp_path, cell, state, "x", "")
    asked = prepare(plan, tmp_path, "ebm test", retry=retry)
    assert {state for cell, state in zip(plan.cells, states, strict=True) if cell in asked} == expected
    done, diverged = (store.status(tmp_path / "runs" / cell.id) for cell in plan.cells[:2])
    assert (done, diverged) == ("done", "killed" if "diverged" in retry else "diverged"), "else it would be skipped"


def test_what_can_be_asked_for_again_covers_every_way_to_fail():
    assert {status for group in RETRY.values() for status in group} == {
        "failed", "killed", "crashed", "timeout", "oom", "diverged"
    }  # fmt: skip


def test_the_cells_of_a_manifest_are_those_of_the_plan(tmp_path):
    plan = small_plan()
    prepare(plan, tmp_path, "ebm test")
    chosen = [plan.cells[3], plan.cells[0]]
    found = cells_of(tmp_path, [cell.id for cell in chosen])
    assert [(one.id, one.config, one.units) for one in found] == [(c.id, c.config, c.units) for c in chosen]


def test_the_manifest_keeps_the_origin_of_every_value(tmp_path):
    plan = small_plan(loss="hinge,log,nll")
    prepare(plan, tmp_path, "ebm test")
    kept = store.manifest(tmp_path)
    assert {cell.id: dict(kept.origins_of(cell.id)) for cell in plan.cells} == {c.id: c.origins for c in plan.cells}
    assert [bool(cell.refused) for cell in kept.cells] == [cell in plan.refused for cell in plan.cells]
    assert len(kept.origins) < len(kept.cells), "equal ones are kept once"


# --- settings that were added, units that have changed ---------------------------------------------------------------


def plain(e, margin: Positive = 1.0):
    """[m + F+ - F-]+"""
    return jax.nn.relu(margin * e.distance + e.positive - e.negatives).mean()


def lifted(e, margin: Positive = 1.0, lift: Annotated[float, Ge(0), Le(9), Before(0.0)] = 0.5):
    """[m + F+ - F- + lift]+"""
    return jax.nn.relu(margin * e.distance + e.positive - e.negatives + lift).mean()


@pytest.fixture
def ebm(few_chunks):
    """A package with a loss `twin` of the first version: a function that installs another one, gone after the test."""
    with visitors() as look_again:

        def install(function=plain, version=1):
            function.__name__ = "twin"
            loss(promised="m", version=version)(function)
            look_again()

        install()
        yield install


def test_an_old_manifest_without_a_setting_resumes_and_trains(ebm, tmp_path):
    """One run was finished, one was not begun; today the loss has another setting, by default not as before."""
    old = small_plan(loss="twin")
    second = old.cells[1]
    prepare(old, tmp_path, "ebm test")
    carry_out(small_plan(loss="twin", seed="0"), tmp_path)
    ebm(lifted)
    (found,) = cells_of(tmp_path, [second.id])
    assert (found.id, found.config) == (second.id, {**second.config, "lift": 0.0})
    ended = carry_out(small_plan(loss="twin", lift=0), tmp_path).ended
    assert [(name, status) for name, status, _ in ended] == [(second.id, "done")]
    assert ["lift" in one.config for one in store.records(tmp_path)] == [False, True]
    (row,) = rows.rows(store.records(tmp_path))
    assert len(row.done) == 2


def test_at_the_value_that_means_as_before_a_run_is_trained_as_before(ebm, tmp_path):
    carry_out(small_plan(loss="twin", seed="0"), tmp_path / "old")
    ebm(lifted)
    carry_out(small_plan(loss="twin", seed="0", lift="0,0.5"), tmp_path / "new")
    (old,), (same, other) = (store.records(tmp_path / name) for name in ("old", "new"))
    assert same.id == old.id
    assert same.metrics == old.metrics != other.metrics


def test_runs_without_a_setting_stand_beside_those_that_are_as_before_not_beside_others(ebm, tmp_path):
    carry_out(small_plan(loss="twin", seed="0"), tmp_path)
    ebm(lifted)
    carry_out(small_plan(loss="twin", lift="0,0.5"), tmp_path)
    found = rows.rows(store.records(tmp_path))
    assert [(row.key.varied, len(row.members)) for row in found] == [({"lift": 0.0}, 2), ({"lift": 0.5}, 2)]
    with pytest.raises(UsageError, match=r"they differ in lift\)"):
        prepare(small_plan(loss="twin", lift=2), tmp_path, "ebm test")


def test_runs_of_a_unit_that_has_changed_are_other_runs_and_another_row(ebm, tmp_path):
    carry_out(small_plan(loss="twin"), tmp_path / "old")
    ebm(version=2)
    plan = small_plan(loss="twin")
    with pytest.raises(UsageError, match=r"2 of its 2 runs are not in this one; they differ in loss_version\)"):
        prepare(plan, tmp_path / "old", "ebm test")
    carry_out(plan, tmp_path / "new")
    old, new = (store.records(tmp_path / name) for name in ("old", "new"))
    assert {one.config["loss_version"] for one in new} == {2}
    assert [one.metrics for one in old] == [one.metrics for one in new], "here the figures have not changed"
    assert [row.key.varied for row in rows.rows([*old, *new])] == [{"loss_version": 1}, {"loss_version": 2}]
    assert [len(row.members) for row in rows.rows([*old, *new])] == [2, 2]
    (table,) = rows.tables([*new, *old])
    assert table.columns[:3] == ["loss", "negatives", "loss_version"]
    assert "loss_version 1 → 2" in compare(old, new).settings
    assert [row.key.varied for row in rows.rows(new)] == [{}], "nothing varies among runs of one version"
