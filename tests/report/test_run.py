"""All that is known of one run."""

from helpers.made_up import record

from ebmcli.report import run as one_run
from ebmcli.report.blocks import Table
from ebmcli.storage import store


def test_a_failed_run_has_its_traceback(sweep):
    folder = sweep([record("log", "pcd", 0, status="failed")])
    run = folder / "runs" / "log-pcd-moons-s0"
    store.save_failure(run, {"kind": "failed", "message": "ValueError: x", "traceback": "Traceback: there"})
    told = one_run.paragraphs(run)
    assert "attempt 2: ValueError: x" in told
    assert "Traceback: there" in told


def test_values_have_the_origins_that_the_manifest_gives_them(finished):
    (run,) = (finished / "results" / "x" / "runs").glob("hinge-*-s1-*")
    origins = one_run.describe(run)["origins"]
    assert origins.keys() == store.config(run).keys()
    assert {name: origins[name] for name in ("loss", "seed", "hidden", "lr", "energy", "margin", "beta")} == {
        "loss": "command line", "seed": "command line", "hidden": "command line", "lr": "default of task moons",
        "energy": "chosen for the task and the loss", "margin": "default of loss hinge", "beta": "default",
    }  # fmt: skip


def test_a_run_outside_of_a_sweep_has_no_command_and_no_origins(finished, tmp_path):
    (run,) = (finished / "results" / "x" / "runs").glob("hinge-*-s1-*")
    alone = store.claim(tmp_path, run.name, store.config(run))
    found = one_run.describe(alone)
    assert found["status"] == "killed"
    assert found["command"] is None
    assert set(found["origins"].values()) == {one_run.UNKNOWN}


def test_of_long_curves_some_chunk_ends_are_shown_the_first_and_the_last_among_them(sweep):
    run = sweep([record("hinge", "pcd", 0, kl=0.1)]) / "runs" / "hinge-pcd-moons-s0"
    for step in range(0, 1001, 10):
        store.append_curve(run, {"step": step, "gap_q50": step / 10, "seconds": 1.0, "kl": 0.5})
    (table,) = [one for one in one_run.paragraphs(run) if isinstance(one, Table) and one.heading.startswith("curves")]
    assert table.heading == "curves (6 of 101 chunk ends; --json has all)"
    assert table.columns == ["step", "gap_q50", "kl"]
    assert [row[0] for row in table.rows] == ["0", "200", "400", "600", "800", "1000"]
