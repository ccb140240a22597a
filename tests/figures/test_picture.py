"""Pictures of ordinary and of awkward energies and curves are drawn, without warnings."""

import numpy as np
import pytest
from helpers.cells import cell_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ebmcli.figures import letters, picture, strips
from ebmcli.metrics import density
from ebmcli.storage import store
from ebmcli.tasks import letters as task
from ebmcli.tasks._kassel import spellings, words

SIDE = np.linspace(-1, 1, 32)
BOWL = np.add.outer(SIDE**2, SIDE**2).astype(np.float32)
POINTS = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)


def drawn(folder, metrics, arrays, **said):
    """The picture of a run of the cell that is said, as bytes."""
    cell = cell_of(**said)
    path = picture.draw(folder, cell.units.task, cell.config, {"verdict": "healthy"} | metrics, arrays)
    assert path == folder / store.PICTURE
    return path.read_bytes()


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


# --- what was learned ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("energy", [BOWL, 0 * BOWL, 1e9 * BOWL, 1e-12 * BOWL, 5e8 + BOWL, -BOWL])
def test_surfaces_are_drawn(tmp_path, energy):
    arrays = {"energy": energy.astype(np.float32), "y": POINTS, "y_negative": POINTS}
    assert drawn(tmp_path, {"gap_q50": 1.0}, arrays, loss="hinge")[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("sampler", "told"),
    [("langevin", ["negatives", "data"]), ("noise", ["negatives", "data"]), ("quadrature", ["data"])],
)
@pytest.mark.parametrize("shape", [(8, 2), (4, 2, 2)], ids=["shared", "of each example"])
def test_negatives_are_drawn_where_they_tell_something_by_where_they_lie(sampler, told, shape):
    cell, figure = cell_of(loss="hinge", sampler=sampler), Figure()
    FigureCanvasAgg(figure)
    arrays = {"energy": BOWL, "y": POINTS, "y_negative": POINTS.reshape(shape)}
    picture._learned(figure, cell.units.task, cell.config, arrays)
    figure.canvas.draw()
    assert labels(figure.axes[0]) == told
    marks = [line for line in figure.axes[0].lines if line.get_label() == "negatives"]
    assert [line.get_xydata().tolist() for line in marks] == [POINTS.tolist()] * (len(told) - 1)


def test_a_surface_is_drawn_where_the_data_are():
    """The means of blocks stand at the middles of the blocks."""
    cells = density.grid((-5.0, 5.0), 8)
    coarse = density.coarsen(cells[:, 0] + 10 * cells[:, 1], 8, 4)
    middle = density.grid((-5.0, 5.0), 2)
    np.testing.assert_allclose(coarse.ravel(), middle[:, 0] + 10 * middle[:, 1])


@pytest.fixture(scope="module")
def read():
    """What a probe finds of all words, half of which have their first letter read as an a."""
    found, count = words()["label"].copy(), len(words()["label"])
    found[::2, 0] = 0
    gaps = np.arange(count, dtype=np.float32)
    return {"found": found, "other": found, "right": 0 * gaps, "offending": gaps, "sure": gaps}


def test_words_are_drawn_from_the_smallest_gap_to_the_largest(tmp_path, read):
    arrays = task.picture_arrays(read, task.test_words("large", 0))
    assert drawn(tmp_path, {"cer": 0.1}, arrays, task="letters", loss="hinge")[:4] == b"\x89PNG"
    figure = Figure()
    letters.draw(figure, {}, arrays)
    (axes,) = figure.subfigs[0].axes
    gaps = [float(label.get_text().removeprefix("gap ")) for label in axes.get_yticklabels()]
    assert len(gaps) == task.SHOWN
    assert gaps == sorted(gaps)
    for number, row in enumerate(arrays["shown"]):
        beneath = letters.LINE * number + letters.TALL
        read_as = [text.get_text() for text in axes.texts if text.get_position()[1] == beneath]
        letters_of_it = arrays["found"][row][: arrays["length"][row]]
        assert read_as == [letters.ALPHABET[letter] for letter in letters_of_it]


def test_no_line_of_a_word_is_covered_by_the_next_word(tmp_path, read):
    """As the picture draws it: its lines end before the strip of the next word begins."""
    cell, figure = cell_of(task="letters", loss="hinge"), Figure(figsize=(11.4, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, _ = figure.subfigures(1, 2, width_ratios=(6.4, 5.0))
    picture._learned(left, cell.units.task, cell.config, task.picture_arrays(read, task.test_words("large", 0)))
    figure.set_dpi(110)
    figure.canvas.draw()
    axes = left.subfigs[0].axes[0]
    strips = [image.get_window_extent() for image in axes.images]
    assert len(strips) == task.SHOWN
    for text in axes.texts:
        box, place = text.get_window_extent(), int(text.get_position()[1] // letters.LINE)
        assert box.y1 <= strips[place].y0 + 3, "under its own strip, but for the blank over a small letter"
        assert place + 1 == len(strips) or box.y0 >= strips[place + 1].y1 - 1, text.get_text()


def test_rows_of_the_confusion_of_letters_sum_to_1_and_a_letter_that_is_not_there_has_none():
    (chosen,) = np.nonzero(np.array(spellings()) == "uzz")
    label, length = words()["label"][chosen], words()["length"][chosen]
    found = label.copy()
    found[: len(chosen) // 2, 1] = 0  # of half of the words, one z of two read as a
    shares = letters.confusion_shares({"label": label, "length": length, "found": found})
    assert shares[25, 0] == pytest.approx(0.25, abs=0.01)
    assert shares[20, 20] == 1
    np.testing.assert_allclose(shares[[20, 25]].sum(axis=1), 1)
    assert np.isnan(np.delete(shares, [20, 25], axis=0)).all()


@pytest.mark.parametrize("energy", [BOWL, 0 * BOWL, 1e9 * BOWL])
def test_energies_over_a_question_are_drawn(tmp_path, energy):
    questions = SIDE[:, None].astype(np.float32)
    arrays = {"energy": energy, "questions": questions, "x": questions[:8], "y": np.square(questions[:8])}
    assert drawn(tmp_path, {"gap_q50": 1.0}, arrays, task="parabola", loss="hinge")[:4] == b"\x89PNG"


def test_regions_of_labels_are_drawn(tmp_path):
    label = np.arange(64 * 64).reshape(64, 64) % 5
    arrays = {"label": label, "shown": np.array([-4.0, 4.0]), "x": POINTS, "y": np.arange(8) % 5}
    assert drawn(tmp_path, {"gap_q50": 1.0, "error": 0.1}, arrays, task="classes", loss="hinge")[:4] == b"\x89PNG"


def test_the_picture_of_a_strip_shows_energies_and_two_paths(tmp_path):
    """Of the word with the smallest gap: its windows alone, each symbol of a path where its letter is."""
    y, other = np.array([7, 8, -1, -1]), np.array([7, 8, 9, -1])
    shown = {
        "image": np.ones((60, 32), bool), "width": np.array(42), "y": y, "other": other,
        "table": np.random.default_rng(0).normal(size=(8, 27)), "column": 6.0 * np.arange(8) + 9,
        "state": np.array([1, 2, 3, 3, 4, -1, -1, -1]), "other_state": np.array([1, 2, 3, 5, 6, -1, -1, -1]),
    }  # fmt: skip
    arrays = {f"shown_{name}": array for name, array in shown.items()}
    arrays |= {"right": np.zeros(3), "offending": np.array([2.0, -0.5, 1.0])}
    assert drawn(tmp_path, {"exact_match": 0.5}, arrays, task="words", loss="hinge")[:4] == b"\x89PNG"
    figure = Figure()
    strips.draw(figure, {"beta": 1.0}, arrays)
    ink, energies = figure.axes[:2]
    assert [line.get_label() for line in energies.lines] == ["right: hi", "most offending: hij"]
    assert [list(line.get_ydata()) for line in energies.lines] == [[7, 26, 8, 8, 26], [7, 26, 8, 9, 26]]
    assert list(energies.lines[0].get_xdata()) == [9, 15, 21, 27, 33]
    assert "-0.5" in ink.get_title()


# --- the gap over training -------------------------------------------------------------------------------------------


def line(step, gap, level=None):
    found = {"step": step, "gap_q10": gap - 1, "gap_q50": gap, "gap_q90": gap + 1}
    return found | ({} if level is None else {"energy_level": level})


def training(curves, loss="hinge", **metrics):
    """The axes of the second panel, drawn."""
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    picture._training(figure, cell_of(task="moons", loss=loss).config, curves, metrics)
    figure.canvas.draw()
    return figure.axes


def test_the_gap_has_its_band_the_promised_margin_and_the_levels():
    gaps, levels = training([line(0, -1.0, 0.5), line(100, 2.0, 0.0)])
    assert labels(gaps) == ["promised margin: 1", "10 to 90 %", "median, on the way"]
    (median,) = [one for one in gaps.lines if one.get_label() == "median, on the way"]
    assert median.get_xydata().tolist() == [[0, -1], [100, 2]]
    assert [one.get_ydata()[0] for one in gaps.lines if one.get_linestyle() == "--"] == [1.0]
    offending, right = (one.get_ydata().tolist() for one in levels.lines)
    assert (right, offending) == ([0.5, 0.0], [-0.5, 2.0])
    assert gaps.get_yscale() == levels.get_yscale() == "linear"


def test_the_gap_of_the_title_stands_at_the_end_of_the_curve():
    """Which was measured on fewer points: both are there, and the legend says why they differ."""
    (gaps,) = training([line(0, -1.0), line(100, 2.24)], gap_q50=2.45)
    assert labels(gaps)[-1] == "at the end, on more points: 2.45"
    assert [one.get_xydata().tolist() for one in gaps.lines if one.get_marker() == "D"] == [[[100.0, 2.45]]]
    for unknown in (None, float("inf"), "x"):
        assert len(labels(training([line(0, 1.0)], gap_q50=unknown)[0])) == 3


def test_an_energy_that_is_nowhere_near_its_lowest_is_shown_whole():
    """A collapsed one, of which a picture up to 12 / beta would be of one colour."""
    assert picture._shown_up_to(BOWL, 1.0) == pytest.approx(BOWL.max())
    assert picture._shown_up_to(100 * BOWL, 1.0) == 12
    assert picture._shown_up_to(100 * BOWL, 2.0) == 6
    assert picture._shown_up_to(1e6 * BOWL, 1.0) == pytest.approx(1e6 * BOWL.max())


@pytest.mark.parametrize(
    ("loss", "promised"), [("energy", []), ("nll", []), ("perceptron", [0.0]), ("lvq2", [0.0]), ("margin-sum", [1.0])]
)
def test_only_a_promised_number_is_a_line(loss, promised):
    (gaps,) = training([line(0, 1.0)], loss=loss)
    assert [one.get_ydata()[0] for one in gaps.lines if one.get_linestyle() == "--"] == promised


def test_a_promised_level_stands_among_the_levels():
    gaps, levels = training([line(0, 1.0, 0.0)], loss="square-square")
    assert labels(gaps) == ["10 to 90 %", "median, on the way"]
    assert labels(levels)[0] == "promised: 1, absolute"


@pytest.mark.parametrize(
    ("curves", "scale"),
    [
        ([], "linear"),
        ([{}], "linear"),
        ([line(7, 2.0)], "linear"),
        ([line(0, 1.0, 0.0), {"step": 5, "gap_q50": None, "energy_level": None}, line(9, 2.0, 1.0)], "linear"),
        ([line(0, float("inf")), line(5, float("nan")), line(9, 1.0)], "linear"),
        ([line(0, 0.0, 0.0), line(5, -1e9, -1e9)], "symlog"),
        ([line(0, 0.0, 0.0), line(5, 3e38, -3e38)], "symlog"),
        ([line(0, 1e300), line(5, 10**400), line(6, 1.0)], "linear"),
        ([{"step": "x", "gap_q50": "many"}], "linear"),
    ],
)
def test_awkward_curves_are_drawn(curves, scale):
    assert training(curves)[0].get_yscale() == scale


def test_a_curve_that_is_not_there_is_said_to_be():
    for curves in ([], [{"step": 1, "gap_q50": None}]):
        (gaps,) = training(curves)
        assert [text.get_text() for text in gaps.texts] == ["no gap was recorded"]


def test_the_panel_is_read_from_disk_and_damage_ends_it(tmp_path):
    store.append_curve(tmp_path, line(0, 1.0))
    with open(tmp_path / "curves.jsonl", "ab") as file:
        file.write(b'3\n\xff\xfe\n{"step": 4')
    assert store.curves(tmp_path) == [line(0, 1.0)]
    arrays = {"energy": BOWL, "y": np.zeros((1, 2), np.float32)}
    assert drawn(tmp_path, {"gap_q50": 1.0, "kl": None}, arrays, loss="hinge")[:4] == b"\x89PNG"


def test_a_title_names_the_energy_where_it_is_not_the_usual_one():
    usual, other = cell_of(loss="hinge"), cell_of(loss="hinge", task="parabola", energy="two-branch")
    assert picture._title(usual.units.task, usual.config) == "hinge, negatives langevin, moons, seed 0"
    title = picture._title(other.units.task, other.config)
    assert title == "hinge, negatives langevin, energy two-branch, parabola, seed 0"
    metrics = {"verdict": "flat", "gap_q50": None, "auroc": 0.5, "kl": 0.25}
    assert picture._outcome(usual.config, metrics) == "flat, gap – (median), kl 0.250"


def test_arrays_that_are_missing_or_damaged_are_none(tmp_path):
    assert store.arrays(tmp_path) is None
    store.save_arrays(tmp_path / "arrays.npz", {"a": np.arange(3)})
    assert store.arrays(tmp_path)["a"].tolist() == [0, 1, 2]
    whole = (tmp_path / "arrays.npz").read_bytes()
    for damaged in (b"", b"PK", whole[:60], whole[:30] + b"x" * 60 + whole[90:]):
        (tmp_path / "arrays.npz").write_bytes(damaged)
        assert store.arrays(tmp_path) is None
