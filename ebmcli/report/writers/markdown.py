"""A report as markdown, as GitHub and pandoc read it."""

import os
import re
from urllib.parse import quote

from ebmcli.core.texts import printable
from ebmcli.report.blocks import Block, Cell, Command, Formulas, Heading, Items, Picture, Table, Text, Value
from ebmcli.report.build import Report
from ebmcli.report.writers import Link, report_format

# What would break a row, start a tag, emphasis, code, a link, an address, an entity or maths.
SPECIAL = re.compile(
    r"[\\|`<$]|\*(?=\S)|(?<![^\W_])_(?=\S)|(?<=\])[(\[]|&(?=#?\w+;)|~(?=~)|:(?=//)|(?<=www)\.|(?<=\S)@(?=\w)"
)
ENTITIES = {"<": "&lt;", "&": "&amp;"}
# What would make of a paragraph a heading, a list, a quotation, a rule, code, or the definition of a link.
BEGINNING = re.compile(r"(?:#{1,6}|[-+*>=]|\d{1,9}[.)])(?=\s|$)|>|[-=+*_~](?=[-=+*_~ ]*$)|\[(?=[^]]*\]:)|~(?=~~)")


def alone(content: Table) -> str:
    """Write one table."""
    return f"{table(content)}\n"


@report_format("markdown", pictures=True, table=alone)
def md(report: Report, link: Link) -> str:
    """Write a report as markdown."""
    return "\n\n".join(_block(block, link) for block in report.blocks) + "\n"


def _block(block: Block, link: Link) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {_trailing(escape(text))}"
        case Text(text, warning):
            return f"**{_prose(text)}**" if warning else _prose(text)
        case Items(lines):
            return "\n".join(f"- {_paragraph(line)}" for line in lines)
        case Command(label, line):
            return f"{_paragraph(label)} {code(line)}."
        case Table():
            return table(block)
        case Picture(path, caption):
            return f"![{_bracketed(escape(caption))}]({quote(os.fsencode(link(path)))})"
        case Formulas(lines):
            return "\n".join(f"- {_paragraph(name)}: {code(formula)}" for name, formula in lines)


def table(content: Table) -> str:
    """A pipe table; the best figures are bold."""
    lines = [content.columns, ["---"] * len(content.columns), *([_cell(cell) for cell in row] for row in content.rows)]
    lines[0] = [escape(column) for column in content.columns]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell) -> str:
    text = escape(str(cell))
    return f"**{text}**" if isinstance(cell, Value) and cell.best else text


def escape(text: str) -> str:
    """Text inside a line that is read as nothing but text."""
    return _inside(" ".join(text.split()))


def _inside(text: str) -> str:
    return SPECIAL.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), printable(text))


def _paragraph(text: str) -> str:
    """Text that begins a line."""
    escaped = escape(text)
    sign = BEGINNING.match(escaped)
    if not sign:
        return escaped
    place = sign.end() - 1 if sign[0][:1].isdigit() else 0  # of 1. the point
    return f"{escaped[:place]}\\{escaped[place:]}"


def _prose(text: str) -> str:
    """A paragraph in which `backquoted` words are code."""
    first, *rest = text.split("`")
    spaced = " " if first[-1:].isspace() else ""
    parts = [_inside(re.sub(r"\s+", " ", part)) if number % 2 else code(part) for number, part in enumerate(rest)]
    return "".join([_paragraph(first) + spaced, *parts])


def _trailing(text: str) -> str:
    """A heading: signs at its end would be taken for its closing."""
    return re.sub(r"#(?=#*$)", r"\\#", text)


def _bracketed(text: str) -> str:
    return re.sub(r"(?<!\\)[][]", r"\\\g<0>", text)


def code(line: str) -> str:
    """A line of code, whatever it contains."""
    line = printable(line)
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if "`" in line else ""
    return f"{ticks}{space}{line}{space}{ticks}"
