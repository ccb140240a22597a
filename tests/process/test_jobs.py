"""Sweeps as jobs of Dask and of SLURM: real processes, one of them killed; what a job repeats does no harm."""

import os
import shutil
import signal
import threading
import time
import warnings

import pytest
from helpers.shell import SMALL, ebm, outcome, results

from ebmcli.core.errors import UsageError
from ebmcli.execution import supervisor, sweep
from ebmcli.execution.executors import dask as on_dask
from ebmcli.execution.executors import jobs
from ebmcli.execution.executors import slurm as on_slurm
from ebmcli.planning import config, plan
from ebmcli.storage import store

TINY = {"steps": 20, "batch_size": 8, "hidden": 4, "layers": 1, "negatives": 4}
AXES = {"loss": "hinge,log,square-square", "seed": "0..1", "sampler": "uniform"}
HOW = supervisor.How(devices=2, pictures=False)


class Told:
    """A watcher that notes what ended."""

    def __init__(self):
        self.ended = []

    def chunk(self, cells, share):
        pass

    def end(self, cell, status, reason):
        self.ended.append((cell.id, status, reason))

    def note(self, text):
        pass


def prepared(folder, axes=AXES):
    folder.mkdir(parents=True, exist_ok=True)
    return sweep.prepare(plan.plan(config.grid(axes, TINY)), folder, "ebm test")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The same sweep on this machine, by the command."""
    folder = tmp_path_factory.mktemp("calm")
    ebm(folder, "sweep", "--loss", AXES["loss"], "--seeds", "0..1", "--sampler", "uniform", *SMALL, "--devices", "2",
        "--no-pictures", "--name", "x")  # fmt: skip
    return folder


def test_a_launch_that_is_repeated_trains_nothing_again(tmp_path, calm, monkeypatch):
    monkeypatch.delattr(supervisor, "Worker")  # none is started
    shutil.copytree(calm / "results", tmp_path / "results")
    folder = tmp_path / "results" / "x"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    runs = [one["id"] for one in store.records(folder)]
    jobs.launch(str(folder), runs, {"devices": 2})
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_two_copies_of_a_launch_at_a_time_train_each_run_once(tmp_path, calm):
    folder = tmp_path / "results" / "x"
    cells = prepared(folder, AXES | {"loss": "hinge"})
    arguments = (str(folder), [cell.id for cell in cells], {"devices": 2, "pictures": False})
    twice = [threading.Thread(target=jobs.launch, args=arguments) for _ in range(2)]
    for thread in twice:
        thread.start()
    for thread in twice:
        thread.join()
    assert len(results(tmp_path)) == 2
    assert not list(folder.rglob("result.damaged")), "a finished run was made again"
    assert [one for one in outcome(calm)[0] if "hinge" in one[0]] == outcome(tmp_path)[0]


@pytest.mark.slow
def test_a_dask_cluster_of_two_processes_of_which_one_is_killed(tmp_path, calm):
    from distributed import Client, LocalCluster

    folder, told = tmp_path / "results" / "x", Told()
    cells = prepared(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            victim = next(iter(client.run(os.getpid).values()))

            def kill():
                while not list(folder.glob("runs/*/curves.jsonl")):
                    time.sleep(0.01)
                os.kill(victim, signal.SIGKILL)

            killer = threading.Thread(target=kill)
            killer.start()
            on_dask.work(cells, folder, HOW, told, [], cluster.scheduler_address)
            killer.join()
    assert sorted(told.ended) == sorted((cell.id, "done", "") for cell in cells)
    assert outcome(tmp_path) == outcome(calm)


def test_submitit_runs_the_jobs_of_a_sweep(tmp_path, calm):
    """Its LocalExecutor: processes of this machine, otherwise as on SLURM."""
    folder, told = tmp_path / "results" / "x", Told()
    cells = prepared(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        on_slurm.work(cells, folder, HOW, told, [], {"timeout_min": 10}, cluster="local")
    assert sorted(told.ended) == sorted((cell.id, "done", "") for cell in cells)
    assert outcome(tmp_path) == outcome(calm)
    assert list((folder / "jobs").glob("*_log.err"))


def test_a_run_that_its_job_did_not_finish_is_written_down(tmp_path):
    folder, told = tmp_path / "x", Told()
    cells = prepared(folder, AXES | {"loss": "hinge"})
    lost = jobs.Job(cells, lambda: True, lambda: "job 7 (NODE_FAIL): gone")
    jobs.follow([lost], folder, HOW, told, [])
    assert [one["status"] for one in store.records(folder)] == ["killed", "killed"]
    assert {reason for _, _, reason in told.ended} == {"job 7 (NODE_FAIL): gone"}


def test_a_sweep_of_jobs_that_is_stopped_is_interrupted(tmp_path):
    folder = tmp_path / "x"
    waiting = jobs.Job(prepared(folder), lambda: False, lambda: "")
    with pytest.raises(sweep.Interrupted):
        jobs.follow([waiting], folder, HOW, Told(), ["signal"])


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="there is a SLURM here")
def test_no_slurm_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="--executor slurm"):
        on_slurm.work(prepared(tmp_path / "x"), tmp_path / "x", HOW, Told(), [])


@pytest.mark.slurm
def test_a_real_slurm(tmp_path, calm):
    """See CONTRIBUTING for how to set one up on one machine."""
    ebm(tmp_path, "sweep", "--loss", AXES["loss"], "--seeds", "0..1", "--sampler", "uniform", *SMALL, "--devices", "2",
        "--no-pictures", "--name", "x", "--executor", "slurm", "--job", "timeout_min=10")  # fmt: skip
    assert outcome(tmp_path) == outcome(calm)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--executor", "mars"], "did you mean|known: local, dask, slurm"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--executor dask"),
        (["--job", "slurm_partition=x"], "--executor slurm"),
        (["--executor", "slurm", "--job", "x"], "NAME=VALUE"),
        (["--retry", "done"], "known: failed, killed, diverged, none"),
    ],
)
def test_wrong_turns(tmp_path, options, words):
    import re

    _, err = ebm(tmp_path, "sweep", "--loss", "hinge", *options, code=2)
    assert re.search(words, err)
    assert not (tmp_path / "results").exists()
