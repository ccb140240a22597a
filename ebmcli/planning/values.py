"""Hyperparameters by name, and the values that are given for them: checked numbers and names, lists and ranges."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ebmcli.core.errors import LONG, UsageError, unknown
from ebmcli.core.parameters import EVERY, Parameter
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.training.optimiser import SETTINGS

SEE = "ebm list"
# What an experiment file calls the lists of which every cell has one.
AXES = {"tasks": "task", "losses": "loss", "samplers": "sampler", "energies": "energy", "seeds": "seed"}


@lru_cache
def parameters() -> dict[str, Parameter]:
    """Every hyperparameter by name. A name means one thing: units of different kinds share none (a test)."""
    owned = [unit.parameters for kind in KINDS for unit in units(kind).values()]
    return {name: parameter for table in [SETTINGS, *owned] for name, parameter in table.items()}


def parameter(name: str) -> Parameter:
    """The hyperparameter of that name (dashes allowed). Raises a UsageError that suggests one where there is none."""
    known = parameters()
    plain = name.replace("-", "_")
    axes = {axis: plural for plural, axis in AXES.items()}
    if plain in axes:
        flag = "seeds" if plain == "seed" else plain
        raise UsageError(f"{name} is no hyperparameter: say --{flag}, or {axes[plain]} = ... in an experiment file")
    if plain not in known:
        raise unknown("hyperparameter", name, known, names_of_others(), see=SEE)
    return known[plain]


def names_of_others() -> dict[str, tuple[str, ...]]:
    """The words by which others know the hyperparameters, by their names."""
    owned = [parameter for kind in KINDS for unit in units(kind).values() for parameter in unit.parameters.values()]
    called: dict[str, tuple[str, ...]] = {}
    for each in [*SETTINGS.values(), *owned]:
        called[each.name] = tuple(dict.fromkeys((*called.get(each.name, ()), *each.also)))
    return called


def parse(text: str) -> Any:
    """A number where the text reads as one, else the text itself."""
    for kind in (int, float) if len(text) < LONG else ():
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def expand(parameter: Parameter, given: Any) -> list[Any]:
    """Checked values from a scalar, a list, or text with commas and ranges: `0.1,1`, `0..4`.

    Where a word is asked for, text that reads as a number stays text.
    """
    owners = [unit.parameters.get(parameter.name) for kind in KINDS for unit in units(kind).values()]
    readings = [*dict.fromkeys(owner for owner in owners if owner and owner != parameter), parameter]
    numbers = any(reading.type is not str for reading in readings)
    tokens: list[Any] = []
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, str):
            texts = [text.strip() for text in item.split(",")]
            tokens += [token for text in texts for token in (_range(text) if numbers else [text])]
        else:
            tokens.append(item)
    if not tokens or "" in tokens:
        raise UsageError(f"{parameter.name}: the list is empty or has an empty entry")
    return [_possible(readings, token) for token in tokens]


def _possible(readings: Sequence[Parameter], value: Any) -> Any:
    """The value as the first of these hyperparameters of one name that can have it has it; which unit it is for is
    known later. Raises the UsageError of the last where none can."""
    for reading in readings[:-1]:
        try:
            return legal(reading, value)
        except UsageError:
            pass
    return legal(readings[-1], value)


def legal(parameter: Parameter, value: Any) -> Any:
    """The value, if this hyperparameter can have it, or if it stands for all that it can have. Raises UsageError."""
    return value if value == EVERY and parameter.repeats else parameter.validate(value)


def _range(text: str) -> list[Any]:
    ends = re.fullmatch(r"(\d{1,30})\.\.(\d{1,30})", text)
    if not ends:
        other = re.fullmatch(r"(\d+) *(?:-|:|to|\.\.\.|…) *(\d+)", text)
        if other:
            raise UsageError(f"{text!r} is no value: a range is written {other[1]}..{other[2]}, both ends included")
        return [parse(text)]
    first, last = int(ends[1]), int(ends[2])
    if last < first:
        raise UsageError(f"{text}: a range runs upwards, write {last}..{first}")
    if last - first >= 100_000:
        raise UsageError(f"{text}: a range has at most 100,000 values")
    return list(range(first, last + 1))
