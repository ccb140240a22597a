"""Headings of measures, which way is better, and notes on how to read them, from the registered columns."""

import inspect
from collections.abc import Iterable

from ebmcli.core import registry
from ebmcli.core.units import Column

ARROWS = {"lower": "↓", "higher": "↑", "": ""}
# How to read the columns that are no measure, by their heading.
HEADINGS = {
    "promised": "the margin of the formula (m is its value; absolute: a level of F-, not a difference).",
    "gap ≥ m": "share of held-out examples whose gap reaches the promised margin (where that grows with the letters or "
    "edits: with those of the most offending answer), or 0 where the loss has none.",
    "gap 50 %": "the median gap over held-out examples.",
    "runs": "how many runs there are of it.",
    "reason": "why, in the words of the first run of it.",
    "n": "the number of runs behind a row: of several seeds or folds.",
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
    texts = [f"{name}: {text}" for name, text in HEADINGS.items() if name in labels]
    return texts + [column.note for column in registry.columns().values() if column.note and column.label in labels]


def explanation(name: str) -> str:
    """What a measure is: its note or, where it has none, the first lines of the docstrings of its functions."""
    described = column(name)
    headed, _, text = described.note.partition(": ")
    if described.note:
        return (text if text and described.label in headed else described.note).rstrip(".")
    functions = [m.function for m in registry.measures() if m.function and any(c.name == name for c in m.columns)]
    lines = [(inspect.getdoc(function) or "").partition("\n")[0].rstrip(".") for function in functions]
    begun = [line if line[1:2].isupper() else line[:1].lower() + line[1:] for line in lines if line]
    return "; or, by task, ".join(dict.fromkeys(begun))
