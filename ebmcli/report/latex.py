"""A report as LaTeX to paste or to \\input: one `table` a table, with booktabs."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ebmcli.report.model import Block, Cell, Command, Formulas, Heading, Items, Picture, Table, Text, Value

PREAMBLE = (
    "% \\usepackage[T1]{fontenc}\n% \\usepackage{amsmath}\n% \\usepackage{booktabs}\n% \\usepackage{graphicx}\n"
    "% \\input this file after these lines in the preamble."
)
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\ensuremath{<}", ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
    "–": "--", "±": r"\ensuremath{\pm}", "≥": r"\ensuremath{\ge}", "≤": r"\ensuremath{\le}",
    "β": r"\ensuremath{\beta}", "α": r"\ensuremath{\alpha}", "↓": r"\ensuremath{\downarrow}", "*": r"\ensuremath{^{*}}",
    "↑": r"\ensuremath{\uparrow}", "²": r"\ensuremath{^{2}}", "[": "{[}", "]": "{]}",
}  # fmt: skip
LEVELS = {1: "section", 2: "subsection", 3: "subsubsection"}


def latex(blocks: Sequence[Block], link: Callable[[Path], str]) -> str:
    """The whole report; a table's caption says which task it is of. link: from an image file to what stands there."""
    parts, task = [PREAMBLE], ""
    for block in blocks:
        if isinstance(block, Heading):
            task = block.text if block.level == 2 else task
            if block.level == 3:  # the caption of its table says it
                continue
        parts.append(_block(block, task, link))
    return "\n\n".join(parts) + "\n"


def _block(block: Block, task: str, link: Callable[[Path], str]) -> str:
    match block:
        case Heading(level, text):
            return f"\\{LEVELS[level]}*{{{escape(text)}}}"
        case Text(text, warning):
            told = "".join(rf"\texttt{{{escape(p)}}}" if n % 2 else escape(p) for n, p in enumerate(text.split("`")))
            return f"\\textbf{{{told}}}" if warning else told
        case Items(lines):
            return _listed("itemize", [f"\\item {escape(line)}" for line in lines])
        case Command(label, line):
            return f"{escape(label)} \\texttt{{{escape(line)}}}."
        case Table():
            return _table(block, task)
        case Picture(path, caption):
            image = f"\\includegraphics[width=\\linewidth]{{{link(path)}}}"
            return _float("figure", image, caption)
        case Formulas(lines):
            return _listed("description", [f"\\item[{escape(name)}] ${formula}$" for name, formula in lines])


def _listed(kind: str, lines: Sequence[str]) -> str:
    return "\n".join([f"\\begin{{{kind}}}", *lines, f"\\end{{{kind}}}"])


def _table(table: Table, task: str) -> str:
    lines = [" & ".join(map(escape, table.columns)) + r" \\", r"\midrule"]
    lines += [" & ".join(map(_cell, row)) + r" \\" for row in table.rows]
    columns = "".join(_column(table, place) for place in range(len(table.columns)))
    inside = "\n".join([f"\\begin{{tabular}}{{{columns}}}", r"\toprule", *lines, r"\bottomrule", r"\end{tabular}"])
    shrunk = f"\\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n{inside}}}"
    caption = task if table.heading in (task, "Runs") else f"{task}: {table.heading}"
    return _float("table", shrunk, caption)


def _column(table: Table, place: int) -> str:
    """Figures stand right, words left, prose in a paragraph."""
    cells = [row[place] for row in table.rows]
    if any(len(str(cell)) > 60 for cell in cells):
        return "p{9cm}"
    return "r" if any(isinstance(cell, Value) and cell.number is not None for cell in cells) else "l"


def _float(kind: str, inside: str, caption: str) -> str:
    label = re.sub(r"\W+", "-", caption).strip("-").lower()
    return (
        f"\\begin{{{kind}}}[htbp]\n\\centering\n\\caption{{{escape(caption)}}}\n\\label{{{kind[:3]}:{label}}}\n"
        f"{inside}\n\\end{{{kind}}}"
    )


def _cell(cell: Cell) -> str:
    text = escape(str(cell))
    return f"\\textbf{{{text}}}" if isinstance(cell, Value) and cell.best else text


def escape(text: str) -> str:
    """Text that LaTeX sets as it is; what its standard fonts lack becomes a question mark."""
    plain = " ".join(text.split())
    return "".join(SPECIAL.get(one) or (one if one.isascii() and one.isprintable() else "?") for one in plain)
