"""A report as one self-contained file of HTML: pictures inline, tables that can be sorted, no reference to any other
file or place."""

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape as escape_html
from importlib import resources
from itertools import groupby

from ebmcli.core import files
from ebmcli.core.texts import distinct, printable
from ebmcli.report.blocks import Block, Cell, Command, Formulas, Heading, Items, Picture, Table, Text, Value
from ebmcli.report.build import Report
from ebmcli.report.glossary import cell_tooltip, heading_tooltip
from ebmcli.report.writers import Link, report_format

LONG = 60  # letters: a cell with more of them is broken into lines


def alone(content: Table) -> str:
    """Write one table, for a page that has its own style."""
    heads = "".join(f'<th scope="col"{_title(heading_tooltip(name))}>{escape(name)}</th>' for name in content.columns)
    return f"<table>\n<thead><tr>{heads}</tr></thead>\n{_body(content)}\n</table>\n"


@report_format("htm", pictures=True, table=alone)
def html(report: Report, link: Link) -> str:
    """Write a report as one file of HTML."""
    blocks = report.blocks
    title = next(block.text for block in blocks if isinstance(block, Heading))
    links = [block.text for block in blocks if isinstance(block, Heading) and block.level == 2]
    anchors = distinct([_anchor(text) for text in links])
    style, script = (f"\n{_asset(name)}" for name in ("report.css", "report.js"))
    parts, places = [_head(title, style, script)], iter(anchors)
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2:
            parts.append(f'<h2 id="{next(places)}">{escape(block.text)}</h2>')
        else:
            parts.append(_block(block))
        if isinstance(block, Heading) and block.level == 1 and links:
            parts.append(_contents(links, anchors))
    return "\n".join([*parts, f"</main>\n<script>{script}</script>\n</body>\n</html>\n"])


def _head(title: str, style: str, script: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_policy(style, script)}\n'
        f"<title>{escape(title)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{style}</style>\n</head>\n<body>\n<main>"
    )


def _policy(style: str, script: str) -> str:
    """What a browser may use of the page: this very style and script, and pictures inside it."""
    rules = ["default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"]
    for name, text in (("style", style), ("script", script)):
        rules.append(f"{name}-src 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'")
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'


def escape(text: str) -> str:
    """Text that is read as nothing but text."""
    return escape_html(printable(" ".join(re.split(r"\s", text))))


def _asset(name: str) -> str:
    with resources.as_file(resources.files(__package__) / name) as path:
        return files.content(path).decode()


def _contents(links: Sequence[str], anchors: Sequence[str]) -> str:
    pairs = zip(links, anchors, strict=True)
    return "<nav>" + " ".join(f'<a href="#{anchor}">{escape(text)}</a>' for text, anchor in pairs) + "</nav>"


def _anchor(text: str) -> str:
    """An id from a heading: letters, digits and dashes."""
    return "-".join("".join(run) for plain, run in groupby(text, str.isalnum) if plain) or "part"


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Text(text, warning):
            return f'<p class="warning">{_prose(text)}</p>' if warning else f"<p>{_prose(text)}</p>"
        case Items(lines):
            return "<ul>" + "".join(f"<li>{_prose(line)}</li>" for line in lines) + "</ul>"
        case Command(label, line):
            return f"<p>{escape(label)} <code>{escape(line)}</code></p>"
        case Table():
            return _table(block)
        case Picture(path, caption):
            data = b64encode(files.content(path, files.LARGE)).decode()
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
    label = escape(table.heading)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}"><table>\n<thead><tr>{heads}</tr></thead>\n'
        f"{_body(table)}\n</table></div>"
    )


def _body(table: Table) -> str:
    rows = "\n".join(f"<tr>{''.join(map(_cell, table.columns, row))}</tr>" for row in table.rows)
    return f"<tbody>\n{rows}\n</tbody>"


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
