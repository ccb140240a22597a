"""`ebm plot`: what stands on a page, read off the figure, not its pixels; and what the command says."""

import re

import numpy as np
import pytest
from helpers.pages import ARRAYS, BOWL, pages, record
from helpers.shell import run_here

from ebmcli.core.registry import find
from ebmcli.figures import files, page, panels
from ebmcli.metrics.density import grid
from ebmcli.storage import store


def drawn(folder, grid="loss,sampler"):
    """The figure of the only page, drawn; its texts; the texts and the frame of each cell."""
    (found,) = pages(store.records(folder), grid)
    figure = page.figure(page.load(folder, found), folder.name)
    figure.canvas.draw()
    cells = {}
    for axes in figure.axes:
        if (axes.get_gid() or "").startswith("cell"):
            words = [text.get_text() for text in axes.texts]
            frame = axes.spines["left"].get_edgecolor()[:3] if axes.spines["left"].get_visible() else None
            cells[tuple(map(int, axes.get_gid().split()[1:]))] = words, frame
    return figure, [text.get_text() for text in figure.texts], cells


# --- the figure ------------------------------------------------------------------------------------------------------


def test_a_page_names_its_rows_and_columns_and_marks_its_cells(sweep):
    from matplotlib.colors import to_rgb

    records = [
        record("hinge", "uniform"), record("hinge", "quadrature", verdict="flat"),
        record("nll", "uniform", status="refused"), record("nll", "quadrature"),
        record("log", "uniform", status="diverged", verdict="diverged"), record("log", "quadrature", status="failed"),
        record("energy", "none", status="pending"),
    ]  # fmt: skip
    records[4].metrics["diverged_step"] = 37
    figure, texts, cells = drawn(sweep(records))
    assert texts[:3] == ["moons", "rows: loss; columns: negatives; energy mlp; seed 0; sweep x", texts[2]]
    assert {"hinge", "nll", "log", "energy", "uniform", "quadrature", "none", "kl 0.125\ngap 2.50"} <= set(texts)
    assert texts.count("kl 0.125\ngap 2.50") == 3, "under what has finished"
    red, grey = to_rgb(page.ALARM), to_rgb(page.PALE)
    assert cells[0, 0] == ([], grey)
    assert cells[0, 1] == (["flat"], red)
    assert cells[0, 2] == (["–"], None)
    assert cells[1, 0] == (["refused"], grey)
    assert cells[2, 0] == (["diverged\nat step 37"], red)
    assert cells[2, 1] == (["failed"], red)
    assert cells[3, 2] == (["pending"], grey)
    assert len(cells) == 12
    assert texts.count("truth") == 1
    for words in ("above its lowest value in the cell, one scale", "Red frame: collapsed", "–: not in the sweep"):
        assert words in texts[2].replace("\n", " ")
    (bar,) = [axes for axes in figure.axes if axes.get_ylabel()]
    assert bar.get_ylabel() == "energy F above the lowest"


def test_no_text_of_a_page_overlaps_another(sweep):
    """With the longest names there are, and figures as long as they get."""
    losses, samplers = ("denoising-score-matching", "square-square", "energy"), ("loss-augmented", "most-offending")
    records = [record(loss, sampler, "parabola") for loss in losses for sampler in samplers]
    for one in records:
        one.metrics.update({"answer_error": 1.234e-9, "gap_q50": -1.234e9})
    figure, _, _ = drawn(sweep(records))
    renderer = figure.canvas.get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in figure.texts if text.get_text()]
    for number, (text, box) in enumerate(boxes):
        assert figure.bbox.contains(box.x0, box.y0), text
        assert figure.bbox.contains(box.x1, box.y1), text
        for other, its in boxes[number + 1 :]:
            assert not box.overlaps(its), (text, other)


@pytest.mark.parametrize("task", ARRAYS)
def test_every_kind_of_task_has_a_page(sweep, task):
    records = [record(task=task), record("log", task=task, verdict="flat")]
    figure, texts, cells = drawn(sweep(records))
    assert texts[0] == task
    assert set(cells) == {(0, 0), (1, 0)}
    assert {axes.get_ylabel() for axes in figure.axes} - {""} == {
        "moons": {"energy F above the lowest"}, "8gaussians": {"energy F above the lowest"},
        "parabola": {"energy F above the lowest"}, "classes": {"label"}, "letters": set(),
    }[task]  # fmt: skip


@pytest.mark.parametrize("energy", [BOWL, 0 * BOWL, 1e9 * BOWL, 1e-12 * BOWL, 5e8 + BOWL, 3e38 * np.sign(BOWL - 9)])
@pytest.mark.parametrize("verdict", ["healthy", "unbounded"])
def test_awkward_energies_are_drawn(sweep, energy, verdict):
    drawn(sweep([record(), record("log", verdict=verdict)], energy=energy.astype(np.float32)))


def test_tasks_side_by_side_are_told_apart(sweep):
    figure, texts, cells = drawn(sweep([record(task=task) for task in ARRAYS]), "task,loss")
    assert (texts[0], len(cells)) == ("all tasks", 5)
    assert "moons and 8gaussians: colour: F(y) above" in texts[2].replace("\n", " ")
    assert len([axes for axes in figure.axes if axes.get_ylabel()]) == 2


@pytest.mark.parametrize(
    ("task", "known"), [("moons", True), ("classes", True), ("parabola", False), ("letters", False)]
)
def test_the_truth_stands_beside_the_runs_where_it_is_known(sweep, task, known):
    figure, texts, cells = drawn(sweep([record(task=task), record("log", task=task)]))
    places = sorted(axes.get_gid() for axes in figure.axes if (axes.get_gid() or "").startswith("truth"))
    assert places == (["truth 0", "truth 1"] if known else [])
    assert ("truth" in texts) is known
    assert ("Truth: what a perfect run" in texts[2].replace("\n", " ")) is known
    assert len(cells) == 2


def test_the_truth_of_a_density_is_its_energy_at_the_temperature_of_the_run():
    """A perfect run: exp(-beta F) is the density, up to a constant."""
    panel = panels.Panel(record(beta=2.0).config, ARRAYS["moons"], True)
    energy = panels.truth_beside(panel).arrays["energy"]
    task = find("task", "moons").build({})
    log_density = task.truth(grid((-5.0, 5.0), len(BOWL))).reshape(BOWL.shape)
    np.testing.assert_allclose(-2.0 * energy, log_density)


def test_the_truth_of_labels_is_the_likeliest_of_each_question():
    panel = panels.Panel(record(task="classes").config, ARRAYS["classes"], True)
    label = panels.truth_beside(panel).arrays["label"]
    task = find("task", "classes").build({})
    assert label[1, 6] == task.truth(grid((-4.0, 4.0), 8))[1 * 8 + 6].argmax()
    assert len(np.unique(label)) == 5


def test_tasks_across_have_no_column_of_truth(sweep):
    _, texts, _ = drawn(sweep([record(task=task) for task in ("moons", "8gaussians")]), "loss,task")
    assert "truth" not in texts


def colours_of(panel, others):
    """The colours that a cell shows beside these."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 2))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    panels.draw(axes, panel, panels.scales([panel, *others]))
    for drawn_line in axes.lines:
        drawn_line.set_visible(False)
    figure.canvas.draw()
    return np.unique(np.asarray(figure.canvas.buffer_rgba())[5:-5, 5:-5].reshape(-1, 4), axis=0)


@pytest.mark.parametrize("scale", [1e9, 1e-3])
def test_a_collapsed_valley_is_seen_beside_a_healthy_cell(scale):
    """One far above the scale in shades of grey, one far below a step of it by lines; a flat one has neither."""
    healthy = panels.Panel(record().config, ARRAYS["moons"], True)
    valley = panels.Panel(record().config, ARRAYS["moons"] | {"energy": scale * BOWL}, False)
    flat = panels.Panel(record().config, ARRAYS["moons"] | {"energy": 0 * BOWL}, False)
    assert len(colours_of(valley, [healthy])) >= 6
    assert len(colours_of(flat, [healthy])) == 2, "its own, and the blank beside the outermost middles of cells"


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def plot(tmp_path):
    return lambda *arguments, code=0: run_here(tmp_path, "plot", *arguments, code=code)


def test_it_writes_a_page_a_task_and_says_where(sweep, plot):
    folder = sweep([record(task=task, lr=lr) for task in ("moons", "classes") for lr in (0.1, 0.2)])
    out, err = plot()
    assert out == "results/x/grid-moons.png\nresults/x/grid-classes.png\n"
    assert "moons: several runs fall on a cell, shown is the first: lr 0.1 (of 0.1, 0.2)" in err
    assert (folder / "grid-classes.png").read_bytes()[:4] == b"\x89PNG"
    assert not list(folder.glob(".*"))
    first = (folder / "grid-moons.png").read_bytes()
    assert plot("x", "--task", "moons", "--grid", "lr,loss")[0] == "results/x/grid-moons.png\n"
    assert (folder / "grid-moons.png").read_bytes() != first


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")])
def test_the_suffix_says_what_is_written_and_twice_it_is_the_same(sweep, plot, tmp_path, name, begins):
    sweep([record()])
    found = []
    for _ in range(2):
        assert plot("--output", name)[0] == f"{name}\n"
        found.append((tmp_path / name).read_bytes())
    assert found[0][: len(begins)] == begins
    assert found[0] == found[1]


def test_a_page_is_as_wide_and_as_sharp_as_asked_and_holds_fonts_that_can_be_searched(sweep, plot, tmp_path):
    import matplotlib.image

    sweep([record()])
    plot("--output", "a.png", "--width", "4", "--dpi", "50")
    assert matplotlib.image.imread(tmp_path / "a.png").shape[1] == 200
    plot("--output", "a.pdf", "--width", "4")
    content = (tmp_path / "a.pdf").read_bytes()
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ", content)
    assert float(box) == pytest.approx(4 * 72)
    assert b"/Type3" not in content
    assert b"/CIDFontType2" in content


def test_a_narrower_page_has_smaller_text_in_proportion(sweep):
    figure, _, _ = drawn(sweep([record()]))
    before = {text: text.get_fontsize() for text in figure.texts}
    width = figure.get_size_inches()[0]
    files.to_bytes(figure, ".svg", "", files.Look(width / 2))
    assert figure.get_size_inches()[0] == pytest.approx(width / 2)
    assert [text.get_fontsize() for text in before] == pytest.approx([size / 2 for size in before.values()])


def test_several_pages_share_an_output_by_the_name_of_the_task(sweep, plot):
    sweep([record(task="moons"), record(task="classes"), record(task="letters", status="refused")])
    out, err = plot("--output", "a.svg")
    assert out.split() == ["a-moons.svg", "a-classes.svg"]
    assert "letters: no run has left anything to draw, no page" in err
    assert plot("--output", "a.svg", "--task", "classes")[0] == "a.svg\n"
    assert plot("--grid", "task,loss")[0] == "results/x/grid-tasks.png\n"


def test_a_cell_without_arrays_says_so_and_the_others_are_drawn(sweep, plot):
    lost = record("log")
    sweep([record(), lost], without=[lost.id])
    assert "1 finished runs have no arrays.npz any more" in plot()[1]


@pytest.mark.parametrize(
    ("records", "arguments", "words"),
    [
        ([record()], ["--output", "a.gif"], "the name ends in .png, .pdf, .svg"),
        ([record()], ["--output", "a"], "the name ends in .png, .pdf, .svg"),
        ([record()], ["--grid", "loss,los"], "did you mean loss?"),
        ([record()], ["--grid", "loss,beta"], "beta does not vary"),
        ([record()], ["--task", "classes"], "unknown task of this sweep"),
        ([record()], ["--width", "0.5"], "--width 0.5: a width in inches, 1 to 100"),
        ([record()], ["--width", "nan"], "--width nan: a width in inches"),
        ([record()], ["--dpi", "5"], "--dpi 5: dots an inch, 10 to 2,400"),
        ([record()], ["--dpi", "2400", "--width", "50"], "a .pdf or .svg is sharp at any size"),
        ([record()], ["--measure", "kl"], "--measure is of a chart"),
        ([record()], ["--seed", "9"], "the seeds of this sweep are 0"),
        ([record()], ["y"], "unknown sweep 'y'"),
        ([record(task="nowhere")], [], "unknown task 'nowhere'"),
        ([], [], "this sweep is empty"),
        ([record(status="pending")], [], "no run of these has finished"),
        ([record(f"l{n}", f"s{n}", status="pending") for n in range(23)], [], "23 x 23 cells, 500 at most"),
    ],
)
def test_wrong_turns_are_one_sentence(sweep, plot, records, arguments, words):
    folder = sweep(records, without=[one.id for one in records if one.task == "nowhere"])
    before = sorted(folder.rglob("*"))
    out, err = plot(*arguments, code=2)
    assert (out, err.count("\n")) == ("", 1)
    assert words in err
    assert sorted(folder.rglob("*")) == before


def test_a_sweep_whose_arrays_are_gone_is_one_sentence(sweep, plot):
    sweep([record()], without=[record().id])
    out, err = plot(code=2)
    assert out == ""
    assert "its finished runs have no arrays.npz any more" in err
