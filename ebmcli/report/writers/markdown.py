"""A report as markdown, as GitHub and pandoc read it."""

import re
from urllib.parse import quote

from ebmcli.report.blocks import Block, Cell, Command, Formulas, Heading, Items, Picture, Table, Text, Value
from ebmcli.report.build import Report
from ebmcli.report.writers import Link, report_format

# What would break a row, start a tag, emphasis, code, a link, an entity or maths.
SPECIAL = re.compile(r"[\\|`<$]|\*(?=\S)|(?<!\w)_(?=\S)|(?<=\])\(|&(?=#?\w+;)")
ENTITIES = {"<": "&lt;", "&": "&amp;"}


@report_format("markdown", pictures=True)
def md(report: Report, link: Link) -> str:
    """Write a report as markdown."""
    return "\n\n".join(_block(block, link) for block in report.blocks) + "\n"


def _block(block: Block, link: Link) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escape(text)}"
        case Text(text, warning):
            return f"**{text}**" if warning else text
        case Items(lines):
            return "\n".join(f"- {escape(line)}" for line in lines)
        case Command(label, line):
            return f"{label} {code(line)}."
        case Table():
            return table(block)
        case Picture(path, caption):
            return f"![{escape(caption)}]({quote(link(path))})"
        case Formulas(lines):
            return "\n".join(f"- {escape(name)}: {code(formula)}" for name, formula in lines)


def table(content: Table) -> str:
    """A pipe table; the best figures are bold."""
    lines = [content.columns, ["---"] * len(content.columns), *([_cell(cell) for cell in row] for row in content.rows)]
    lines[0] = [escape(column) for column in content.columns]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell) -> str:
    text = escape(str(cell))
    return f"**{text}**" if isinstance(cell, Value) and cell.best else text


def escape(text: str) -> str:
    """Text on one line that is read as nothing but text."""
    return SPECIAL.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), " ".join(text.split()))


def code(line: str) -> str:
    """A line of code, whatever it contains."""
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if "`" in line else ""
    return f"{ticks}{space}{' '.join(line.split())}{space}{ticks}"
