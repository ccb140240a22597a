"""Hyperparameters by name, and what may be said of them: checked numbers and names, lists and ranges."""

import re
from functools import lru_cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.registry import EVERY, KINDS, Parameter, units
from ebmcli.training.loop import SETTINGS

AXES = {"tasks": "task", "losses": "loss", "samplers": "sampler", "energies": "energy", "seeds": "seed"}


@lru_cache
def parameters() -> dict[str, Parameter]:
    """Every hyperparameter by name. A name means one thing: units of different kinds share none (a test)."""
    owned = [unit.parameters for kind in KINDS for unit in units(kind).values()]
    return {name: one for table in [SETTINGS, *owned] for name, one in table.items()}


def parameter(name: str) -> Parameter:
    """The hyperparameter of that name (dashes allowed), or a UsageError that suggests one."""
    known = parameters()
    plain = name.replace("-", "_")
    axes = {axis: plural for plural, axis in AXES.items()}
    if plain in axes:
        flag = "seeds" if plain == "seed" else plain
        raise UsageError(f"{name} is no hyperparameter: say --{flag}, or {axes[plain]} = ... in an experiment file")
    if plain not in known:
        raise unknown("hyperparameter", name, known)
    return known[plain]


@lru_cache
def _adapter(annotation: Any) -> TypeAdapter:
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def checked(parameter: Parameter, value: Any) -> Any:
    """The value, if it is of the hyperparameter's type and in its range; else a UsageError."""
    try:
        return _adapter(parameter.annotation).validate_python(value)
    except ValidationError as error:
        message = error.errors()[0]["msg"].replace("Input should be", "must be")
        raise UsageError(f"{parameter.name}: {message}, found {value!r}") from None


def parse(text: str) -> Any:
    """A number where it reads as one, else the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def values(parameter: Parameter, given: Any) -> list[Any]:
    """A list of checked values from a scalar, a list, or text with commas and ranges: `0.1,1`, `0..4`."""
    tokens: list[Any] = []
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, str):
            tokens += [one for text in item.split(",") for one in _range(text.strip())]
        else:
            tokens.append(item)
    if not tokens or "" in tokens:
        raise UsageError(f"{parameter.name}: the list is empty or has an empty entry")
    return [_possible(parameter, token) for token in tokens]


def _possible(parameter: Parameter, value: Any) -> Any:
    """The value, if some unit that has a hyperparameter of this name can have it: which one it is is known later."""
    owners = [unit.parameters.get(parameter.name) for kind in KINDS for unit in units(kind).values()]
    for one in [owner for owner in owners if owner and owner != parameter]:
        try:
            return legal(one, value)
        except UsageError:
            pass
    return legal(parameter, value)


def legal(parameter: Parameter, value: Any) -> Any:
    """The value, if it is one for this hyperparameter of this unit, or stands for all of them; else a UsageError."""
    return value if value == EVERY and parameter.repeats else checked(parameter, value)


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
