"""`ebm plot`: which run stands in which cell, how it is marked, what is said; read off the figure, not its pixels."""

import sys

import numpy as np
import pytest

from ebmcli.cli import app as cli
from ebmcli.core.errors import UsageError
from ebmcli.figures import cells as multiples
from ebmcli.figures import page, panels
from ebmcli.storage import store

SIDE = np.linspace(-5, 5, 16)
BOWL = np.add.outer(SIDE**2, SIDE**2).astype(np.float32)
POINTS = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
X = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
ARRAYS = {
    "moons": {"energy": BOWL, "y": POINTS},
    "8gaussians": {"energy": BOWL, "y": POINTS},
    "parabola": {"energy": (X**2 - np.linspace(-1, 2, 30)) ** 2, "questions": X, "x": X, "y": X**2},
    "classes": {
        "label": np.arange(64).reshape(8, 8) % 5, "shown": np.array([-4.0, 4.0]), "x": POINTS, "y": np.arange(8) % 5,
    },
    "letters": {"right": np.zeros(50, np.float32), "offending": np.linspace(-3, 5, 50, dtype=np.float32)},
}  # fmt: skip
MEASURES = {"moons": "kl", "8gaussians": "kl", "parabola": "answer_error", "classes": "error", "letters": "cer"}


def record(loss="hinge", sampler="langevin", task="moons", seed=0, status="done", verdict="healthy", **settings):
    config = {"task": task, "loss": loss, "sampler": sampler, "energy": "mlp", "seed": seed, "beta": 1.0} | settings
    told = "-".join(map(str, settings.values()))
    metrics = {
        "auroc": 0.9,
        MEASURES.get(task, "kl"): 0.125,
        "gap_q50": 2.5,
        "verdict": verdict,
        "verdict_reason": "so",
    }
    return {
        "id": f"{loss}-{sampler}-{task}-s{seed}-{told}", "status": status, "config": config,
        "metrics": metrics if status in store.FINISHED else {}, "seconds": {}, "provenance": {},
    }  # fmt: skip


@pytest.fixture
def sweep(tmp_path):
    """Writes records as a sweep leaves them on disk, with arrays; returns its folder."""

    def written(records, name="x", without=(), **arrays):
        folder = tmp_path / "results" / name
        folder.mkdir(parents=True)
        cells = [
            {"id": r["id"], "config": r["config"], "refused": "no" if r["status"] == "refused" else ""} for r in records
        ]
        store.save_manifest(folder, {"created": "2026-01-01T00:00:00Z", "command": "ebm sweep", "cells": cells})
        for one in records:
            if one["status"] in ("refused", "pending"):
                continue
            run = store.claim(folder, one["id"], one["config"])
            if one["status"] == "failed":
                store.save_failure(run, {"kind": "failed", "message": "so"})
            if one["metrics"]:
                store.save_result(run, one)
            if one["status"] == "done" and one["id"] not in without:
                store.save_arrays(run / "arrays.npz", ARRAYS[one["config"]["task"]] | arrays)
        return folder

    return written


def pages(records, grid="loss,sampler", **chosen):
    return multiples.pages(records, *multiples.axes(grid, records), **chosen)


def ids(found):
    return {place: [member["id"] for member in members] for place, members in found.cells.items()}


# --- which run stands where ------------------------------------------------------------------------------------------


def test_rows_and_columns_keep_the_order_of_the_manifest():
    records = [record(loss, sampler) for loss in ("nll", "hinge") for sampler in ("uniform", "cd")]
    (found,) = pages(records)
    assert (found.row_values, found.column_values) == (["nll", "hinge"], ["uniform", "cd"])
    assert ids(found)[1, 0] == ["hinge-uniform-moons-s0-"]
    assert found.hidden() == ""
    (turned,) = pages(records, "sampler,loss")
    assert ids(turned)[0, 1] == ["hinge-uniform-moons-s0-"]


def test_numbers_rise_and_runs_without_the_setting_come_last():
    records = [record("nll")] + [record(margin=margin) for margin in (10.0, 0.5, 2.0)]
    (found,) = pages(records, "margin,loss")
    assert found.row_values == [0.5, 2.0, 10.0, None]
    assert [found.heading("margin", value) for value in found.row_values] == [
        "margin 0.5", "margin 2", "margin 10", "no margin",
    ]  # fmt: skip
    assert ids(found)[3, 0] == ["nll-langevin-moons-s0-"]
    assert (0, 0) not in found.cells


def test_a_page_a_task_of_the_lowest_seed_unless_told_otherwise():
    records = [record(task=task, seed=seed) for task in ("moons", "classes") for seed in (3, 1, 2)]
    assert [(one.task, ids(one)) for one in pages(records)] == [
        ("moons", {(0, 0): ["hinge-langevin-moons-s1-"]}), ("classes", {(0, 0): ["hinge-langevin-classes-s1-"]}),
    ]  # fmt: skip
    (found,) = pages(records, task="classes", seed=3)
    assert ids(found) == {(0, 0): ["hinge-langevin-classes-s3-"]}
    (found,) = pages(records, "task,seed")
    assert (found.task, found.row_values, found.column_values) == (None, ["moons", "classes"], [1, 2, 3])


def test_of_several_runs_the_first_is_shown_and_the_others_are_told():
    records = [record(loss, lr=lr) for lr in (0.1, 0.01) for loss in ("hinge", "log")]
    (found,) = pages(records)
    assert found.shown()[1, 0]["config"]["lr"] == 0.1
    assert found.hidden() == "several runs fall on a cell, shown is the first: lr 0.1 (of 0.1, 0.01)"
    many = [record(sampler=f"s{n}") for n in range(9)]
    assert pages(many, "loss,energy")[0].hidden().endswith("negatives s0 (of 9 values)")


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ("loss", "name the rows and the columns"),
        ("loss,", "name the rows and the columns"),
        ("loss,sampler,seed", "name the rows and the columns"),
        ("loss,loss", "two different"),
        ("losses,sampler", "unknown axis 'losses': did you mean loss?"),
        ("loss,margni", "unknown axis 'margni': did you mean margin?"),
        ("loss,beta", "beta does not vary in this sweep, use two of loss, sampler, energy, task, seed, margin"),
        ("loss,steps", "steps does not vary"),  # between the tasks it does
    ],
)
def test_axes_that_make_no_page(grid, words):
    records = [record(margin=margin, steps=10) for margin in (1.0, 2.0)] + [record(task="classes", steps=20)]
    with pytest.raises(UsageError, match=words.replace("?", "\\?")):
        multiples.axes(grid, records)


def test_choices_that_are_not_in_the_sweep():
    with pytest.raises(UsageError, match="unknown task of this sweep 'moon': did you mean moons"):
        pages([record()], task="moon")
    with pytest.raises(UsageError, match="--seed 7: the seeds of this sweep are 0, 2"):
        pages([record(seed=2), record(seed=0)], seed=7)


def test_a_page_has_500_cells_at_most():
    records = [record(f"l{n}", f"s{n}") for n in range(22)]
    assert len(pages(records)[0].row_values) == 22  # the whole zoo of losses and negatives fits
    with pytest.raises(UsageError, match=r"23 x 22 cells, 500 at most"):
        pages([*records, record("l22", "s0")])


@pytest.mark.parametrize(
    ("one", "drawable", "expected"),
    [
        (None, False, ("–", False)),
        (record(), True, ("", False)),
        (record(), False, ("no arrays", True)),
        (record(verdict="flat"), True, ("flat", True)),
        (record(status="refused"), False, ("refused", False)),
        (record(status="failed"), False, ("failed", True)),
        (record(status="killed"), False, ("killed", True)),
        (record(status="pending"), False, ("pending", False)),
        (record(status="running"), False, ("running", False)),
        (record(status="diverged"), False, ("diverged", True)),
    ],
)
def test_marks(one, drawable, expected):
    assert multiples.mark(one, drawable) == expected


# --- scales ----------------------------------------------------------------------------------------------------------


def panel(task, healthy=True, beta=1.0, **arrays):
    return panels.Panel({"task": task, "beta": beta}, ARRAYS[task] | arrays, healthy)


def test_one_scale_of_energies_reaches_what_healthy_cells_need_and_no_further_than_the_cap():
    def top(*chosen):
        return panels.scales(chosen).levels[-1]

    assert top(panel("moons")) == 12
    assert top(panel("moons", energy=BOWL / 10)) == pytest.approx(BOWL.max() / 10, rel=0.2)
    assert top(panel("moons", energy=BOWL / 10), panel("moons", healthy=False, energy=1e9 * BOWL)) < 7
    assert top(panel("moons", healthy=False, energy=1e9 * BOWL)) == 12
    assert top(panel("moons", energy=0 * BOWL)) == 12
    assert top(panel("moons"), panel("moons", beta=0.5)) == 24
    assert panels.scales([panel("classes")]).levels.size == 0


def test_an_energy_is_shown_above_its_lowest_in_the_cell_and_on_a_curve_at_each_x():
    assert panel("moons", energy=BOWL - 1e6).above().min() == 0
    shifted = ARRAYS["parabola"]["energy"] + 100 * X
    np.testing.assert_allclose(panel("parabola", energy=shifted).above().min(axis=1), 0)
    assert np.isfinite(panel("moons", energy=3e38 * np.sign(BOWL - BOWL.mean())).above()).all()


def test_bars_of_gaps_have_an_edge_at_0_and_hold_every_word():
    far = np.append(np.linspace(-3, 5, 498), [-1e9, 1e9])
    many = panel("letters", right=np.zeros(500), offending=far)
    shared = panels.scales([many])
    assert np.isclose(shared.edges, 0).any()
    assert -4 < shared.edges[0] < shared.edges[-1] < 6
    assert panels._shares(many, shared.edges).sum() == pytest.approx(1)
    flat = panels.scales([panel("letters", offending=np.zeros(50))])
    assert flat.highest == 1


def test_a_run_whose_arrays_are_missing_or_not_finite_is_not_drawn():
    assert panel("moons").drawable
    assert not panels.Panel({"task": "moons"}, {"energy": BOWL}, True).drawable
    assert not panel("moons", energy=np.full_like(BOWL, np.nan)).drawable


# --- the figure ------------------------------------------------------------------------------------------------------


def drawn(folder, grid="loss,sampler"):
    """The figure of the only page, drawn; its texts; the texts and the frame of each cell."""
    records = store.records(folder)
    (found,) = multiples.pages(records, *multiples.axes(grid, records))
    shown = page.load(folder, found)
    figure = page.figure(shown, folder.name)
    figure.canvas.draw()
    cells = {}
    for axes in figure.axes:
        if (axes.get_gid() or "").startswith("cell"):
            words = [text.get_text() for text in axes.texts]
            frame = axes.spines["left"].get_edgecolor()[:3] if axes.spines["left"].get_visible() else None
            cells[tuple(map(int, axes.get_gid().split()[1:]))] = words, frame
    return figure, [text.get_text() for text in figure.texts], cells


def test_a_page_names_its_rows_and_columns_and_marks_its_cells(sweep):
    from matplotlib.colors import to_rgb

    records = [
        record("hinge", "uniform"), record("hinge", "quadrature", verdict="flat"),
        record("nll", "uniform", status="refused"), record("nll", "quadrature"),
        record("log", "uniform", status="diverged", verdict="diverged"), record("log", "quadrature", status="failed"),
        record("energy", "none", status="pending"),
    ]  # fmt: skip
    records[4]["metrics"]["diverged_step"] = 37
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
    for words in ("above its lowest value in the cell, one scale", "Red frame: collapsed", "–: not in the sweep"):
        assert words in texts[2].replace("\n", " ")
    (bar,) = [axes for axes in figure.axes if axes.get_ylabel()]
    assert bar.get_ylabel() == "energy F above the lowest"


def test_no_text_of_a_page_overlaps_another(sweep):
    """With the longest names there are, and figures as long as they get."""
    losses, samplers = ("denoising-score-matching", "square-square", "energy"), ("loss-augmented", "most-offending")
    records = [record(loss, sampler, "parabola") for loss in losses for sampler in samplers]
    for one in records:
        one["metrics"] |= {"answer_error": 1.234e-9, "gap_q50": -1.234e9}
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


# --- the command -----------------------------------------------------------------------------------------------------


def ebm(monkeypatch, capsys, *arguments):
    """(exit code, stdout, stderr) of the command, in this process."""
    monkeypatch.setattr(sys, "argv", ["ebm", *arguments])
    monkeypatch.setattr(sys.stdout, "reconfigure", lambda **_: None, raising=False)
    monkeypatch.setattr(sys.stderr, "reconfigure", lambda **_: None, raising=False)
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


@pytest.fixture
def plot(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: ebm(monkeypatch, capsys, "plot", *arguments)


def test_it_writes_a_page_a_task_and_says_where(sweep, plot):
    folder = sweep([record(task=task, lr=lr) for task in ("moons", "classes") for lr in (0.1, 0.2)])
    code, out, err = plot()
    assert (code, out) == (0, "results/x/grid-moons.png\nresults/x/grid-classes.png\n")
    assert "moons: several runs fall on a cell, shown is the first: lr 0.1 (of 0.1, 0.2)" in err
    assert (folder / "grid-classes.png").read_bytes()[:4] == b"\x89PNG"
    assert not list(folder.glob(".*"))
    first = (folder / "grid-moons.png").read_bytes()
    assert plot("x", "--task", "moons", "--grid", "lr,loss")[1] == "results/x/grid-moons.png\n"
    assert (folder / "grid-moons.png").read_bytes() != first


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")])
def test_the_suffix_says_what_is_written_and_twice_it_is_the_same(sweep, plot, tmp_path, name, begins):
    sweep([record()])
    found = []
    for _ in range(2):
        assert plot("--output", name)[:2] == (0, f"{name}\n")
        found.append((tmp_path / name).read_bytes())
    assert found[0][: len(begins)] == begins
    assert found[0] == found[1]


def test_several_pages_share_an_output_by_the_name_of_the_task(sweep, plot, tmp_path):
    sweep([record(task="moons"), record(task="classes"), record(task="letters", status="refused")])
    code, out, err = plot("--output", "a.svg")
    assert (code, out.split()) == (0, ["a-moons.svg", "a-classes.svg"])
    assert "letters: no run has left anything to draw, no page" in err
    assert plot("--output", "a.svg", "--task", "classes")[1] == "a.svg\n"
    assert plot("--grid", "task,loss")[1] == "results/x/grid-tasks.png\n"


def test_a_cell_without_arrays_says_so_and_the_others_are_drawn(sweep, plot):
    lost = record("log")
    sweep([record(), lost], without=[lost["id"]])
    code, _, err = plot()
    assert (code, "1 finished runs have no arrays.npz any more" in err) == (0, True)


@pytest.mark.parametrize(
    ("records", "arguments", "words"),
    [
        ([record()], ["--output", "a.gif"], "the name ends in .png, .pdf, .svg"),
        ([record()], ["--output", "a"], "the name ends in .png, .pdf, .svg"),
        ([record()], ["--grid", "loss,los"], "did you mean loss?"),
        ([record()], ["--grid", "loss,beta"], "beta does not vary"),
        ([record()], ["--task", "classes"], "unknown task of this sweep"),
        ([record()], ["--seed", "9"], "the seeds of this sweep are 0"),
        ([record()], ["y"], "unknown sweep 'y'"),
        ([record(task="nowhere")], [], "unknown task 'nowhere'"),
        ([], [], "this sweep is empty"),
        ([record(status="pending")], [], "no run of these has finished"),
        ([record(f"l{n}", f"s{n}", status="pending") for n in range(23)], [], "23 x 23 cells, 500 at most"),
    ],
)
def test_wrong_turns_are_one_sentence(sweep, plot, records, arguments, words):
    folder = sweep(records, without=[one["id"] for one in records if one["config"]["task"] == "nowhere"])
    before = sorted(folder.rglob("*"))
    code, out, err = plot(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert sorted(folder.rglob("*")) == before


def test_a_sweep_whose_arrays_are_gone_is_one_sentence(sweep, plot):
    sweep([record()], without=[record()["id"]])
    code, out, err = plot()
    assert (code, out) == (2, "")
    assert "its finished runs have no arrays.npz any more" in err
