"""The command line: it parses, calls and prints; it computes nothing. Heavy modules are imported by the command that
needs them, so that `--help` answers at once."""

import os
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import typer

from ebmcli.cli import completion, output, read, run
from ebmcli.cli.console import broken
from ebmcli.cli.exit_codes import ExitCode
from ebmcli.cli.options import ROOT, CompileCache, Devices, Json, Results
from ebmcli.cli.parsing import HELP, Command, Group
from ebmcli.core.docstrings import documented
from ebmcli.core.errors import NO_THREADS, MachineError, UsageError, no_threads, of_the_machine
from ebmcli.core.texts import masked, printable
from ebmcli.training.pinned import VARIABLES, pinned

TRAIN, READ, LOOK = "Train", "Read results", "Look up and check"  # groups of commands

app = typer.Typer(
    name="ebm",
    cls=Group,
    context_settings={"help_option_names": HELP},
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="The command-line laboratory for energy-based learning: train losses x negatives x energies over many seeds "
    f"and compare margin, collapse and accuracy. Start with: ebm run --loss hinge. Then: {run.FIRST_SWEEP}",
)


def _register(name: str | None = None, **settings: Any) -> Callable[[Callable[..., Any]], Any]:
    """Register a command, whose help is its docstring."""
    return lambda function: app.command(name, cls=Command, **settings)(documented(function))


_register(rich_help_panel=TRAIN)(run.run)
_register(rich_help_panel=TRAIN)(run.sweep)
for _command in (read.report, read.plot, read.status, read.show, read.compare, read.export):
    _register(rich_help_panel=READ)(_command)


@_register("list", rich_help_panel=LOOK)
def list_(
    what: Annotated[str | None, typer.Argument(metavar="[losses|samplers|energies|tasks|measures|settings]")] = None,
    format: Annotated[str, typer.Option("--format", help="text, json or md.")] = "text",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """List what there is: losses, samplers, energies, tasks, ...

    Without a word, the names of all; with one, each with its formula, its hyperparameters and their defaults, what it
    needs or gives, and its source.
    """
    from ebmcli.cli.listing import print_list

    print_list(what, "json" if json else format)


@_register(rich_help_panel=LOOK)
def explain(
    word: Annotated[str | None, typer.Argument(help="A word of a table, a message or a list. [default: all]")] = None,
    json: Json = False,
) -> None:
    """Say what a word means.

    A measure, a verdict, the state of a run, a setting, a unit, or a word of the laboratory:

        ebm explain gap
    """
    from ebmcli.cli.explain import explain as print_explanation

    print_explanation(word, json)


_LOSSES = typer.Argument(
    metavar="LOSS", help="Losses; see `ebm list losses`. [default: all]", autocompletion=completion.units_of("loss")
)


@_register(rich_help_panel=LOOK)
def check(
    losses: Annotated[list[str] | None, _LOSSES] = None,
    json: Json = False,
) -> None:
    """Hold what each loss declares against what its function does.

    The exit code is 3 where they disagree.
    A loss is looked at on a grid of energies F+ of the right answer and F- of a wrong one (LeCun et al. 2006, section
    5). condition 3: the margins m for which some answers with F- - F+ > m have a lower loss than all others; gradient
    test: whether a step narrows every violation (by F+: through F+ alone); push-up: where F- is pushed up, by the gap
    F- - F+ or its own level; lowest flat: the lowest loss where both are equal. Then it is looked at on several
    negatives, at two betas and distances and, where it estimates a density, at its optimum on four answers. A loss that
    is named is shown with every judgement.
    """
    from ebmcli.cli.check import check as judge_losses
    from ebmcli.training.devices import require

    with pinned():
        require()  # no loss can be blamed for a jax that does not start
        code = judge_losses(losses or [], json)
    raise typer.Exit(code)


@_register(rich_help_panel=LOOK)
def doctor(
    results: Results = ROOT, devices: Devices = None, compile_cache: CompileCache = True, json: Json = False
) -> None:
    """Check this machine, and say what to do where it is unfit.

    Looked at are versions, devices, memory, locks, renames and the compilation cache.
    """
    from ebmcli.cli.doctor import doctor as examine

    raise typer.Exit(examine(results, devices, compile_cache, json))


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"ebm {version('ebmcli')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["EBM_DEBUG"] = "1"


def main() -> None:
    """Entry point: bad input is one sentence and exit code 2, a fault of the machine one sentence and 1."""
    output.prepare()
    os.environ["MPLBACKEND"] = "agg"  # nothing is shown; one that is not known would end the import of matplotlib
    for name in VARIABLES & os.environ.keys():  # jax is not told what is ours to say
        del os.environ[name]
    try:
        _run_command()
    except UsageError as error:
        _stop(str(error), ExitCode.USAGE)
    except MachineError as error:
        _stop(str(error.args[0]), ExitCode.MACHINE)
    except OSError as error:
        _stop(of_the_machine(error), ExitCode.MACHINE)
    except RuntimeError as error:
        if not no_threads(error):
            raise
        _stop(NO_THREADS, ExitCode.MACHINE)


def _run_command() -> None:
    try:
        app()
    except SystemExit:
        sys.stdout.flush()  # a result may not have been read yet
        raise


def _broken(sentence: str) -> str:
    """A sentence as a terminal has room for it, broken between words; in one line where there is no terminal."""
    return broken(sentence, shutil.get_terminal_size().columns) if sys.stderr.isatty() else sentence


def _stop(message: str, code: ExitCode) -> None:
    if os.environ.get("EBM_DEBUG"):
        print(masked(traceback.format_exc()), end="", file=sys.stderr)
    print(_broken(f"ebm: {printable(masked(message))}"), file=sys.stderr)
    with suppress(output.Unprinted):  # there was something worse to say
        sys.stdout.flush()
    sys.exit(code)
