"""`ebm plot --chart`: what stands on a chart, read off the figure."""

import numpy as np
import pytest
from helpers.pages import record
from helpers.shell import run_here

from ebmcli.figures import charts
from ebmcli.storage import store


def of_seeds(loss, values, **settings):
    """Runs of a loss over seeds, with these values of kl."""
    runs = [record(loss, seed=seed, **settings) for seed, _ in enumerate(values)]
    for run, value in zip(runs, values, strict=True):
        run.metrics["kl"] = value
    return runs


def chart(folder, kind, measure=None):
    """The axes of the chart of a sweep of one task."""
    figure = charts._chart(folder, store.records(folder), kind, measure)
    figure.canvas.draw()
    return figure.axes[0]


def intervals(axes, along):
    """(mean, low, high) of each point with an interval, in the order drawn."""
    found = []
    for container in axes.containers:
        data, _, bars = container
        if bars:
            ends = bars[0].get_segments()[0][:, along]
            found.append((data.get_xydata()[0][along], *ends))
    return found


def test_a_measure_of_each_row_has_its_interval_and_a_lone_run_is_hollow(sweep):
    axes = chart(sweep([*of_seeds("hinge", [1.0, 2.0, 3.0]), *of_seeds("log", [1.5])]), "rows")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["hinge with langevin", "log with langevin"]
    assert axes.get_xlabel() == "kl ↓"
    ((mean, low, high),) = intervals(axes, 0)
    half = 4.302653 / np.sqrt(3)  # Student's t of two degrees of freedom
    assert (mean, low, high) == pytest.approx((2.0, 2 - half, 2 + half))
    faces = [container[0].get_markerfacecolor() for container in axes.containers]
    assert (faces[0] == "white", faces[1] == "white") == (False, True)


def test_values_that_span_decades_stand_on_a_logarithmic_axis(sweep):
    axes = chart(sweep([*of_seeds("hinge", [0.01, 0.02]), *of_seeds("log", [10.0, 11.0])]), "rows")
    assert axes.get_xscale() == "log"


def test_a_measure_against_a_hyperparameter_is_a_line_for_each_loss(sweep):
    runs = [
        run
        for loss, slope in (("hinge", 1.0), ("log", 2.0))
        for margin in (2.0, 0.5, 1.0)
        for run in of_seeds(loss, [slope * margin, slope * margin + 0.1], margin=margin)
    ]
    axes = chart(sweep(runs), "margin")
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["hinge with langevin", "log with langevin"]
    np.testing.assert_allclose(lines[1].get_xydata(), [[0.5, 1.05], [1.0, 2.05], [2.0, 4.05]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("margin", "kl ↓")
    assert len(intervals(axes, 1)) == 6


def test_curves_are_means_over_seeds_with_bands(sweep):
    folder = sweep([*of_seeds("hinge", [1.0, 1.0]), *of_seeds("log", [1.0])])
    for run in store.records(folder):
        for step in (0, 10, 20):
            gap = step / 10 + run.config["seed"]
            store.append_curve(folder / "runs" / run.id, {"step": step, "gap_q50": gap})
    axes = chart(folder, "curves")
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines["hinge with langevin"] == [[0, 0.5], [10, 1.5], [20, 2.5]]
    assert lines["log with langevin"] == [[0, 0], [10, 1], [20, 2]]
    band = axes.collections[0].get_paths()[0].get_extents()
    assert band.y0 < 0 < 0.5 < band.y1


@pytest.fixture
def plot(tmp_path):
    return lambda *arguments, code=0: run_here(tmp_path, "plot", *arguments, code=code)


def test_the_command_writes_a_chart_a_task_and_says_where(sweep, plot, tmp_path):
    sweep([record(task=task, lr=lr) for task in ("moons", "classes") for lr in (0.1, 0.2)])
    assert plot("--chart", "lr")[0] == "results/x/chart-lr-moons.png\nresults/x/chart-lr-classes.png\n"
    assert plot("--chart", "rows", "--task", "classes", "--output", "a.pdf", "--width", "3.3")[0] == "a.pdf\n"
    assert b"/CIDFontType2" in (tmp_path / "a.pdf").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--chart", "beta"], "--chart beta: no row differs from another in it here, say rows, curves, or lr"),
        (["--chart", "seed"], "no row differs from another in it here"),
        (["--chart", "rws"], "did you mean rows?"),
        (["--chart", "rows", "--measure", "gip"], "unknown measure of this sweep"),
        (["--chart", "curves", "--measure", "kl"], "leave --measure out"),
        (["--chart", "curves"], "no run of this sweep has left a curve of its gap"),
        (["--chart", "rows", "--seed", "0"], "leave --grid and --seed out"),
        (["--chart", "rows", "--grid", "loss,seed"], "leave --grid and --seed out"),
        (["--chart", "rows", "--task", "classes"], "unknown task of this sweep"),
        (["--chart", "rows", "--output", "a.gif"], "the name ends in .png, .pdf, .svg"),
    ],
)
def test_wrong_turns_are_one_sentence_and_leave_nothing(sweep, plot, arguments, words):
    folder = sweep([record(lr=0.1), record(lr=0.2)])
    before = sorted(folder.rglob("*"))
    out, err = plot(*arguments, code=2)
    assert (out, err.count("\n")) == ("", 1)
    assert words in err
    assert sorted(folder.rglob("*")) == before


def test_a_sweep_of_which_nothing_is_finished_is_one_sentence(sweep, plot):
    sweep([record(status="pending")])
    assert "no run has finished" in plot("--chart", "rows", code=2)[1]
