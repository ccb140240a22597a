"""The command line: it parses, calls and prints; it computes nothing. Heavy modules are imported by the command that
needs them, so that `--help` answers at once."""

import inspect
import os
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ebmcli.cli import completion
from ebmcli.cli import read as cli_reading
from ebmcli.core.errors import Broken, UsageError

app = typer.Typer(
    name="ebm",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="The command-line laboratory for energy-based learning: train losses x negatives x energies over many seeds "
    "and compare margin, collapse and accuracy. Start with: ebm run --loss hinge",
)

Json = Annotated[bool, typer.Option("--json", help="Print the records as JSON, alone on stdout.")]

# What a grid is made of: every one takes a list, `a,b`, and numbers a range, `0..4`. (name, flag, help)
GRID = (
    ("task", "--task", "Task; see `ebm list tasks`. [default: moons]"),
    ("loss", "--loss", "Loss, or all; see `ebm list losses`."),
    ("sampler", "--sampler", "Negatives, or all; see `ebm list samplers`. [default: by loss]"),
    ("energy", "--energy", "Energy; see `ebm list energies`. [default: by task]"),
    ("seed", "--seeds", "Seeds, as 0..4 or 0,1,7. [default: 0]"),
    ("steps", "--steps", "Optimiser steps. [default: by task]"),
    ("budget", "--budget", "Energy evaluations of every run, from which its steps follow; instead of --steps."),
    ("batch_size", "--batch-size", "Examples a step. [default: by task]"),
    ("lr", "--lr", "Learning rate. [default: by task]"),
    ("margin", "--margin", "Margin m of the margin losses. [default: 1]"),
    ("beta", "--beta", "Inverse temperature of the run. [default: 1]"),
    ("head", "--head", "mlp, chains: `free`, or `softplus` or `square` for F >= 0. [default: by loss]"),
    ("weight_decay", "--weight-decay", "Decoupled weight decay. [default: by task]"),
    (
        "margin_distance",
        "--margin-distance",
        "Margin a wrong letter: `hamming` (letters), `edit` (strips); or `constant`. [default: by negatives]",
    ),
    ("protocol", "--protocol", "letters: `small`, `large` or `held-out-words`. [default: small]"),
    ("fold", "--fold", "letters: a fold, 0 to 9, or all; held-out-words has 0 to 4. [default: 0]"),
)
AXES = ("task", "loss", "sampler", "energy", "seed")
TIMEOUT = "Longest time of a launch (a run a device), compiling included; its runs are tried once more, one by one."
RETRY = "Runs of an earlier command to run again: failed, killed (also timeout, oom, crashed), diverged, or none."
# What holds for the whole command. (name, type, default, option)
WHOLE = (
    ("set", list[str] | None, None, typer.Option("--set", metavar="NAME=VALUE", help="Any hyperparameter.")),
    ("name", str | None, None, typer.Option("--name", help="Folder of the results, under --results.")),
    ("results", Path, cli_reading.ROOT, typer.Option("--results", help="Folder that holds all results.")),
    ("json", bool, False, typer.Option("--json", help="Print the records as JSON, alone on stdout.")),
    ("devices", int | None, None, typer.Option("--devices", min=1, max=1024, help="Runs at a time. [default: cores]")),
    ("no_compile_cache", bool, False, typer.Option("--no-compile-cache", help="Keep no compiled programs.")),
    ("no_pictures", bool, False, typer.Option("--no-pictures", help="Draw no pictures.")),
    ("yes", bool, False, typer.Option("--yes", help="Run a grid of more than 10,000 runs.")),
    ("timeout", float | None, None, typer.Option("--timeout", metavar="SECONDS", min=1, help=TIMEOUT)),
    ("retry", str, "failed,killed", typer.Option("--retry", metavar="WHICH", help=RETRY)),
    ("executor", str, "local", typer.Option("--executor", metavar="WHERE", help="local, dask or slurm.")),
    ("scheduler", str | None, None, typer.Option("--scheduler", metavar="ADDRESS", help="A running Dask cluster.")),
    ("job", list[str] | None, None, typer.Option("--job", metavar="NAME=VALUE", help="slurm: a setting of its jobs, "
        "as slurm_partition=cpu or timeout_min=60.")),
    ("fail_fast", bool, False, typer.Option("--fail-fast", help="Stop at the first run that fails or is killed.")),
)  # fmt: skip


def _option(name: str, flag: str, text: str) -> Any:
    """The option of an axis or a hyperparameter; names of units are completed."""
    others = {"loss": ["all"], "sampler": ["all", "default"], "task": ["all"], "energy": ["all", "default"]}
    offer = completion.units_of(name, *others[name]) if name in others else None
    return typer.Option(flag, help=text, autocompletion=offer)


def _shared(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of GRID and WHOLE; it receives them as keywords."""
    own = [one for one in inspect.signature(command).parameters.values() if one.kind is not one.VAR_KEYWORD]
    table = [(name, str | None, None, _option(name, flag, text)) for name, flag, text in GRID] + list(WHOLE)
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
        for name, kind, default, option in table
    ]
    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in [*own, *shared]}
    return command


def _asked(said: dict[str, Any]) -> tuple[Any, Any]:
    """(the grid, the commands.Options) of the flags of run and sweep."""
    from ebmcli.cli import commands
    from ebmcli.planning import config

    extra: dict[str, str] = {}
    for text in said.pop("set") or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {text}: write it as name=value")
        if name.replace("-", "_") in extra:
            raise UsageError(f"--set {name} is given twice: give it once, with a list as in {name}=1,2")
        extra[name.replace("-", "_")] = value
    grid = {name: said.pop(name) for name, _, _ in GRID}
    axes = {name: grid.pop(name) for name in AXES}
    twice = [name for name, value in grid.items() if value is not None and name in extra]
    if twice:
        raise UsageError(f"{twice[0]} is given twice, by its own flag and by --set: give it once")
    command = shlex.join(["ebm", *sys.argv[1:]])
    return config.grid(axes, grid | extra), commands.Options(command=command, **said)


@app.command()
@_shared
def run(
    repeat: Annotated[
        str | None,
        typer.Option(
            "--repeat", metavar="RUN", help="Train a recorded run again and compare.", autocompletion=completion.runs
        ),
    ] = None,
    **said: Any,
) -> None:
    """Train one loss, or a few; print margin, collapse and accuracy.

    One flag is enough: --loss hinge.
    """
    from ebmcli.cli import commands

    asked = _asked(said)
    raise typer.Exit(commands.repeat(repeat, *asked) if repeat else commands.run(*asked))


@app.command()
@_shared
def sweep(
    file: Annotated[Path | None, typer.Argument(help="Experiment file (TOML), as in experiments/.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show cells, programs, refusals and an estimate; run nothing.")
    ] = False,
    **said: Any,
) -> None:
    """Run a grid of losses x samplers x tasks x seeds, or resume it."""
    from ebmcli.cli import commands

    raise typer.Exit(commands.sweep(file, dry_run, *_asked(said)))


for _command in cli_reading.COMMANDS:
    app.command()(_command)


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(metavar="losses|samplers|tasks|energies")],
    json: Json = False,
) -> None:
    """List losses, samplers, tasks or energies.

    With formula, hyperparameters and their defaults, what they need or give, and the source.
    """
    from ebmcli.cli import console as display

    display.list_units(what, json)


_LOSSES = typer.Argument(
    metavar="LOSS", help="Losses; see `ebm list losses`. [default: all]", autocompletion=completion.units_of("loss")
)


@app.command()
def check(
    losses: Annotated[list[str] | None, _LOSSES] = None,
    json: Json = False,
) -> None:
    """Find the margin of each loss from its formula; exit code 3 where it promises another.

    On a grid of energies F+ of the right answer and F- of a wrong one (LeCun et al. 2006, section 5).
    condition 3: the margins m for which some answers with F- - F+ > m have a lower loss than all others;
    gradient test: whether a step narrows every violation (by F+: through F+ alone); push-up: where F- is pushed up,
    by the gap F- - F+ or its own level; flat energy: the lowest loss where both are equal.
    """
    from ebmcli.checks import margins as conditions

    raise typer.Exit(conditions.check(losses or [], json))


@app.command()
def doctor(
    results: cli_reading.Results = cli_reading.ROOT,
    devices: Annotated[int | None, typer.Option("--devices", min=1, max=1024, help="As of run.")] = None,
    no_compile_cache: Annotated[bool, typer.Option("--no-compile-cache", help="As of run.")] = False,
    json: Json = False,
) -> None:
    """Look at versions, devices, memory, locks, renames and the compilation cache; say what to do where one is bad."""
    from ebmcli.checks import machine as looking

    raise typer.Exit(looking.doctor(results, devices, not no_compile_cache, json))


def _version(wanted: bool) -> None:
    if wanted:
        from ebmcli import __version__

        print(f"ebm {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["EBM_DEBUG"] = "1"


def main() -> None:
    """Entry point: bad input is one sentence and exit code 2, a fault of the machine one sentence and 1."""
    for stream in (sys.stdout, sys.stderr):  # a plain locale shows ? for what it lacks
        if stream is not None:  # closed by the caller
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except UsageError as error:
        _stop(str(error), 2)
    except Broken as error:
        _stop(str(error.args[0]), 1)
    except BrokenPipeError:  # `ebm report | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _stop(f"{error.filename or 'i/o'}: {error.strerror or error}", 1)


def _stop(message: str, code: int) -> None:
    if os.environ.get("EBM_DEBUG"):
        traceback.print_exc()
    print(f"ebm: {message}", file=sys.stderr)
    sys.exit(code)
