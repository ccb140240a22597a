"""Headings of measures, which way is better, and notes on how to read them, from the registered columns."""

from collections.abc import Iterable

from ebmcli.core import registry
from ebmcli.core.units import Column

ARROWS = {"lower": "↓", "higher": "↑", "": ""}
# How to read the columns that tables make of several measures, by the heading that stands over them.
TABLE_NOTES = {
    "promised": "promised: the margin of the formula (m is its value; absolute: a level of F-, not a difference).",
    "gap ≥ m": "gap ≥ m: share of held-out examples whose gap reaches the margin (of one letter, where it grows with "
    "the letters), or 0 where the loss has none.",
    "gap 10 %": "gap 1 %, 10 %, 50 %, 90 %: quantiles of the gap over held-out examples.",
    "violated": "violated: share of held-out examples whose gap is below the margin, or 0 where the loss has none.",
}


def column(name: str) -> Column:
    """The registered column of a measure; a plain one where none is registered."""
    known = registry.columns()
    if name in known:
        return known[name]
    fitting = (
        wildcard for wildcard in known.values() if wildcard.name.endswith("*") and name.startswith(wildcard.name[:-1])
    )
    return next(fitting, Column(name))


def heading(name: str, arrow: bool = False) -> str:
    """The heading of a measure, with an arrow to where it is better."""
    described = column(name)
    return f"{described.label} {ARROWS[described.better]}".rstrip() if arrow else described.label


def accuracies() -> list[str]:
    """The measures of accuracy, in the order in which they are registered."""
    return [name for name, described in registry.columns().items() if described.accuracy]


def key_measures(task: str) -> tuple[str, ...]:
    """The measures that a task names, none where it is registered no more."""
    unit = registry.find_or_none("task", task)
    return unit.traits.measures if unit else ()


def main_measure(task: str) -> str:
    """The main measure of a task: the first but auroc, which all healthy energies share."""
    return next((name for name in key_measures(task) if name != "auroc"), "auroc")


def accuracy(task: str, present: Iterable[str]) -> list[str]:
    """The measures of accuracy that these runs have, the main one first, then the others that the task names."""
    measured = set(present)
    names = dict.fromkeys([main_measure(task), *key_measures(task), *accuracies()])
    return [name for name in names if name in measured]


def notes(headings: Iterable[str]) -> list[str]:
    """Notes on how to read tables with these headings."""
    labels = {column.rstrip(" ↓↑") for column in headings}
    texts = [text for name, text in TABLE_NOTES.items() if name in labels]
    return texts + [column.note for column in registry.columns().values() if column.note and column.label in labels]
