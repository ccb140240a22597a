"""A report as LaTeX to paste or to \\input: one `table` a table, with booktabs."""

import re
from collections.abc import Sequence

from ebmcli.core.texts import distinct, printable
from ebmcli.report.blocks import Block, Cell, Command, Formulas, Heading, Items, Picture, Table, Text, Value
from ebmcli.report.build import Report
from ebmcli.report.writers import Link, report_format

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
LONG, LETTERS = 60, 92  # of a cell before it is broken into lines; of a line of a page, roughly
LEVELS = {1: "section", 2: "subsection", 3: "subsubsection"}


def alone(table: Table) -> str:
    """Write one table to \\input where the document wants it, in a float of its own or not."""
    return f"% \\usepackage[T1]{{fontenc}}, amsmath and booktabs\n{_tabular(table, range(len(table.columns)))}\n"


@report_format("tex", pictures=True, table=alone)
def latex(report: Report, link: Link) -> str:
    """Write a report as LaTeX; a table's caption says which task it is of."""
    parts, task = [PREAMBLE], ""
    for block in report.blocks:
        if isinstance(block, Heading):
            task = block.text if block.level == 2 else task
            if block.level == 3:  # the caption of its table says it
                continue
        parts.append(_block(block, task, link))
    return _labelled("\n\n".join(parts) + "\n")


def _labelled(text: str) -> str:
    """The text with a number at labels that stand twice; no other line can look like one."""
    label = re.compile(r"^\\label\{(.*)\}$", re.MULTILINE)
    names = iter(distinct(label.findall(text)))
    return label.sub(lambda _: f"\\label{{{next(names)}}}", text)


def _block(block: Block, task: str, link: Link) -> str:
    match block:
        case Heading(level, text):
            return f"\\{LEVELS[level]}*{{{escape(text)}}}"
        case Text(text, warning):
            escaped = "".join(rf"\texttt{{{escape(p)}}}" if n % 2 else escape(p) for n, p in enumerate(text.split("`")))
            return f"\\textbf{{{escaped}}}" if warning else escaped
        case Items(lines):
            return _listed("itemize", [f"\\item {escape(line)}" for line in lines])
        case Command(label, line):
            return f"{escape(label)} \\texttt{{{escape(line)}}}."
        case Table():
            return _table(block, task)
        case Picture(path, caption):
            return _float("figure", _image(link(path)), caption)
        case Formulas(lines):
            items = [f"\\item[{escape(name)}] \\texttt{{{escape(formula)}}}" for name, formula in lines]
            return _listed("description", [r"\raggedright", *items])  # blanks of code do not stretch


def _image(path: str) -> str:
    """The picture at a path; the path alone where LaTeX would read a sign of it as a command."""
    if re.fullmatch(r"[\w./ +-]+", path, re.ASCII):
        return f"\\includegraphics[width=\\linewidth]{{{path}}}"
    return f"\\texttt{{{escape(path)}}}"


def _listed(kind: str, lines: Sequence[str]) -> str:
    return "\n".join([f"\\begin{{{kind}}}", *lines, f"\\end{{{kind}}}"])


def _table(table: Table, task: str) -> str:
    caption = task if table.heading in (task, "Runs") else f"{task}: {table.heading}"
    pieces = "\n\\par\\medskip\n".join(_fitting(table, places) for places in _pieces(table))
    return _float("table", f"\\footnotesize\n{pieces}", caption)


def _pieces(table: Table) -> list[list[int]]:
    """The columns of a table, in as many parts as a page asks for; each begins with what tells rows apart."""
    lines = [table.columns, *table.rows]
    widths = [min(LONG, max(len(str(line[place])) for line in lines)) + 2 for place in range(len(table.columns))]
    lead = list(range(table.leading))
    pieces, taken = [list(lead)], sum(widths[: len(lead)])
    for place in range(len(lead), len(widths)):
        if taken + widths[place] > LETTERS and len(pieces[-1]) > len(lead):
            pieces.append(list(lead))
            taken = sum(widths[: len(lead)])
        pieces[-1].append(place)
        taken += widths[place]
    return pieces


def _fitting(table: Table, places: Sequence[int]) -> str:
    """Some columns of a table, made smaller where they are still wider than the page."""
    inside = _tabular(table, places)
    return f"\\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n{inside}}}"


def _tabular(table: Table, places: Sequence[int]) -> str:
    """Some columns of a table."""
    lines = [" & ".join(escape(table.columns[place]) for place in places) + r" \\", r"\midrule"]
    lines += [" & ".join(_cell(row[place]) for place in places) + r" \\" for row in table.rows]
    columns = "".join(_column(table, place) for place in places)
    return "\n".join([f"\\begin{{tabular}}{{{columns}}}", r"\toprule", *lines, r"\bottomrule", r"\end{tabular}"])


def _column(table: Table, place: int) -> str:
    """Figures stand right, words left, prose in a paragraph."""
    cells = [row[place] for row in table.rows]
    if any(len(str(cell)) > LONG for cell in cells):
        return "p{7cm}"
    return "r" if any(isinstance(cell, Value) and cell.number is not None for cell in cells) else "l"


def _float(kind: str, inside: str, caption: str) -> str:
    label = re.sub(r"[\W_]+", "-", caption, flags=re.ASCII).strip("-").lower()
    return (
        f"\\begin{{{kind}}}[htbp]\n\\centering\n\\caption{{{escape(caption)}}}\n\\label{{{kind[:3]}:{label}}}\n"
        f"{inside}\n\\end{{{kind}}}"
    )


def _cell(cell: Cell) -> str:
    text = escape(str(cell))
    return f"\\textbf{{{text}}}" if isinstance(cell, Value) and cell.best else text


def escape(text: str) -> str:
    """Text that LaTeX sets as it is; what its standard fonts lack becomes a question mark."""
    plain = printable(" ".join(re.split(r"\s", text)))
    escaped = "".join(
        SPECIAL.get(letter) or (letter if letter.isascii() and letter.isprintable() else "?") for letter in plain
    )
    return re.sub(r"(?<![\w}])-(?=\d)", r"\\ensuremath{-}", escaped)
