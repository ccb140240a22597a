"""Which run stands in which cell of which page, and how it is marked."""

import pytest
from helpers.pages import pages, record

from ebmcli.core.errors import UsageError
from ebmcli.figures import cells


def ids(page):
    return {place: [member.id for member in members] for place, members in page.cells.items()}


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
    assert found.shown()[1, 0].config["lr"] == 0.1
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
def test_axes_that_make_no_page_are_refused(grid, words):
    records = [record(margin=margin, steps=10) for margin in (1.0, 2.0)] + [record(task="classes", steps=20)]
    with pytest.raises(UsageError, match=words.replace("?", "\\?")):
        cells.axes(grid, records)


def test_choices_that_are_not_in_the_sweep_are_refused():
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
def test_a_cell_is_marked_by_what_became_of_its_run(one, drawable, expected):
    assert cells.mark(one, drawable) == expected
