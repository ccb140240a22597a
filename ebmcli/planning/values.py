"""Hyperparameters by name, and the values that are given for them: checked numbers and names, lists and ranges."""

import re
from functools import lru_cache
from typing import Any

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.parameters import EVERY, Parameter
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS
from ebmcli.training.optimiser import SETTINGS

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
        raise unknown("hyperparameter", name, known)
    return known[plain]


def parse(text: str) -> Any:
    """A number where the text reads as one, else the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def expand(parameter: Parameter, given: Any) -> list[Any]:
    """Checked values from a scalar, a list, or text with commas and ranges: `0.1,1`, `0..4`."""
    tokens: list[Any] = []
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, str):
            tokens += [token for text in item.split(",") for token in _range(text.strip())]
        else:
            tokens.append(item)
    if not tokens or "" in tokens:
        raise UsageError(f"{parameter.name}: the list is empty or has an empty entry")
    return [_possible(parameter, token) for token in tokens]


def _possible(parameter: Parameter, value: Any) -> Any:
    """The value, if some unit with a hyperparameter of this name can have it: which unit it is for is known later."""
    owners = [unit.parameters.get(parameter.name) for kind in KINDS for unit in units(kind).values()]
    for owner in [owner for owner in owners if owner and owner != parameter]:
        try:
            return legal(owner, value)
        except UsageError:
            pass
    return legal(parameter, value)


def legal(parameter: Parameter, value: Any) -> Any:
    """The value, if this hyperparameter can have it, or if it stands for all that it can have. Raises UsageError."""
    return value if value == EVERY and parameter.repeats else parameter.validate(value)


def _range(text: str) -> list[Any]:
    ends = re.fullmatch(r"(\d+)\.\.(\d+)", text)
    if not ends:
        return [parse(text)]
    first, last = int(ends[1]), int(ends[2])
    if last < first:
        raise UsageError(f"{text}: a range runs upwards, write {last}..{first}")
    if last - first >= 100_000:
        raise UsageError(f"{text}: a range has at most 100,000 values")
    return list(range(first, last + 1))
