"""Jobs of a SLURM cluster, by submitit: one array, one job a launch, logs in the sweep's folder `jobs`."""

import shutil
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from ebmcli.core.errors import UsageError
from ebmcli.execution.executors import Flag, Trainer, Work, _jobs, executor
from ebmcli.planning.values import parse
from ebmcli.training.devices import cores

Job = Annotated[
    list[str] | None,
    Flag("NAME=VALUE", "A setting of SLURM jobs, as slurm_partition=cpu or timeout_min=60; can be repeated."),
]


@executor
def slurm(job: Job = None, cluster: str = "slurm") -> Trainer:
    """Have the cells trained by jobs, on nodes that all see this folder.

    job: settings of submitit, as NAME=VALUE. cluster: `local` stands in for SLURM in tests. Where this process is
    stopped the jobs are cancelled; where it is killed they go on, and what they save counts.
    """
    submitit, settings = _jobs.require("submitit", "slurm"), _settings(job or [])
    if cluster == "slurm" and not shutil.which("sbatch"):
        raise UsageError("--executor slurm: no sbatch here; say it on a machine that hands jobs to SLURM")
    return partial(_train, submitit, settings, cluster)


def _train(submitit: Any, settings: Mapping[str, Any], cluster: str, work: Work) -> None:
    orders = list(_jobs.orders(work))
    if not orders:
        return
    usual = {"name": "ebm", "cpus_per_task": work.options.devices or cores()}
    try:
        executor = submitit.AutoExecutor(folder=work.folder.resolve() / "jobs", cluster=cluster)
        executor.update_parameters(**{**usual, **settings})
        with executor.batch():
            handed = [executor.submit(_jobs.launch, *arguments) for _, arguments in orders]
    except Exception as error:  # submitit raises bare ones, as for a setting that it does not know
        raise UsageError(f"--executor slurm: {(str(error).splitlines() or [type(error).__name__])[0]}") from None
    followed = [
        _jobs.Job(cells, job.done, partial(_fault, job)) for (cells, _), job in zip(orders, handed, strict=True)
    ]
    try:
        _jobs.follow(followed, work)
    finally:
        for job in handed:
            if not job.done():
                job.cancel()


def _settings(job: list[str]) -> dict[str, Any]:
    pairs = [text.partition("=") for text in job]
    if wrong := [text for text, (name, _, value) in zip(job, pairs, strict=True) if not (name and value)]:
        raise UsageError(f"--job {wrong[0]!r}: write it as NAME=VALUE, as in slurm_partition=cpu")
    return {name: parse(value) for name, _, value in pairs}


def _fault(job: Any) -> str:
    error = job.exception()
    return f"job {job.job_id} ({job.state}): {(str(error).splitlines() or [''])[0]}" if error else ""
