"""What measures are called, which way is better, and how to read them: from the registered columns."""

from ebmcli.core import registry
from ebmcli.report import columns


def test_every_measure_that_a_task_names_is_a_registered_measure_of_accuracy():
    """An arrow, a rank and the bold figure follow from that; no arrow where it is no measure of the model."""
    named = {name for task in registry.units("task").values() for name in task.traits.measures}
    assert named <= set(columns.accuracies())
    assert {name for name in named if not columns.column(name).better} == {"word_list_cer", "bayes_error"}


def test_no_two_measures_have_one_heading():
    known = [one.label for one in registry.columns().values() if not one.name.endswith("*")]
    assert len(set(known)) == len(known)


def test_a_heading_has_its_arrow_where_one_is_asked_for_and_there_is_one():
    assert columns.heading("kl_beta_star") == "kl at β*"
    assert columns.heading("kl_beta_star", True) == "kl at β* ↓"
    assert columns.heading("auroc", True) == "auroc ↑"
    assert columns.heading("bayes_error", True) == "bayes error"


def test_a_measure_that_is_not_registered_goes_by_its_own_name():
    assert columns.heading("some_figure", True) == "some figure"
    assert columns.column("exact_match_12").better == "higher", "a column that ends in a star stands for many"


def test_the_main_measure_is_the_first_that_a_task_names_but_auroc():
    assert [columns.main_measure(name) for name in ("moons", "letters", "nowhere")] == ["kl", "cer", "auroc"]
    assert columns.accuracy("moons", ["auroc", "cer", "kl"]) == ["kl", "auroc", "cer"]


def test_notes_are_of_the_columns_that_are_shown_each_once():
    found = columns.notes(["promised", "violated ↓", "kl ↓", "kl"])
    assert [note.partition(":")[0] for note in found] == ["promised", "violated", "kl"]
    assert columns.notes([]) == []
