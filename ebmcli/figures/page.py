"""`ebm plot`: the page of small multiples that a lecturer would project, drawn from what a sweep left on disk."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.registry import find_or_none, units
from ebmcli.core.texts import file_name, printable, quoted, shortened
from ebmcli.figures import cells, panels, source
from ebmcli.figures.cells import Mark, Page
from ebmcli.figures.files import NATURAL, Look, suffix_of, to_bytes
from ebmcli.figures.panels import Panel, Scales
from ebmcli.figures.picture import label_colours
from ebmcli.figures.style import own_style
from ebmcli.report import formatting
from ebmcli.report.columns import heading, main_measure
from ebmcli.storage import kept, store
from ebmcli.storage.atomic import write
from ebmcli.storage.output import deliver, is_stream
from ebmcli.storage.records import Record

ALARM, QUIET, PALE = "crimson", "0.35", "0.6"
# Inches. Text keeps its size, a page of few cells has larger ones.
SIDE, LEAST, MOST = 7.5, 1.8, 3.0  # all rows or columns together; of one cell, at least and at most
BETWEEN, UNDER, TICKS = 0.32, 0.8, 0.26  # cells; for the figures under a cell; for the ticks of a histogram
EDGE, BAR = 0.3, 1.3
TITLE, HEADING, FIGURE, TEXT, NOTE = 24, 17, 15, 14, 12  # points
LETTER = {HEADING: 0.152, TEXT: 0.1, NOTE: 0.086}  # the width of one, headings in bold: for breaking lines
LONGEST = 40  # letters of a name


@dataclass(frozen=True)
class FilledPage:
    """A page with what its cells show. places: by (row, column)."""

    page: Page
    records: Mapping[tuple[int, int], Record]
    panels: Mapping[tuple[int, int], Panel]
    marks: Mapping[tuple[int, int], Mark]
    truths: Mapping[int, Panel] = field(default_factory=dict)  # by row, where the truth is known

    def kinds(self) -> list[str]:
        """The kinds of panels on the page."""
        return sorted({panel.kind for panel in self.panels.values()})


def draw_pages(
    folder: Path,
    grid: str,
    task: str | None,
    seed: int | None,
    output: Path | None,
    look: Look = NATURAL,
    truth: bool = True,
) -> tuple[list[Path], list[str]]:
    """Draw the pages of a sweep; (the files written, what is to be said beside)."""
    look.check()
    suffix = suffix_of(output)
    records = store.records(folder)
    if not records:
        raise UsageError(f"{folder}: this sweep is empty, there is nothing to draw")
    pages = [load(folder, page, truth) for page in cells.pages(records, *cells.axes(grid, records), task, seed)]
    full = [page for page in pages if page.panels]
    if not full:
        raise UsageError(_nothing(folder, pages))
    if len(full) > 1 and output is not None and is_stream(output):
        raise UsageError(f"--output {quoted(output)}: {len(full)} pages do not go there together, choose one by --task")
    drawn: dict[Path, bytes] = {}
    notes = []
    for filled in pages:
        name = filled.page.task or "tasks"
        if filled.panels:
            origin = source.of_page(folder, _of_task(records, filled.page.task))
            drawn[file_of(folder, output, name, len(full))] = to_bytes(
                figure(filled, folder.name), suffix, origin, look
            )
            notes += [f"{name}: {note}" for note in (filled.page.hidden(), _lacking(filled)) if note]
        else:
            notes.append(f"{name}: no run has left anything to draw, no page")
    first, *others = drawn
    if output is None:
        for path, content in drawn.items():
            write(path, content)  # a link there is replaced: nothing outside of our folder is touched
    else:
        deliver(first, drawn[first], {path.name: drawn[path] for path in others})
    return [first, *others], notes


def load(folder: Path, page: Page, truth: bool = True) -> FilledPage:
    """The page with the arrays of its runs. truth: with a column of the truth, where that is known."""
    records, drawn, marks = page.shown(), {}, {}
    for row in range(len(page.row_values)):
        for column in range(len(page.column_values)):
            place = row, column
            record = records.get(place)
            if record and record.status == "done":
                kept.offer(folder / "runs" / record.id, record.config)
                arrays = store.arrays(folder / "runs" / record.id) or {}
                panel = Panel(record.config, arrays, record.metrics.get("verdict") == "healthy")
                if panel.drawable:
                    drawn[place] = panel
            marks[place] = cells.mark(record, place in drawn)
    return FilledPage(page, records, drawn, marks, _truths(page, drawn) if truth else {})


def _truths(page: Page, drawn: Mapping[tuple[int, int], Panel]) -> dict[int, Panel]:
    """The cells of the truth, by row: beside the first run of each, where all runs of a row are of one task."""
    if page.columns == "task":
        return {}
    beside = {row: panel for (row, _), panel in sorted(drawn.items(), key=lambda item: item[0], reverse=True)}
    known = {row: panels.truth_beside(panel) for row, panel in sorted(beside.items())}
    return {row: panel for row, panel in known.items() if panel}


def _nothing(folder: Path, pages: list[FilledPage]) -> str:
    done = sum(record.status == "done" for filled in pages for record in filled.records.values())
    for task in {filled.page.task for filled in pages if filled.page.task}:
        if find_or_none("task", task) is None:
            return str(unknown("task", task, units("task")))
    if done:
        return f"{folder}: its finished runs have no arrays.npz any more: remove their folders and run them again"
    return f"{folder}: no run of these has finished, there is nothing to draw yet (ebm report shows why)"


def _lacking(filled: FilledPage) -> str:
    lacking = sum(mark.word == "no arrays" for mark in filled.marks.values())
    return f"{lacking} finished runs have no arrays.npz any more, their cells say so" if lacking else ""


def is_current(folder: Path, task: str, records: Sequence[Record]) -> bool:
    """True if the page of a task is there, whole, and shows what these runs of the sweep are now."""
    return source.is_of(file_of(folder, None, task, 1), source.of_page(folder, _of_task(records, task)))


def _of_task(records: Sequence[Record], task: str | None) -> list[Record]:
    return [record for record in records if task in (None, record.task)]


def file_of(folder: Path, output: Path | None, name: str, pages: int) -> Path:
    """The file of the page of a task, one of so many pages."""
    name = file_name(name)
    if output is None:
        return folder / f"grid-{name}.png"
    return output if pages == 1 else output.with_name(f"{output.stem}-{name}{output.suffix}")


# --- the figure ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """The layout of a page, in inches from the upper left corner."""

    rows: list[str]  # what stands beside a row and over a column
    columns: list[str]
    side: float  # of a cell
    left: float  # where the first cell begins
    top: float
    down: float  # from one row to the next
    across: float
    width: float  # of the page
    height: float
    above: list[str]  # lines under the title, and at the foot of the page
    below: list[str]


def _layout(filled: FilledPage, sweep: str, bars: int) -> _Layout:
    page = filled.page
    across_all = len(page.column_values) + bool(filled.truths)
    side = min(max(SIDE / max(len(page.row_values), across_all), LEAST), MOST)
    across, down = side + BETWEEN, side + UNDER + (TICKS if "gaps" in filled.kinds() else 0.0)
    letters = int((across - 0.1) / LETTER[HEADING])
    rows = [_broken(_short(page.heading(page.rows, value)), letters) for value in page.row_values]
    columns = [_broken(_short(page.heading(page.columns, value)), letters) for value in page.column_values]
    columns += [TRUTH] * bool(filled.truths)
    left = 1.6 * EDGE + LETTER[HEADING] * max(len(line) for text in rows for line in text.splitlines())
    width = left + across * len(columns) + BAR * bars + EDGE
    above = textwrap.wrap(_subtitle(filled, sweep), int((width - 2 * EDGE) / LETTER[TEXT]))
    below = textwrap.wrap(_caption(filled), int((width - 2 * EDGE) / LETTER[NOTE]))
    lines = 1 + max(text.count("\n") for text in columns)
    top = EDGE + _lines(1, TITLE) + _lines(len(above), TEXT) + _lines(lines, HEADING) + 0.45
    height = top + down * len(rows) + _lines(len(below), NOTE) + EDGE
    return _Layout(rows, columns, side, left, top, down, across, width, height, above, below)


def _lines(count: int, size: float) -> float:
    """The height of so many lines."""
    return count * size * 1.25 / 72


def _short(name: str) -> str:
    """A name as a page has room for it."""
    return shortened(printable(name), LONGEST)


def _broken(heading: str, letters: int) -> str:
    return "\n".join(textwrap.wrap(heading, letters, break_long_words=False))


@dataclass
class _Sheet:
    """A figure on which things are placed in inches from its upper left corner."""

    figure: Any
    width: float
    height: float

    def axes(self, x: float, y: float, width: float, height: float) -> Any:
        """Axes whose upper left corner is there."""
        place = x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height
        return self.figure.add_axes(place)

    def text(self, x: float, y: float, text: str, size: float, room: float = 0.0, **style: Any) -> None:
        """Text, made smaller where it is wider than its room."""
        shown = printable(text, keep="\n")
        put = self.figure.text(x / self.width, 1 - y / self.height, shown, fontsize=size, parse_math=False, **style)
        if room:
            width = put.get_window_extent(self.figure.canvas.get_renderer()).width / self.figure.dpi
            put.set_fontsize(size * min(1.0, room / width))


@own_style()
def figure(filled: FilledPage, sweep: str) -> Any:
    """The page as a matplotlib figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shared = panels.scales([*filled.panels.values(), *filled.truths.values()])
    layout = _layout(filled, sweep, bool(len(shared.levels)) + bool(shared.labels))
    sheet = _Sheet(Figure(figsize=(layout.width, layout.height)), layout.width, layout.height)
    FigureCanvasAgg(sheet.figure)
    title = _short(filled.page.task or "all tasks")
    sheet.text(EDGE, EDGE, title, TITLE, layout.width - 2 * EDGE, weight="bold", va="top")
    sheet.text(EDGE, EDGE + _lines(1, TITLE) + 0.05, "\n".join(layout.above), TEXT, va="top", color=QUIET)
    sheet.text(EDGE, layout.height - EDGE, "\n".join(layout.below), NOTE, va="bottom", color=QUIET)
    for number, text in enumerate(layout.columns):
        middle, room = layout.left + layout.across * number + layout.side / 2, layout.across - 0.1
        sheet.text(middle, layout.top - 0.2, text, HEADING, room, weight="bold", ha="center", va="bottom")
    for number, text in enumerate(layout.rows):
        middle, room = layout.top + layout.down * number + layout.side / 2, layout.left - 1.4 * EDGE
        sheet.text(layout.left - 0.6 * EDGE, middle, text, HEADING, room, weight="bold", ha="right", va="center")
    for place in filled.marks:
        _cell(sheet, filled, place, shared, layout)
    for row, panel in filled.truths.items():
        x, y = layout.left + layout.across * (len(layout.columns) - 1), layout.top + layout.down * row
        axes = sheet.axes(x, y, layout.side, layout.side)
        axes.set_gid(f"truth {row}")
        panels.draw(axes, panel, shared)
        axes.spines[:].set(color=PALE, linewidth=0.8)
    _bars(sheet, filled, shared, layout)
    return sheet.figure


def _cell(sheet: _Sheet, filled: FilledPage, place: tuple[int, int], shared: Scales, layout: _Layout) -> None:
    """A cell with its mark and its figures; the gid of its axes says where it stands."""
    x, y = layout.left + layout.across * place[1], layout.top + layout.down * place[0]
    axes, mark, panel = sheet.axes(x, y, layout.side, layout.side), filled.marks[place], filled.panels.get(place)
    axes.set_gid(f"cell {place[0]} {place[1]}")
    middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    if panel:
        panels.draw(axes, panel, shared)
        if mark.word:
            box = {"facecolor": ALARM, "edgecolor": "none", "pad": 4}
            axes.text(0.5, 1.0, mark.word, fontsize=TEXT, weight="bold", color="white", bbox=box, **middle)
    else:
        axes.set(xticks=[], yticks=[], facecolor="0.94" if place in filled.records else "none")
        axes.text(0.5, 0.5, mark.word, fontsize=TEXT, color=ALARM if mark.alarm else QUIET, **middle)
    axes.spines[:].set(color=ALARM if mark.alarm else PALE, linewidth=4 if mark.alarm else 0.8)
    axes.spines[:].set_position(("outward", 2 if mark.alarm else 0))  # the frame covers nothing
    axes.spines[:].set_visible(place in filled.records)
    record = filled.records.get(place)
    if record and record.status == "done":
        below = y + layout.side + 0.1 + (TICKS if panel and panel.kind == "gaps" else 0.0)
        sheet.text(x + layout.side / 2, below, _figures(record), FIGURE, layout.across - 0.2, ha="center", va="top")


def _figures(record: Record) -> str:
    """The lines under a cell."""
    main = main_measure(record.task)
    value, gap = (formatting.number(record.metrics.get(name)) for name in (main, "gap_q50"))
    return f"{heading(main)} {value}\ngap {gap}"


def _bars(sheet: _Sheet, filled: FilledPage, shared: Scales, layout: _Layout) -> None:
    """The colour scales, right of the cells."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm

    x, height = layout.left + layout.across * len(layout.columns), min(layout.down * len(layout.rows) - UNDER, 6.0)
    if len(shared.levels):
        axes = sheet.axes(x, layout.top, 0.22, height)
        scale = ScalarMappable(**panels.colours(shared))
        bar = sheet.figure.colorbar(scale, cax=axes, extend="max", ticks=shared.levels[::2])
        bar.set_label("energy F above the lowest", fontsize=FIGURE)
        bar.ax.tick_params(labelsize=TEXT)
        x += BAR
    if shared.labels:
        axes = sheet.axes(x, layout.top, 0.22, min(height, 0.4 * shared.labels))
        tones = BoundaryNorm([number - 0.5 for number in range(shared.labels + 1)], shared.labels)
        colours = label_colours(shared.labels)
        bar = sheet.figure.colorbar(ScalarMappable(tones, colours), cax=axes, ticks=range(shared.labels), alpha=0.5)
        bar.set_label("label", fontsize=FIGURE)
        bar.ax.tick_params(labelsize=TEXT, length=0)


# --- words -----------------------------------------------------------------------------------------------------------

TRUTH = "truth"
TRUTHS = "Truth: what a perfect run would show, -log of the true density over β, or the likeliest label."
CAPTIONS = {
    "surface": "colour: F(y) above its lowest value in the cell, one scale for all, grey beyond it, in a collapsed "
    "cell the darker the lower; white lines: a valley of less than a step of the scale; points: data.",
    "curve": "colour: F(x, y) above its lowest value at each x, one scale for all, grey beyond it, in a collapsed "
    "cell the darker the lower; x to the right, y upwards; black line: the answer of lowest energy; points: data.",
    "labels": "colour: the label of lowest energy at each x; points: data, a colour and shape for each right label.",
    "gaps": "bars: the gap of each test word, hatched where it is read wrong, the same axes in all; the outer bars "
    "hold what lies beyond, those of a collapsed cell may be cut.",
}


def _subtitle(filled: FilledPage, sweep: str) -> str:
    page = filled.page
    parts = [f"rows: {cells.label(page.rows)}", f"columns: {cells.label(page.columns)}"]
    for name in ("energy", "seed"):
        values = {record.config[name] for record in filled.records.values()}
        if len(values) == 1 and name not in (page.rows, page.columns):
            parts.append(f"{name} {values.pop()}")
    return "; ".join([*parts, f"sweep {sweep}"])


def _caption(filled: FilledPage) -> str:
    tasks: dict[str, dict[str, None]] = {}  # by how they are drawn
    for panel in filled.panels.values():
        tasks.setdefault(panel.kind, {})[_short(panel.config["task"])] = None
    lines = [f"{' and '.join(names)}: {CAPTIONS[kind]}" for kind, names in tasks.items()]
    if len(tasks) == 1:
        lines = [_sentence(CAPTIONS[kind]) for kind in tasks]
    if filled.truths:
        lines.append(TRUTHS)
    lines.append("Under a cell: its key measure, and the median gap on held-out data.")
    if any(mark.alarm for mark in filled.marks.values()):
        lines.append("Red frame: collapsed or failed, as the word says.")
    if any(mark.word == cells.ABSENT for mark in filled.marks.values()):
        lines.append(f"{cells.ABSENT}: not in the sweep.")
    hidden = filled.page.hidden()
    return " ".join([*lines, *([_sentence(f"{hidden}.")] if hidden else [])])


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
