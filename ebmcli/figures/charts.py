"""`ebm plot --chart`: figures over seeds, with intervals: a measure of each row, its gap over training, and a measure
against a hyperparameter."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.texts import file_name, printable, quoted, shortened
from ebmcli.figures.files import NATURAL, Look, suffix_of, to_bytes
from ebmcli.figures.picture import series
from ebmcli.figures.style import MARKERS, PALETTE, own_style
from ebmcli.report import rows, statistics
from ebmcli.report.columns import accuracies, heading, main_measure
from ebmcli.report.rows import Row, RowKey
from ebmcli.report.statistics import Mean
from ebmcli.storage import store
from ebmcli.storage.output import deliver, is_stream
from ebmcli.storage.records import Record

ROWS, CURVES = "rows", "curves"  # the kinds of chart that need no hyperparameter
WIDTH, LINE, HIGH = 7.0, 0.28, 4.4  # inches: of all charts; of a row of the chart of rows; of the others
GAP = "gap_q50"
WIDE = 1e3  # values of both signs that lie so far apart stand on an axis that is linear about 0 alone
FOLLOWERS = ("energy", "head")  # settings that follow the loss, by which no line is told apart
DECADES = 30  # positive values of which one is so much larger than another stand on a logarithmic axis
LINES = ("-", "--", ":", "-.")
LONGEST = 40  # letters of a name
CAPTION = "mean and 95 % interval over seeds; a hollow point is of one run"


def draw_charts(
    folder: Path, chart: str, measure: str | None, task: str | None, output: Path | None, look: Look = NATURAL
) -> list[Path]:
    """Draw a chart of each task of a sweep; the files written. chart: rows, curves, or a hyperparameter that varies."""
    look.check()
    suffix = suffix_of(output)
    records = [record for record in store.records(folder) if record.status != "refused"]
    tasks = rows.in_order(records, "task")
    if task is not None and task not in tasks:
        raise unknown("task of this sweep", task, tasks)
    drawn: dict[Path, bytes] = {}
    chosen = [task] if task else tasks
    for name in chosen:
        figure = _chart(folder, [r for r in records if r.task == name], chart.replace("-", "_"), measure)
        plain = file_name(f"chart-{chart}-{name}")
        if output is None:
            path = folder / f"{plain}.png"
        else:
            path = output if len(chosen) == 1 else output.with_name(f"{output.stem}-{file_name(name)}{output.suffix}")
        drawn[path] = to_bytes(figure, suffix, "", look)
    if not drawn:
        raise UsageError(f"{quoted(folder)}: no run of this sweep was to be made, there is nothing to draw")
    if len(drawn) > 1 and output is not None and is_stream(output):
        raise UsageError(f"--output {quoted(output)}: {len(drawn)} charts do not go there together: name a --task")
    first, *others = drawn
    deliver(first, drawn[first], {path.name: drawn[path] for path in others})
    return [first, *others]


@own_style()
def _chart(folder: Path, records: Sequence[Record], chart: str, measure: str | None) -> Any:
    """The chart of the runs of one task. Raises UsageError where there is no such chart, or nothing to draw."""
    done = [record for record in records if record.status == "done"]
    if not done:
        raise UsageError(f"{records[0].task}: no run has finished, there is nothing to draw yet (ebm report shows why)")
    if chart == CURVES:
        if measure is not None:
            raise UsageError("--chart curves is of the gap: leave --measure out")
        return _curves(folder, rows.rows(records))
    name = _measure(done, measure)
    varied = [setting for setting in rows.varying(records) if setting not in FOLLOWERS]
    if chart == ROWS:
        return _rows(rows.rows(records), name)
    if chart in varied:
        return _against(records, chart, name)
    if chart in {setting for record in records for setting in record.config}:
        others = f", or {', '.join(varied)}" if varied else ""
        raise UsageError(f"--chart {chart}: no row differs from another in it here, say {ROWS}, {CURVES}{others}")
    raise unknown("chart", chart, [ROWS, CURVES, *varied])


def _measure(done: Sequence[Record], measure: str | None) -> str:
    """The measure that is drawn: the one that is asked for, or the task's main one."""
    present = [name for name in [GAP, *accuracies()] if any(record.metrics.get(name) is not None for record in done)]
    name = measure or main_measure(done[0].task)
    if name not in present:
        raise unknown("measure of this sweep", name, present)
    return name


# --- the charts ------------------------------------------------------------------------------------------------------


def _rows(table_rows: Sequence[Row], name: str) -> Any:
    """A measure of each row of the tables, as a point with its interval."""
    shown = [row for row in table_rows if row.done]
    figure, axes = _figure(1.2 + LINE * len(shown))
    estimates = [_estimate(row, name) for row in shown]
    losses = list(dict.fromkeys(row.key.loss for row in shown))
    for place, (row, estimate) in enumerate(zip(shown, estimates, strict=True)):
        _point(axes.errorbar, estimate, place, losses.index(row.key.loss), "x")
    axes.set_yticks(range(len(shown)), [_short(row.key.text) for row in shown], parse_math=False)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    _scale(axes.set_xscale, estimates)
    axes.set_xlabel(heading(name, True))
    figure.suptitle(f"{_short(shown[0].key.task)}: {CAPTION}", fontsize=10, parse_math=False)
    return figure


def _against(records: Sequence[Record], setting: str, name: str) -> Any:
    """A measure against a hyperparameter: a line for each of what else tells rows apart."""
    lines: dict[str, list[tuple[Any, Mean]]] = {}
    for row in rows.rows(records):
        if row.done:
            others = {other: value for other, value in row.key.varied.items() if other not in (setting, *FOLLOWERS)}
            line = RowKey(row.key.task, row.key.loss, row.key.sampler, others).text
            lines.setdefault(line, []).append((row.key.varied.get(setting), _estimate(row, name)))
    lines = {line: known for line, points in lines.items() if (known := [p for p in points if p[0] is not None])}
    values = list(dict.fromkeys(value for points in lines.values() for value, _ in points))
    numbers = all(isinstance(value, int | float) for value in values)
    figure, axes = _figure(HIGH)
    for number, (line, points) in enumerate(lines.items()):
        ordered = sorted(points, key=lambda point: values.index(point[0]) if not numbers else point[0])
        places = [value if numbers else values.index(value) for value, _ in ordered]
        style = {"color": PALETTE[number % len(PALETTE)], "linestyle": LINES[number // len(PALETTE) % len(LINES)]}
        style["marker"] = MARKERS[number % len(MARKERS)]
        axes.plot(places, [estimate.mean for _, estimate in ordered], label=_short(line), markersize=3, **style)
        for place, (_, estimate) in zip(places, ordered, strict=True):
            _point(axes.errorbar, estimate, place, number, "y")
    if numbers and min(values) > 0 and max(values) >= 8 * min(values):
        axes.set_xscale("log")
    if numbers:
        axes.set_xticks(sorted(values), [f"{value:g}" for value in sorted(values)])
        axes.minorticks_off()
    else:
        axes.set_xticks(range(len(values)), [_short(str(value)) for value in values], parse_math=False)
    _scale(axes.set_yscale, [estimate for points in lines.values() for _, estimate in points])
    axes.set_xlabel(setting.replace("_", " "))
    axes.set_ylabel(heading(name, True))
    return _finished(figure, axes, records[0].task, CAPTION)


def _curves(folder: Path, table_rows: Sequence[Row]) -> Any:
    """The median gap of each row over training: its mean over seeds, and a band that is its interval."""
    figure, axes = _figure(HIGH)
    task, lines = table_rows[0].key.task, 0
    everything = []
    for row in table_rows:
        members = [member for member in row.members if member.status == "done"]
        known = [store.curves(folder / "runs" / member.id) for member in members]
        whole = [(series(curves, "step"), series(curves, GAP)) for curves in known if curves]
        common = [gaps for steps, gaps in whole if len(gaps) == len(whole[0][1])]
        if not common or not np.isfinite(common).any():
            continue
        at_steps = [[None if np.isnan(gap) else float(gap) for gap in gaps] for gaps in zip(*common, strict=True)]
        estimates = [statistics.mean(gaps) for gaps in at_steps]
        means, low, high = (np.array([_number(value) for value in column]) for column in _columns(estimates))
        colour = PALETTE[lines % len(PALETTE)]
        style = {"color": colour, "linestyle": LINES[lines // len(PALETTE) % len(LINES)], "markevery": 0.15}
        axes.plot(whole[0][0], means, marker=MARKERS[lines % len(MARKERS)], label=_short(row.key.text), **style)
        axes.fill_between(whole[0][0], low, high, color=colour, alpha=0.2, linewidth=0)
        everything += [means[np.isfinite(means)]]
        lines += 1
    if not lines:
        raise UsageError(f"{task}: no run of this sweep has left a curve of its gap")
    axes.axhline(0, color="0.6", linewidth=0.8)
    values = np.concatenate(everything)
    if np.ptp(values) > WIDE:
        axes.set_yscale("symlog", linthresh=1)
    axes.set_xlabel("step")
    axes.set_ylabel("median gap F(offending) - F(right)")
    return _finished(figure, axes, task, "mean over seeds and its 95 % interval, measured on the way")


# --- pieces ----------------------------------------------------------------------------------------------------------


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _finished(figure: Any, axes: Any, task: str, caption: str) -> Any:
    axes.grid(alpha=0.3)
    figure.suptitle(f"{_short(task)}: {caption}", fontsize=10, parse_math=False)
    legend = figure.legend(loc="outside lower center", fontsize=9, frameon=False, ncols=2)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _estimate(row: Row, name: str) -> Mean:
    return statistics.mean([metrics.get(name) for metrics in row.done])


def _point(errorbar: Callable[..., Any], estimate: Mean, place: float, number: int, along: str) -> None:
    """A mean with its interval; hollow where there is none."""
    if estimate.mean is None:
        return
    colour, known = PALETTE[number % len(PALETTE)], estimate.low is not None and estimate.high is not None
    reach = [[estimate.mean - _number(estimate.low)], [_number(estimate.high) - estimate.mean]] if known else None
    face = {"markerfacecolor": colour if known else "white", "markeredgecolor": colour, "color": colour}
    style = {"marker": MARKERS[number % len(MARKERS)], "markersize": 4.5, "capsize": 4, "linestyle": "none", **face}
    if along == "x":
        errorbar([estimate.mean], [place], xerr=reach, **style)
    else:
        errorbar([place], [estimate.mean], yerr=reach, **style)


def _columns(estimates: Sequence[Mean]) -> list[list[float | None]]:
    return [[getattr(estimate, name) for estimate in estimates] for name in ("mean", "low", "high")]


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _scale(set_scale: Callable[..., Any], estimates: Sequence[Mean]) -> None:
    """A logarithmic axis where positive means span decades; one of both signs where others do."""
    means = np.array([estimate.mean for estimate in estimates if estimate.mean is not None])
    if not len(means):
        return
    if means.min() > 0 and means.max() > DECADES * means.min():
        set_scale("log")
    elif means.min() <= 0 and np.ptp(means) > WIDE:
        set_scale("symlog", linthresh=1)


def _short(name: str) -> str:
    return shortened(printable(name), LONGEST)
