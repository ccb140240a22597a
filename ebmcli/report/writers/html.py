"""A report as one self-contained file of HTML: pictures inline, tables that can be sorted, no reference to any other
file or place."""

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources
from itertools import groupby

from ebmcli.report.blocks import Block, Cell, Command, Formulas, Heading, Items, Picture, Table, Text, Value
from ebmcli.report.build import Report
from ebmcli.report.glossary import cell_tooltip, heading_tooltip
from ebmcli.report.writers import Link, report_format

LONG = 60  # letters: a cell with more of them is broken into lines


@report_format(pictures=True)
def html(report: Report, link: Link) -> str:
    """Write a report as one file of HTML."""
    blocks = report.blocks
    title = next(block.text for block in blocks if isinstance(block, Heading))
    links = [block.text for block in blocks if isinstance(block, Heading) and block.level == 2]
    parts = [_head(title)]
    for block in blocks:
        parts.append(_block(block))
        if isinstance(block, Heading) and block.level == 1 and links:
            parts.append(_contents(links))
    return "\n".join([*parts, f"</main>\n<script>\n{_asset('report.js')}</script>\n</body>\n</html>\n"])


def _head(title: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{_asset('report.css')}</style>\n</head>\n<body>\n<main>"
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _contents(links: Sequence[str]) -> str:
    return "<nav>" + " ".join(f'<a href="#{_anchor(text)}">{escape(text)}</a>' for text in links) + "</nav>"


def _anchor(text: str) -> str:
    """An id from a heading: letters, digits and dashes."""
    return "-".join("".join(run) for plain, run in groupby(text, str.isalnum) if plain)


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            place = f' id="{_anchor(text)}"' if level == 2 else ""
            return f"<h{level}{place}>{escape(text)}</h{level}>"
        case Text(text, warning):
            return f'<p class="warning">{_prose(text)}</p>' if warning else f"<p>{_prose(text)}</p>"
        case Items(lines):
            return "<ul>" + "".join(f"<li>{_prose(line)}</li>" for line in lines) + "</ul>"
        case Command(label, line):
            return f"<p>{escape(label)} <code>{escape(line)}</code></p>"
        case Table():
            return _table(block)
        case Picture(path, caption):
            data = base64.b64encode(path.read_bytes()).decode()
            image = f'<img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
            return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
        case Formulas(lines):
            items = "".join(
                f"<dt>{escape(name)}</dt><dd><code>{escape(formula)}</code></dd>" for name, formula in lines
            )
            return f"<dl>{items}</dl>"


def _prose(text: str) -> str:
    """Text in which `backquoted` words are code."""
    return "".join(f"<code>{escape(part)}</code>" if n % 2 else escape(part) for n, part in enumerate(text.split("`")))


def _table(table: Table) -> str:
    heads = "".join(
        f'<th scope="col" aria-sort="none"{_title(heading_tooltip(column))}>'
        f'<button type="button">{escape(column)}</button></th>'
        for column in table.columns
    )
    rows = "\n".join(f"<tr>{''.join(map(_cell, table.columns, row))}</tr>" for row in table.rows)
    label = escape(table.heading)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}"><table>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _title(meaning: str) -> str:
    """A title attribute, which a browser shows where the mouse rests; nothing where there is nothing to say."""
    return f' title="{escape(meaning)}"' if meaning else ""


def _cell(column: str, cell: Cell) -> str:
    text = escape(" ".join(str(cell).split()))
    if not isinstance(cell, Value):
        title = _title(cell_tooltip(column, cell))
        return f'<td class="long">{text}</td>' if len(text) > LONG else f"<td{title}>{text}</td>"
    number = "" if cell.number is None else f' data-number="{float(cell.number)!r}"'
    return f"<td{number}><strong>{text}</strong></td>" if cell.best else f"<td{number}>{text}</td>"
