"""Jobs of a SLURM cluster, by submitit: one job a launch, in as few arrays as it allows, logs in the sweep's `jobs`."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from ebmcli.core.errors import UsageError, folded
from ebmcli.execution.executors import Flag, Trainer, Work, _jobs, executor
from ebmcli.training.devices import cores

LARGEST = 1_001  # jobs of an array where SLURM does not say: its own default
PATIENCE = 10  # seconds for an answer of SLURM

Job = Annotated[
    list[str] | None,
    Flag(
        "NAME=VALUE",
        'A setting of SLURM jobs, as slurm_partition=cpu, timeout_min=60, slurm_setup=["module load cuda"] or '
        'slurm_additional_parameters={mail-type = "END"}; can be repeated.',
    ),
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
    for name, value in settings.items():  # one by one, to say which is wrong; nothing is made yet
        _submitter(submitit, Path("jobs"), cluster, {name: value}, f"--job {name}={value!r}")
    return partial(_train, submitit, settings, cluster)


def _train(submitit: Any, settings: Mapping[str, Any], cluster: str, work: Work) -> None:
    orders = list(_jobs.orders(work))
    usual = {"name": "ebm", "cpus_per_task": work.options.devices or cores()}
    submitter = _submitter(submitit, work.folder.resolve() / "jobs", cluster, {**usual, **settings})
    size, handed = _largest_array() if cluster == "slurm" else LARGEST, list[Any]()
    try:
        for first in range(0, len(orders), size):
            with _sentences(), submitter.batch():
                handed += [submitter.submit(_jobs.launch, *order) for _, order in orders[first : first + size]]
        jobs = [
            _jobs.Job(cells, job.done, partial(_fault, job)) for (cells, _), job in zip(orders, handed, strict=True)
        ]
        _jobs.follow(jobs, work)
    finally:
        _cancel([job for job in handed if hasattr(job, "job_id") and not job.done()], cluster)


def _submitter(
    submitit: Any, folder: Path, cluster: str, settings: Mapping[str, Any], what: str = "--executor slurm"
) -> Any:
    """Make submitit's executor. Raises UsageError, which begins with `what`, where a setting is none."""
    with _sentences(what):
        submitter = submitit.AutoExecutor(folder=folder, cluster=cluster)
        submitter.update_parameters(**settings)
    return submitter


@contextmanager
def _sentences(what: str = "--executor slurm") -> Iterator[None]:
    try:
        yield
    except Exception as error:  # submitit raises bare ones, as for a setting that it does not know
        line, _, known = (str(error).splitlines() or [type(error).__name__])[0].partition(" Valid arguments: ")
        names = folded(sorted(known.split(", ")), "python -m pydoc submitit.SlurmExecutor") if known else ""
        hint = "; a list is written as [1, 2], a table as {a = 1}" if isinstance(error, TypeError | ValueError) else ""
        raise UsageError(f"{what}: {line.rstrip('.')}{f'; known: {names}' if names else hint}") from None


def _largest_array() -> int:
    """The number of jobs that this cluster allows in an array."""
    answer = ""
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            ["scontrol", "show", "config"], capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE
        ).stdout
    limit = re.search(r"^\s*MaxArraySize\s*=\s*(\d+)", answer, re.MULTILINE)
    return max(1, int(limit[1])) if limit else LARGEST


def _cancel(jobs: Sequence[Any], cluster: str) -> None:
    if cluster == "slurm" and jobs:  # all in one call
        with suppress(OSError):
            subprocess.run(["scancel", *(job.job_id for job in jobs)], check=False)
    else:
        for job in jobs:
            job.cancel()


def _settings(job: Sequence[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for text in job:
        name, _, value = text.partition("=")
        if not (name and value):
            raise UsageError(f"--job {text!r}: write it as NAME=VALUE, as in slurm_partition=cpu")
        if name in settings:
            raise UsageError(f"--job {name} is said twice: say it once")
        settings[name] = _value(name, value)
    return settings


def _value(name: str, text: str) -> Any:
    """A number that prints as it is written, so that 0123 stays text; true or false; what is written as a text in
    quotes, a list or a table of TOML or JSON; any other text itself."""
    for kind in (int, float):
        with suppress(ValueError):
            if any(letter.isdigit() for letter in text) and str(kind(text)) == text:
                return kind(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text[0] not in "{[\"'":
        return text
    with suppress(ValueError, RecursionError):
        return tomllib.loads(f"value = {text}")["value"]
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    raise UsageError(f'--job {name}: {text!r} is no list as [1, "a"] and no table as {{a = 1, b = "c"}}')


def _fault(job: Any) -> str:
    error = job.exception()
    return f"job {job.job_id} ({job.state}): {(str(error).splitlines() or [''])[0]}" if error else ""
