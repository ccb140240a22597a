"""Jobs of Dask: workers that are not there, that do not see the folder or have no ebm, a scheduler that goes away."""

import contextlib
import warnings

import pytest
from helpers.cells import plan_of
from helpers.sweeps import Told

from ebmcli.core.errors import MachineError, UsageError
from ebmcli.execution.events import StopFlag
from ebmcli.execution.executors import Work, _jobs
from ebmcli.execution.executors import dask as of_dask
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import prepare
from ebmcli.storage import store


class Client:
    """A client of a cluster that answers so."""

    def __init__(self, joined=True, views=None, workers=({},), futures=()):
        self.joined, self.views, self.workers, self.futures = joined, views or {"tcp://a": True}, [*workers], [*futures]
        self.status = "running"

    def wait_for_workers(self, number, timeout):
        if not self.joined:
            raise TimeoutError

    def run(self, function, folder):
        if isinstance(self.views, Exception):
            raise self.views
        return self.views

    def submit(self, function, *arguments, pure):
        return self.futures.pop(0)

    def scheduler_info(self):
        return {"workers": self.workers.pop(0) if len(self.workers) > 1 else self.workers[0]}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


class Future:
    """A job that is so from its second look on."""

    def __init__(self, status, error=None):
        self.status, self.error, self.looks = status, error, 0

    def done(self):
        self.looks += 1
        return self.looks > 1

    def exception(self):
        return self.error


@pytest.fixture
def work(tmp_path):
    cells = prepare(plan_of(loss="log", sampler="uniform", seed="0"), tmp_path, "ebm test")
    return Work(cells, tmp_path, RunOptions(devices=1), Told(), StopFlag())


@pytest.fixture
def of(monkeypatch):
    """The executor on a cluster with this client."""
    monkeypatch.setattr(_jobs, "TICK", 0.001)

    def of(client):
        monkeypatch.setattr(of_dask, "_client", lambda distributed, cluster: client)
        return of_dask.dask("tcp://here:1")

    return of


def test_no_workers_at_all_is_a_sentence_before_anything_is_made(of):
    with pytest.raises(
        UsageError, match="tcp://here:1: no worker has joined it in 10 seconds; start one, as with `dask"
    ):
        of(Client(joined=False))


@pytest.mark.parametrize(
    ("views", "words"),
    [
        ({"tcp://a": True, "tcp://b": False}, "the worker tcp://b does not see .*: name a folder that all machines"),
        ({"tcp://a": False, "tcp://b": False, "tcp://c": False}, "the worker tcp://a and 2 more does not see"),
        (
            ModuleNotFoundError("No module named 'ebmcli'\nand more"),
            r"can do no job \(No module named 'ebmcli'\): inst",
        ),
    ],
)
def test_workers_that_can_do_no_job_are_a_sentence_and_no_job_is_handed_on(of, work, views, words):
    with pytest.raises(MachineError, match=words) as error:
        of(Client(views=views))(work)
    assert "\n" not in str(error.value)
    assert [one.status for one in store.records(work.folder)] == ["pending"]


def test_a_job_on_a_machine_that_does_not_see_the_folder_says_so(tmp_path):
    with pytest.raises(MachineError, match=r"the machine .* does not see .*nowhere: name a folder that all"):
        _jobs.launch(str(tmp_path / "nowhere"), ["x"], {})


def test_the_folder_of_a_sweep_is_seen_where_its_manifest_is(work, tmp_path):
    assert _jobs.sees(str(work.folder))
    assert not _jobs.sees(str(tmp_path / "runs"))


@pytest.mark.parametrize("status", ["cancelled", "lost"])
def test_a_lost_scheduler_is_a_sentence_and_blames_no_run(of, work, status):
    with pytest.raises(MachineError, match="the scheduler is lost; what is finished is saved, and the same command"):
        of(Client(futures=[Future(status)]))(work)
    assert [one.status for one in store.records(work.folder)] == ["pending"]


def test_a_job_that_dask_gives_up_is_its_runs_killed(of, work):
    of(Client(futures=[Future("error", ValueError("all workers died\nof it"))]))(work)
    (record,) = store.records(work.folder)
    assert record.status == "killed"
    assert work.watcher.ended == [(record.id, "killed", "Dask gave its job up: all workers died")]


def test_that_no_worker_is_left_is_said_once(of, work):
    future = Future("error")
    future.looks = -3
    of(Client(futures=[future], workers=[{"a": {}}, {}, {}, {"a": {}}, {}]))(work)
    assert [note for note in work.watcher.notes if "no Dask worker is left: waiting" in note] == work.watcher.notes
    assert len(work.watcher.notes) == 1


@pytest.mark.slow
def test_a_real_scheduler_without_workers_and_one_that_goes_away(work):
    from distributed import LocalCluster

    with warnings.catch_warnings(), LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        warnings.simplefilter("ignore")
        with pytest.raises(UsageError, match="no worker has joined it"):
            of_dask.dask(cluster.scheduler_address)
    with (
        warnings.catch_warnings(),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        warnings.simplefilter("ignore")
        look = of_dask._missing

        def missing(client, work):
            with contextlib.suppress(Exception):
                cluster.close()
            return look(client, work)

        patch.setattr(of_dask, "_missing", missing)  # which is asked for when the jobs are handed on
        with pytest.raises(MachineError, match="the scheduler is lost"):
            of_dask.dask(cluster.scheduler_address)(work)
