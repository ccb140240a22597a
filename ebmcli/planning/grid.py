"""A grid: what a user asks for, by flags and by an experiment file, before any default.

Every value carries its origin: the flag or the place of the file that set it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Le

from ebmcli.core.copies import is_known
from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.parameters import Parameter
from ebmcli.core.registry import find, units
from ebmcli.core.units import KINDS, Kind
from ebmcli.planning.values import expand, names_of_others, parameter
from ebmcli.training.optimiser import SETTINGS

SEED = Parameter("seed", 0, Annotated[int, Ge(0), Le(2**32 - 1)])
BUDGET = Parameter("budget", None, Annotated[int, Ge(1), Le(10**15)])
DEFAULT = "default"  # the sampler or energy that suits the rest of the cell
FLAG = "command line"  # the origin of what a flag sets


class Given(NamedTuple):
    """Values that were asked for, and what asked for them."""

    values: list[Any]
    origin: str


Table = dict[str, Given]  # by name


@dataclass(frozen=True)
class Grid:
    """A request for runs: names by axis, values by hyperparameter, values that belong to one unit."""

    axes: Table = field(default_factory=dict)  # by kind, or "seed"
    settings: Table = field(default_factory=dict)
    special: dict[tuple[Kind, str], Table] = field(default_factory=dict)  # by (kind, unit)
    budget: int | None = None  # energy evaluations of every run, from which its steps follow

    def over(self, base: "Grid") -> "Grid":
        """Lay this grid over a base: what is said here wins over what is said there, special or not."""
        overruled = {
            *self.settings,
            *(["samplers"] if "sampler" in self.axes else []),
            *(["steps"] if self.budget else []),
        }
        special = {
            unit: {name: values for name, values in table.items() if name not in overruled}
            for unit, table in base.special.items()
        }
        settings = {name: values for name, values in base.settings.items() if name not in overruled} | self.settings
        budget = self.budget or (None if "steps" in self.settings else base.budget)
        return Grid(base.axes | self.axes, settings, special | self.special, budget)


def grid(
    axes: Mapping[str, Any],
    settings: Mapping[str, Any],
    special: Mapping[tuple[Kind, str], Mapping[str, Any]] | None = None,
    origin: str = FLAG,
) -> Grid:
    """Check raw values and make a Grid of them; None means not said. Raises UsageError.

    special: by (kind, unit). origin: what said all this.
    """
    chosen = {
        axis: Given(seeds(given) if axis == "seed" else names(axis, given), origin)  # type: ignore[arg-type]
        for axis, given in axes.items()
        if given is not None
    }
    given = {name: value for name, value in settings.items() if value is not None}
    budget = _budget(given.pop("budget", None), given)
    values = {parameter(name).name: Given(expand(parameter(name), value), origin) for name, value in given.items()}
    tables = {unit: _table(*unit, table, origin) for unit, table in (special or {}).items()}
    if budget and any("steps" in table for table in tables.values()):
        raise UsageError("budget: the steps of a run follow from it, leave out the steps of single tasks")
    return Grid(chosen, values, tables, budget)


def _table(kind: Kind, name: str, table: Mapping[str, Any], origin: str) -> Table:
    """The values that belong to one unit."""
    owned = dict(find(kind, name).parameters) | (SETTINGS if kind == "task" else {})
    extra = ["samplers"] if kind in ("loss", "task") else []
    owns: Table = {}
    for key, given in table.items():
        plain = key.replace("-", "_")
        if plain not in [*owned, *extra]:
            raise unknown(f"key of {kind} {name}", key, [*owned, *extra] or ["none"], names_of_others())
        values = names("sampler", given) if plain in extra else expand(parameter(plain), given)
        owns[plain] = Given(values, f"{origin}, [{kind}.{name}]")
    return owns


def names(kind: Kind, given: Any) -> list[str]:
    """Names of units, checked; `all` stands for every one of them."""
    texts = given if isinstance(given, list) else [given]
    entries = [entry for text in texts for entry in _entries(str(text))]
    if not entries or "" in entries:
        raise UsageError(f"{kind}: the list is empty or has an empty entry (ebm list {KINDS[kind]} shows them)")
    checked: list[str] = []
    for name in entries:
        if name == "all":
            checked += [unit.name for unit in units(kind).values() if not getattr(unit.traits, "file", False)]
        elif name == DEFAULT and kind in ("sampler", "energy"):
            checked.append(name)
        else:
            unit = find(kind, name)
            if getattr(unit.traits, "file", False):
                unit.build({})  # the file is looked at before anything begins
            checked.append(unit.name)
    return checked


def _entries(text: str) -> list[str]:
    """The names in a list with commas. Commas belong to the name of a file where a file is there that has them."""
    parts, entries = text.split(","), []
    while parts:
        longest = range(len(parts), 0, -1) if ":" in parts[0] else ()
        named = ((count, ",".join(parts[:count]).lstrip()) for count in longest)
        count, name = next((entry for entry in named if is_known(entry[1].partition(":")[2])), (1, parts[0].strip()))
        entries.append(name)
        del parts[:count]
    return entries


def seeds(given: Any) -> list[int]:
    """Seeds, each once."""
    numbers = expand(SEED, given)
    twice = [seed for seed, count in Counter(numbers).items() if count > 1]
    if twice:
        raise UsageError(f"seed: {twice[0]} stands twice, name each seed once")
    return numbers


def _budget(given: Any, settings: Mapping[str, Any]) -> int | None:
    if given is None:
        return None
    if "steps" in settings:
        raise UsageError("budget: the steps of a run follow from it, leave out steps")
    numbers = expand(BUDGET, given)
    if len(numbers) > 1:
        raise UsageError(f"budget: one number for all runs, found {len(numbers)}")
    return int(numbers[0])
