"""Executors, which train the runs of a sweep: this machine, a Dask cluster, a SLURM cluster; one function each.

The annotated arguments of its function are its own flags on the command line. It looks at them before anything else
begins, and returns the function that does the work.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar, get_args

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.registry import load_package, load_plugins
from ebmcli.core.shelves import put
from ebmcli.execution.events import StopFlag, Watcher
from ebmcli.execution.options import RunOptions
from ebmcli.planning.cells import Cell

Function = TypeVar("Function", bound=Callable[..., "Trainer"])


class Work(NamedTuple):
    """The runs that are to be trained, and what goes with them."""

    cells: Sequence[Cell]
    folder: Path  # of the sweep
    options: RunOptions
    watcher: Watcher
    stop: StopFlag
    lock: IO[str] | None = None  # the open file of the sweep's lock


class Flag(NamedTuple):
    """Marks an argument of an executor that the command line sets, as --NAME."""

    metavar: str
    help: str


Trainer = Callable[[Work], None]  # raises Interrupted, OSError, UsageError, MachineError


@dataclass(frozen=True)
class Executor:
    """A registered executor. flags: its arguments that the command line sets; `many`: those that can be repeated."""

    name: str
    prepared: Callable[..., Trainer]  # (**flags); raises UsageError where they are wrong, or where a package is missing
    flags: Mapping[str, Flag]
    many: frozenset[str]


_executors: dict[str, Executor] = {}


def executor(function: Function) -> Function:
    """Register an executor under the name of its function."""
    arguments = inspect.signature(function, eval_str=True).parameters.values()
    flags = {
        argument.name: next(mark for mark in argument.annotation.__metadata__ if isinstance(mark, Flag))
        for argument in arguments
        if hasattr(argument.annotation, "__metadata__")
    }
    many = frozenset(argument.name for argument in arguments if list in _origins(argument.annotation))
    name = function.__name__.replace("_", "-")
    former = _executors.get(name)
    made = Executor(name, function, flags, many)
    put(_executors, "executor", name, made, function, former.prepared if former else None)
    return function


def _origins(annotation: Any) -> set[Any]:
    """list where an annotation allows a list."""
    parts = get_args(annotation)
    every = [annotation, *parts, *(inner for part in parts for inner in get_args(part))]
    return {getattr(part, "__origin__", None) for part in every}


def executors() -> dict[str, Executor]:
    """All executors by name."""
    load_package(__name__)
    load_plugins()
    return _executors


def select(name: str, flags: Mapping[str, Any]) -> Trainer:
    """The executor of that name as a function of its work. flags: those of all executors, None where not said.

    Raises UsageError where there is no such executor, or where a flag belongs to another one.
    """
    known = executors()
    if name not in known:
        raise unknown("--executor", name, known)
    own = known[name]
    for flag, value in flags.items():
        if value is not None and flag not in own.flags:
            owner = next(executor.name for executor in known.values() if flag in executor.flags)
            raise UsageError(f"--{flag} belongs to another executor: say --executor {owner} with it")
    return own.prepared(**{flag: value for flag, value in flags.items() if flag in own.flags and value is not None})
