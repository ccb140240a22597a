"""The options of commands that make a grid, and those that several commands share.

What an option says of choices and defaults is read off the registry when its help is printed.
"""

import inspect
import logging
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from ebmcli.cli import completion
from ebmcli.core.errors import LONG, UsageError
from ebmcli.core.parameters import Also
from ebmcli.core.registry import default_task, units
from ebmcli.core.texts import command_line, shortened
from ebmcli.core.units import KINDS
from ebmcli.execution.executors import Trainer, executors, select
from ebmcli.execution.options import RunOptions
from ebmcli.planning.grid import Grid, grid
from ebmcli.planning.plan import MOST_CELLS
from ebmcli.training.optimiser import SETTINGS

ROOT = Path("results")
Results = Annotated[
    Path,
    typer.Option("--results", help="Folder that holds all results."),
    Also("output-dir outdir out-dir logdir save-dir results-dir"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else on stdout.")]
Devices = Annotated[
    int | None,
    typer.Option("--devices", min=1, max=1024, help="Number of devices, i.e. runs trained at once. [default: cores]"),
    Also("workers jobs threads cpus cores gpus n-jobs parallel"),
]
CompileCache = Annotated[
    bool, typer.Option("--compile-cache/--no-compile-cache", help="Keep compiled programs for later commands.")
]


class GridOption(NamedTuple):
    """An option that takes a list, `a,b`, and of numbers a range, `0..4`; said again, it is a longer list.

    also: what others call it; of a hyperparameter, its own mark says that.
    """

    name: str
    flag: str
    help: str
    also: str = ""


AXES = (
    GridOption("task", "--task", "Tasks, see `ebm list tasks`.", "dataset data problem"),
    GridOption("loss", "--loss", "Losses, or `all`; see `ebm list losses`.", "objective criterion"),
    GridOption("sampler", "--sampler", "Negatives, or `all`; see `ebm list samplers`. [default: by loss]", "mcmc"),
    GridOption("energy", "--energy", "Energies, see `ebm list energies`. [default: by task]", "model net architecture"),
    GridOption("seed", "--seeds", "Seeds, as 0..4 or 0,1,7; 5 is one run with seed 5. [default: 0]", "random-seed rng"),
)
HYPERPARAMETERS = (
    GridOption("steps", "--steps", "Optimiser steps."),
    GridOption("batch_size", "--batch-size", "Examples per step."),
    GridOption("lr", "--lr", "Learning rate."),
    GridOption("weight_decay", "--weight-decay", "Decoupled weight decay."),
    GridOption("beta", "--beta", "Inverse temperature of the run."),
    GridOption("margin", "--margin", "Margin m of the margin losses."),
    GridOption("margin_distance", "--margin-distance", "What the margin of a wrong word grows with."),
    GridOption("head", "--head", "What is made of the output of the energy's network."),
    GridOption("protocol", "--protocol", "Which words are for training, and which for the test."),
    GridOption("fold", "--fold", "Fold of the data, or `all`."),
)
BUDGET = GridOption("budget", "--budget", "Energy evaluations of every run, from which its steps follow.")
GRID = (*AXES, *HYPERPARAMETERS, BUDGET)


# --- help that is read off the registry ------------------------------------------------------------------------------


def option_help(option: GridOption) -> str:
    """The help of an option, with the choices and defaults of the hyperparameter of its name."""
    if option.name == "task":
        return f"{option.help} [default: {default_task()}]"
    if option.name not in {parameter.name for parameter in HYPERPARAMETERS}:
        return option.help
    owners = {
        unit.name: unit.parameters[option.name]
        for kind in KINDS
        for unit in units(kind).values()
        if option.name in unit.parameters
    }
    choices = _grouped({name: ", ".join(parameter.choices) for name, parameter in owners.items()})
    defaults = _grouped({name: str(parameter.default) for name, parameter in owners.items()})
    overridden = any(option.name in unit.traits.defaults for unit in units("task").values())
    default = "by task" if overridden else defaults or str(SETTINGS[option.name].default)
    followed = any(option.name in _followers(unit.traits) for unit in units("energy").values())
    default = "by loss" if followed else "by negatives" if option.name == "margin_distance" else default
    return f"{option.help}{f' Choices: {choices}.' if choices else ''} [default: {default}]"


def _followers(traits: Any) -> Iterable[str]:
    """The hyperparameters of an energy whose defaults follow the loss."""
    rule = traits.nonnegative
    return [*traits.follows, *([] if isinstance(rule, bool) else rule)]


def _grouped(values: Mapping[str, str]) -> str:
    """A value that all units share; else each with the units that have it."""
    by_value: dict[str, list[str]] = {}
    for name, value in values.items():
        by_value.setdefault(value, []).append(name)
    if len(by_value) < 2:
        return next(iter(by_value), "")
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in by_value.items())


# --- the options of run and sweep ------------------------------------------------------------------------------------

TIMEOUT = (
    "Time limit per launch (one run per device), compilation included. Runs that exceed it are retried once, one at a "
    "time."
)
RETRY = "Runs of an earlier command to run again: failed, killed (also timeout, oom, crashed), diverged, or none."
WHOLE: tuple[tuple[str, Any, Any], ...] = (
    ("set", Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any hyperparameter.")], None),
    ("name", Annotated[str | None, typer.Option("--name", help="Folder of the results, under --results.")], None),
    ("results", Results, ROOT),
    ("json", Json, False),
    ("devices", Devices, None),
    ("compile_cache", CompileCache, True),
    ("pictures", Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw a picture of each run.")], True),
    (
        "film",
        Annotated[bool, typer.Option("--film/--no-film", help="Keep what a run had learned at 21 moments.")],
        True,
    ),
    ("yes", Annotated[bool, typer.Option("--yes", help=f"Run a grid of more than {MOST_CELLS:,} runs.")], False),
    ("timeout", Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", min=1, help=TIMEOUT)], None),
    (
        "retry",
        Annotated[
            list[str] | None,
            typer.Option("--retry", metavar="WHICH", help=f"{RETRY} [default: failed,killed]"),
            Also("force overwrite rerun resume"),
        ],
        None,
    ),
    ("fail_fast", Annotated[bool, typer.Option("--fail-fast", help="Stop at the first run that fails.")], False),
)


def _table() -> list[tuple[str, Any, Any]]:
    """(name, annotation, default) of all options of a command that makes a grid."""
    others = {"loss": ["all"], "sampler": ["all", "default"], "task": ["all"], "energy": ["all", "default"]}
    rows: list[tuple[str, Any, Any]] = []
    for name, flag, text, also in GRID:
        offer = completion.units_of(name, *others[name]) if name in others else None  # type: ignore[arg-type]
        option = typer.Option(flag, help=text, autocompletion=offer)
        rows.append((name, Annotated[list[str] | None, option, Also(also)], None))
    known = executors()
    where = f"Who trains the runs: {', '.join(known)}."
    choice = Annotated[str, typer.Option("--executor", metavar="WHERE", help=where)]
    rows += [*WHOLE, ("executor", choice, next(iter(sorted(known, key=lambda name: name != "local"))))]
    taken = {name for name, _, _ in rows}
    for executor in known.values():
        for flag, (metavar, text) in executor.flags.items():
            if flag in taken:
                logging.getLogger("ebmcli").warning(f"executor {executor.name}: --{flag} is another's, and stays so")
                continue
            taken.add(flag)
            kind: Any = list[str] | None if flag in executor.many else str | None
            option = typer.Option(f"--{flag}", metavar=metavar, help=f"--executor {executor.name}: {text}")
            rows.append((flag, Annotated[kind, option], None))
    return rows


def with_grid(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a grid; it receives them as keywords, for `Request`."""
    arguments = inspect.signature(command).parameters.values()
    own = [argument for argument in arguments if argument.kind is not argument.VAR_KEYWORD]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in _table()
    ]
    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {argument.name: argument.annotation for argument in [*own, *shared]}
    command.helps = {option.name: partial(option_help, option) for option in GRID}  # type: ignore[attr-defined]
    return command


def _check_no_job(name: str, text: str) -> None:
    """Raise UsageError for a setting that is one of the jobs of an executor."""
    for executor in executors().values():
        if executor.many and name.startswith(f"{executor.name}_"):
            raise UsageError(f"--set {text}: a setting of jobs, say --{min(executor.many)} {shlex.quote(text)}")


@dataclass(frozen=True)
class Request:
    """The options of run and sweep, read."""

    said: Mapping[str, Any]

    @cached_property
    def grid(self) -> Grid:
        """The grid that the flags ask for; what is said in parts is one list. Raises UsageError."""
        settings = {option.name: list(self.said[option.name] or []) for option in (*HYPERPARAMETERS, BUDGET)}
        for text in self.said["set"] or []:
            name, equals, value = text.partition("=")
            if not equals or not name:
                raise UsageError(f"--set {shortened(text, LONG)!r}: write it as NAME=VALUE")
            _check_no_job(name, text)
            settings.setdefault(name.replace("-", "_"), []).append(value)
        axes = {option.name: self.said[option.name] or None for option in AXES}
        return grid(axes, {name: values or None for name, values in settings.items()})

    @property
    def command(self) -> str:
        """The command line itself, without its secrets."""
        return command_line(["ebm", *sys.argv[1:]])

    @property
    def name(self) -> str | None:
        """The folder of the results, under `results`."""
        name: str | None = self.said["name"]
        return name

    @property
    def results(self) -> Path:
        """The folder that holds all results."""
        return Path(self.said["results"])

    @property
    def json(self) -> bool:
        """True if records are printed as JSON."""
        return bool(self.said["json"])

    @property
    def yes(self) -> bool:
        """True if a grid of any size is run."""
        return bool(self.said["yes"])

    @property
    def retry(self) -> str:
        """The runs of an earlier command that are run again."""
        return ",".join(self.said["retry"] or ["failed", "killed"])

    @property
    def options(self) -> RunOptions:
        """The options that hold for all runs of a command."""
        flags = self.said
        kept = flags["compile_cache"], flags["pictures"], flags["film"]
        return RunOptions(flags["devices"], *kept, flags["timeout"], flags["fail_fast"])

    def trainer(self) -> Trainer:
        """The executor's function that trains the runs. Raises UsageError."""
        flags = {flag: self.said[flag] or None for executor in executors().values() for flag in executor.flags}
        return select(self.said["executor"], flags)
