"""A report on a terminal: the same blocks as in a file, without the section that names every run."""

import shlex
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from ebmcli.cli.console import print_table
from ebmcli.cli.listing import print_entry
from ebmcli.core.texts import printable
from ebmcli.report.blocks import Block, Command, Formulas, Heading, Items, Picture, Table, Text
from ebmcli.report.build import Report

if TYPE_CHECKING:  # rich takes a while to import, and not every command prints
    from rich.console import Console
    from rich.text import Text as RichText


def print_report(report: Report, names: Sequence[str], out: "Console") -> None:
    """Print a report, and how to get it as a file. names: the sweeps, as the command named them."""
    blocks = report.main_blocks
    for block, following in zip_longest(blocks, blocks[1:]):
        titled = isinstance(block, Heading) and isinstance(following, Table) and following.heading == block.text
        if not titled:  # the table has it itself
            _print(block, out)
    sweeps = "".join(f" {shlex.quote(name)}" for name in names)
    file = shlex.quote(f"{report.folders[0].name}.html")
    command = f"ebm report{sweeps} --format html --output {file}"
    _print(Text(f"`{command}` writes this as a file, with pictures and the name of every run; or md, latex, csv."), out)


def _print(block: Block, out: "Console") -> None:
    from rich.text import Text as RichText

    match block:
        case Heading(level, heading):
            out.print(RichText(f"\n{printable(heading)}", style="bold underline" if level == 1 else "bold"))
        case Text(paragraph, warning):
            out.print(_prose(paragraph, "bold red" if warning else ""), "")
        case Items(lines):
            for line in lines:
                name, colon, rest = line.partition(": ")
                print_entry(name, rest, [], out) if colon else out.print(_prose(line))
        case Command(label, line):
            out.print(_prose(f"{label} `{line}`."), "")
        case Table():
            print_table(block, out)
        case Picture(path, caption):
            out.print(RichText(printable(f"{caption} {path}")), "", soft_wrap=True)
        case Formulas(lines):
            for name, formula in lines:
                print_entry(name, formula, [], out)


def _prose(paragraph: str, style: str = "") -> "RichText":
    """A paragraph in which `backquoted` words are bold."""
    from rich.text import Text as RichText

    parts = printable(paragraph).split("`")
    return RichText.assemble(*((part, "bold" if number % 2 else "") for number, part in enumerate(parts)), style=style)
