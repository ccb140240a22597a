"""How a command line is read: a list may be said in parts, all else once; a wrong word gets the right one as answer."""

import inspect
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from typer.core import TyperCommand, TyperGroup

from ebmcli.core.errors import LONG, UsageError, called, either, nearest
from ebmcli.core.parameters import Also
from ebmcli.core.registry import named_so
from ebmcli.core.texts import quoted, shortened
from ebmcli.planning.values import names_of_others

HELP = ["-h", "--help"]
# What others call our commands.
COMMANDS = {
    "run": ("train", "fit", "start"),
    "sweep": ("grid", "search"),
    "list": ("ls", "losses", "samplers", "tasks", "energies"),
    "report": ("table", "results", "summary"),
    "plot": ("draw", "figure", "picture"),
    "check": ("test", "verify"),
    "export": ("save", "csv"),
    "--version": ("version",),
    "--help": ("help",),
}


class Command(TyperCommand):
    """A command whose wrong turns are sentences, and whose help says what the registry knows of its options."""

    def make_parser(self, ctx: Any) -> Any:
        """The parser, which says where an option is said twice."""
        return _strict(super().make_parser(ctx), ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments. Raises UsageError."""
        with _sentences(self, ctx, args):
            ctx.allow_extra_args = True
            left = super().parse_args(ctx, args)
            if left and not ctx.resilient_parsing:
                raise _too_many(left, ctx)
            return left

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        helps: Mapping[str, Callable[[], str]] = getattr(self.callback, "helps", {})
        for parameter in self.params:
            if parameter.name in helps:
                parameter.help = helps[parameter.name]()  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


class Group(TyperGroup):
    """The commands, whose wrong names are sentences."""

    def make_parser(self, ctx: Any) -> Any:
        """The parser, which says where an option is said twice."""
        return _strict(super().make_parser(ctx), ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments before the name of a command. Raises UsageError."""
        with _sentences(self, ctx, args):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command. Raises UsageError."""
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise _no_command(args[0], list(self.commands))
        return super().resolve_command(ctx, args)


# --- said twice ------------------------------------------------------------------------------------------------------


def _strict(parser: Any, ctx: Any) -> Any:
    """The parser, which says where an option that takes one value is said twice."""
    read = parser.parse_args

    def once(args: list[str]) -> Any:
        values, left, order = read(args=args)
        for parameter in [] if ctx.resilient_parsing else order:
            single = parameter.param_type_name == "option" and not parameter.multiple
            if single and order.count(parameter) > 1:
                flags = either([*parameter.opts, *parameter.secondary_opts])
                raise UsageError(f"{flags} is said {order.count(parameter)} times: say it once")
        ctx.meta["ebm.values"] = values
        return values, left, order

    parser.parse_args = once
    return parser


# --- sentences -------------------------------------------------------------------------------------------------------


@contextmanager
def _sentences(command: Any, ctx: Any, args: Sequence[str]) -> Any:
    """Make a sentence of whatever the parser raises. Its errors are those of click, whose name differs by version."""
    given = list(args)
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if "UsageError" not in kinds or "NoArgsIsHelpError" in kinds:
            raise
        raise _sentence(error, kinds, command, ctx, given) from None


def _sentence(error: Any, kinds: set[str], command: Any, ctx: Any, args: Sequence[str]) -> UsageError:
    if "NoSuchOption" in kinds:
        written = [word for word in args if word.startswith(error.option_name)]
        return _no_option((written or [error.option_name])[0].partition("=")[0], command, ctx)
    if "BadOptionUsage" in kinds:
        unwanted = "does not take" in error.message
        return UsageError(f"{error.option_name} " + ("takes no value: leave it out" if unwanted else "needs a value"))
    if "MissingParameter" in kinds:
        return UsageError(f"`{ctx.command_path}` needs {error.param.name.upper()}: see `{ctx.command_path} -h`")
    parameter = getattr(error, "param", None)
    if parameter is None:
        return UsageError(f"`{ctx.command_path}`: {_small(error.format_message())}")
    name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.name.upper()
    value = ctx.meta.get("ebm.values", {}).get(parameter.name)
    must = re.sub(r"^Input should be", "must be", error.message.partition(",")[0])
    return UsageError(f"{name}: {_small(must)}, found {_said(value)}")


def _said(value: Any) -> str:
    """A sentence with what was said."""
    return repr(shortened(value, LONG) if isinstance(value, str) else value)


def _small(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _no_option(flag: str, command: Any, ctx: Any) -> UsageError:
    """The error for an option that a command does not have."""
    options = [option for option in command.params if option.param_type_name == "option"]
    flags = {name.lstrip("-"): name for option in options for name in (*option.opts, *option.secondary_opts)}
    also = {option.opts[0].lstrip("-"): _called_by_others(command, option.name) for option in options}
    word, what = flag.lstrip("-"), f"{quoted(shortened(flag, LONG))} is no option of `{ctx.command_path}`"
    settable = {name: words for name, words in names_of_others().items() if name.replace("_", "-") not in flags}
    exact, setting = called(word, flags, also), called(word, settable, settable) if "set" in flags else []
    if setting and not exact:
        return UsageError(f"{what}: say --set {setting[0]}=VALUE")
    near = nearest(word, flags, also)
    meant = f"did you mean {either(flags[name] for name in near)}? " if near else ""
    return UsageError(f"{what}: {meant}`{ctx.command_path} -h` lists them")


def _called_by_others(command: Any, name: str) -> tuple[str, ...]:
    """The words by which others know an option, from a mark of its row or of the hyperparameter that it sets."""
    marks = getattr(_annotations(command.callback).get(name), "__metadata__", ())
    words = [word for mark in marks if isinstance(mark, Also) for word in mark.words.split()]
    return (*words, *names_of_others().get(name, ()))


def _annotations(callback: Any) -> Mapping[str, Any]:
    return {argument.name: argument.annotation for argument in inspect.signature(callback).parameters.values()}


def _too_many(left: Sequence[str], ctx: Any) -> UsageError:
    """The error for words without a flag that a command does not take."""
    word, path = left[0], ctx.command_path
    units = named_so(word)
    takes_grid = "loss" in ctx.params or any(parameter.name == "loss" for parameter in ctx.command.params)
    if units and takes_grid:
        kind, name = units[0]
        return UsageError(
            f"{_said(word)} stands without a flag: say --{kind} {name}, and a list as --{kind} {name},OTHER"
        )
    if word.endswith(".toml"):
        return UsageError(f"`{path}` takes no file: say `ebm sweep {shlex.quote(word)}`")
    if takes_grid and re.fullmatch(r"[\d.e+-]+,?", word):
        return UsageError(f"{_said(word)} stands without a flag: a list is written with commas, as in --seeds 0,1,2")
    return UsageError(f"`{path}` takes no word {_said(word)}: `{path} -h` says what it takes")


def _no_command(word: str, commands: Sequence[str]) -> UsageError:
    units = named_so(word)
    exact = called(word, commands, COMMANDS)
    if word.endswith(".toml"):
        return UsageError(f"{_said(word)} is no command: say `ebm sweep {shlex.quote(word)}`")
    if units and not exact:
        kind, name = units[0]
        start = "" if kind == "loss" else " --loss LOSS"
        return UsageError(f"{_said(word)} is no command: say `ebm run{start} --{kind} {name}`")
    near = nearest(word, commands, COMMANDS)
    meant = f"did you mean {either(f'`ebm {name}`' for name in near)}? " if near else ""
    return UsageError(f"{_said(word)} is no command: {meant}known: {', '.join(commands)}")
