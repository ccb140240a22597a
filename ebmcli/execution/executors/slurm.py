"""Jobs of a SLURM cluster, by submitit: one array, one job a launch, logs in the sweep's folder `jobs`."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ebmcli.core.errors import UsageError
from ebmcli.execution.executors import jobs
from ebmcli.execution.supervisor import How
from ebmcli.execution.sweep import Watcher
from ebmcli.planning.plan import Cell


def work(
    cells: Sequence[Cell], folder: Path, how: How, watcher: Watcher, stop: list[str],
    settings: Mapping[str, Any] | None = None, cluster: str = "slurm",
) -> None:  # fmt: skip
    """Have the cells trained by jobs, on nodes that all see this folder.

    settings: of submitit, as {"slurm_partition": "cpu", "timeout_min": 60}. cluster: `local` stands in for SLURM in
    tests. Where this process is stopped the jobs are cancelled; where it is killed they go on, and what they save
    counts.
    """
    submitit = jobs.needed("submitit", "slurm")
    asked = list(jobs.orders(cells, folder, how))
    if not asked:
        return
    try:
        executor = submitit.AutoExecutor(folder=folder.resolve() / "jobs", cluster=cluster)
        executor.update_parameters(**{"name": "ebm", "cpus_per_task": how.devices or jobs.cores(), **(settings or {})})
        with executor.batch():
            handed = [executor.submit(jobs.launch, *arguments) for _, arguments in asked]
    except Exception as error:  # submitit raises bare ones: no sbatch here, a setting that it does not know
        raise UsageError(f"--executor slurm: {(str(error).splitlines() or [type(error).__name__])[0]}") from None
    follow = [jobs.Job(cells, job.done, partial(_fault, job)) for (cells, _), job in zip(asked, handed, strict=True)]
    try:
        jobs.follow(follow, folder, how, watcher, stop)
    finally:
        for job in handed:
            if not job.done():
                job.cancel()


def _fault(job: Any) -> str:
    error = job.exception()
    return f"job {job.job_id} ({job.state}): {(str(error).splitlines() or [''])[0]}" if error else ""
