"""Arrays that are damaged, or of another version, are not drawn; a page replaces what lies in its place."""

import os

import numpy as np
import pytest
from helpers.damage import TASKS, sound_arrays
from helpers.pages import record
from helpers.shell import run_here

from ebmcli.figures import panels, shapes
from ebmcli.figures.panels import Panel


def drawable(task, **changed):
    """Whether a run of this task can be drawn, with some of its arrays changed, or taken out by None."""
    arrays = {name: array for name, array in (sound_arrays(task) | changed).items() if array is not None}
    return Panel({"task": task, "beta": 1.0}, arrays, True).drawable


WRONG = {  # by name of a way, what becomes of an array
    "missing": lambda array: None,
    "scalar": lambda array: array.reshape(-1)[0],
    "flat": lambda array: array.reshape(-1, 1, 1),
    "deeper": lambda array: array[None],
    "empty": lambda array: array[:0],
    "longer": lambda array: np.concatenate([array, array]),
    "text": lambda array: array.astype(str),
    "complex": lambda array: array.astype(complex),
    "true or false": lambda array: array.astype(bool),
    "records": lambda array: np.zeros(array.shape, [("a", "f4")]),
    "nan": lambda array: np.full(array.shape, np.nan),
    "infinite": lambda array: np.full(array.shape, -np.inf),
    "huge": lambda array: np.full(array.shape, 1e300),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("way", WRONG)
def test_arrays_of_another_shape_are_not_drawn(task, way):
    assert drawable(task)
    for name in shapes.NEEDS[panels.kind(task)]:
        if way == "longer" and (task, name) == ("moons", "y"):
            continue  # of points there may be any number
        with np.errstate(over="ignore"):
            assert not drawable(task, **{name: WRONG[way](sound_arrays(task)[name])}), name


def test_labels_are_whole_numbers_and_not_too_many():
    label = sound_arrays("classes")["label"]
    for wrong in (label - 1, label + shapes.MOST_LABELS, label.astype(float)):
        assert not drawable("classes", label=wrong)
        assert not drawable("classes", y=wrong[0, :8])
    assert not drawable("classes", shown=np.array([4.0, -4.0]))
    assert not drawable("classes", shown=np.array([4.0, 4.0]))


def test_what_would_take_for_ever_is_not_drawn():
    assert not drawable("moons", energy=np.zeros((shapes.LONGEST + 1,) * 2, np.float32))
    assert not drawable("letters", right=np.zeros(shapes.MOST_POINTS + 1), offending=np.zeros(shapes.MOST_POINTS + 1))


def test_settings_that_the_task_has_not_are_not_drawn():
    assert not Panel({"task": "letters", "beta": 1.0, "fold": "x"}, sound_arrays("letters"), True).drawable
    assert not Panel({"task": "letters", "beta": 1.0, "fold": 99}, sound_arrays("letters"), True).drawable


@pytest.mark.parametrize("target", ["secret", "nothing", "/dev/full", "pipe"])
def test_a_page_that_is_a_link_out_of_the_folder_replaces_it(sweep, tmp_path, target):
    """A folder of results that came from somebody else may hold such links: nothing is read or written through them."""
    folder = sweep([record("hinge", "uniform")])
    (tmp_path / "secret").write_text("mine")
    os.mkfifo(tmp_path / "pipe")
    (folder / "grid-moons.png").symlink_to(target if target[0] == "/" else tmp_path / target)
    run_here(tmp_path, "report", str(folder), "--output", "r.html")
    assert (folder / "grid-moons.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "grid-moons.png").is_symlink()
    assert (tmp_path / "r.html").read_text().count("data:image/png") == 1
    assert (tmp_path / "secret").read_text() == "mine"
    assert not (tmp_path / "nothing").exists()
