"""Sweeps as jobs of Dask and of SLURM: real processes, one of them killed; what a job repeats does no harm."""

import os
import shutil
import signal
import threading
import time
import warnings
from dataclasses import replace

import pytest
from helpers.cells import plan_of
from helpers.shell import SMALL, ebm, outcome, results, run_here
from helpers.sweeps import Told

from ebmcli.core.errors import UsageError
from ebmcli.execution import supervisor
from ebmcli.execution.events import Interrupted, StopFlag
from ebmcli.execution.executors import Work, _jobs
from ebmcli.execution.executors.dask import dask
from ebmcli.execution.executors.slurm import slurm
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import prepare
from ebmcli.storage import store

TINY = {"sampler": "uniform", "steps": 20, "batch_size": 8, "hidden": 4, "layers": 1, "negatives": 4}


def prepared(folder, **said):
    """The runs of the sweep `finished`, or some of them, about to be trained in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = prepare(plan_of(**{"loss": "hinge,log", "seed": "0,1"} | TINY | said), folder, "ebm test")
    return Work(cells, folder, RunOptions(devices=2, pictures=False), Told(), StopFlag())


@pytest.fixture
def quiet():
    """What the engines of jobs warn of is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_a_launch_that_is_repeated_trains_nothing_again(finished_copy, monkeypatch):
    monkeypatch.delattr(supervisor, "Worker")  # none is started
    folder = finished_copy / "results" / "x"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    _jobs.launch(str(folder), [one.id for one in store.records(folder)], {"devices": 2})
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_two_copies_of_a_launch_at_a_time_train_each_run_once(tmp_path, finished):
    work = prepared(tmp_path / "results" / "x", loss="hinge")
    ((_, arguments),) = _jobs.orders(work)
    twice = [threading.Thread(target=_jobs.launch, args=arguments) for _ in range(2)]
    for thread in twice:
        thread.start()
    for thread in twice:
        thread.join()
    assert len(results(tmp_path)) == 2
    assert not list(work.folder.rglob("result.damaged")), "a finished run was made again"
    assert outcome(tmp_path)[0] == [one for one in outcome(finished)[0] if "hinge" in one[0]]


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
def test_a_dask_cluster_of_two_processes_of_which_one_is_killed(tmp_path, finished):
    from distributed import Client, LocalCluster

    work = prepared(tmp_path / "results" / "x")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))

        def kill():
            while not list(work.folder.glob("runs/*/curves.jsonl")):
                time.sleep(0.01)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        dask(cluster.scheduler_address)(work)
        killer.join()
    assert sorted(work.watcher.ended) == sorted((cell.id, "done", "") for cell in work.cells)
    assert outcome(tmp_path) == outcome(finished)


@pytest.mark.usefixtures("quiet")
def test_submitit_runs_the_jobs_of_a_sweep(tmp_path, finished):
    """Its LocalExecutor: processes of this machine, otherwise as on SLURM."""
    work = prepared(tmp_path / "results" / "x")
    slurm(["timeout_min=10"], cluster="local")(work)
    assert sorted(work.watcher.ended) == sorted((cell.id, "done", "") for cell in work.cells)
    assert outcome(tmp_path) == outcome(finished)
    assert list((work.folder / "jobs").glob("*_log.err"))


def test_a_job_is_a_launch_of_one_program_as_wide_as_its_devices(tmp_path):
    work = prepared(tmp_path / "x", loss="hinge,log,energy", sampler="uniform,none", seed="0..2", steps="20,30")
    handed = [chosen for chosen, _ in _jobs.orders(work)]
    assert sorted(cell.id for chosen in handed for cell in chosen) == sorted(cell.id for cell in work.cells)
    for chosen in handed:
        assert len(chosen) <= 2
        assert len({cell.config["sampler"] for cell in chosen}) == 1
    for sampler in ("uniform", "none"):
        lengths = [cell.config["steps"] for chosen in handed for cell in chosen if cell.config["sampler"] == sampler]
        assert lengths == sorted(lengths), "those of equal length together"


def test_a_run_that_its_job_did_not_finish_is_written_down(tmp_path):
    work = prepared(tmp_path / "x", loss="hinge")
    lost = _jobs.Job(work.cells, lambda: True, lambda: "job 7 (NODE_FAIL): gone")
    _jobs.follow([lost], work)
    assert [one.status for one in store.records(work.folder)] == ["killed", "killed"]
    assert work.watcher.ended == [(cell.id, "killed", "job 7 (NODE_FAIL): gone") for cell in work.cells]


def test_a_run_that_failed_in_its_job_keeps_its_own_reason_and_may_stop_the_sweep(tmp_path):
    work = prepared(tmp_path / "x", loss="hinge", seed="0")
    (cell,) = work.cells
    store.save_failure(store.claim(work.folder, cell.id, cell.config), {"kind": "failed", "message": "boom"})
    ended = _jobs.Job(work.cells, lambda: True, lambda: "")
    _jobs.follow([ended], work)
    assert (work.watcher.ended, work.stop.reason) == ([(cell.id, "failed", "boom")], None)
    with pytest.raises(Interrupted):
        _jobs.follow([ended], work._replace(options=replace(work.options, fail_fast=True)))
    assert work.stop.reason == "failure"


def test_a_sweep_of_jobs_that_is_stopped_is_interrupted(tmp_path):
    work = prepared(tmp_path / "x")
    work.stop.set("signal")
    with pytest.raises(Interrupted):
        _jobs.follow([_jobs.Job(work.cells, lambda: False, lambda: "")], work)


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="there is a SLURM here")
def test_no_slurm_is_a_sentence():
    with pytest.raises(UsageError, match="--executor slurm: no sbatch here"):
        slurm()


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_a_sentence_that_leaves_nothing_behind(tmp_path):
    _, err = ebm(tmp_path, "run", "--loss", "hinge", "--executor", "dask", "--scheduler", "tcp://127.0.0.1:1", code=2)
    assert "--scheduler tcp://127.0.0.1:1: no Dask scheduler answers there" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slurm
def test_a_real_slurm(tmp_path, finished):
    """See CONTRIBUTING for how to set one up on one machine."""
    ebm(tmp_path, "sweep", "--loss", "hinge,log", "--seeds", "0,1", "--sampler", "uniform", *SMALL, "--devices", "2",
        "--no-pictures", "--name", "x", "--executor", "slurm", "--job", "timeout_min=10")  # fmt: skip
    assert outcome(tmp_path) == outcome(finished)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--executor", "mars"],
            ["unknown --executor 'mars'", "dask", "local", "slurm"],
        ),
        (["--scheduler", "tcp://127.0.0.1:1"], ["--scheduler belongs to another executor", "--executor dask"]),
        (["--job", "slurm_partition=x"], ["--job belongs to another executor", "--executor slurm"]),
        (["--executor", "slurm", "--job", "x"], ["NAME=VALUE"]),
        (["--retry", "done"], ["known: failed, killed, diverged, none"]),
    ],
)
def test_wrong_turns(tmp_path, options, words):
    _, err = run_here(tmp_path, "sweep", "--loss", "hinge", *options, code=2)
    for word in words:
        assert word in err
    assert not (tmp_path / "results").exists()
