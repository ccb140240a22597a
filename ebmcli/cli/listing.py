"""`ebm list`: what there is, from the registry."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ebmcli.cli.console import console, print_table
from ebmcli.core.errors import unknown
from ebmcli.core.registry import units
from ebmcli.core.texts import printable
from ebmcli.core.units import KINDS, EnergyTraits, LossTraits, SamplerTraits, TaskTraits, Unit
from ebmcli.report.blocks import Table
from ebmcli.report.glossary import measures
from ebmcli.report.reference import TABLES, overview
from ebmcli.report.writers.markdown import table as markdown_table

if TYPE_CHECKING:  # rich takes a while to import, and not every command prints
    from rich.console import Console

FORMATS = ("text", "json", "md")
INDENT = 4
NARROWEST = 16  # letters of a line, however narrow the terminal is


def print_list(what: str | None, format: str) -> None:
    """Print the units of a kind, the measures or the settings, or the names of all. format: text, json, md."""
    kinds = {plural: kind for kind, plural in KINDS.items()}
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if what is None and format == "text":
        out = console()
        for kind, number, names in overview().rows:
            print_entry(str(kind), f"({number})", [str(names)], out)
        print_entry("more", "", ["ebm list losses: formulas and defaults; ebm explain WORD: what a word means"], out)
    elif what is None:
        _print_table(overview(), format)
    elif what in kinds and format != "md":
        print_units([describe_unit(unit) for unit in units(kinds[what]).values()], format)
    elif what == "measures" and format == "text":
        for measure in measures():
            print_entry(measure.name, f"  {measure.kind}", [measure.text], console())
    elif what in TABLES:
        _print_table(TABLES[what](), format)
    else:
        raise unknown("list", what, TABLES)


def _print_table(table: Table, format: str) -> None:
    if format == "md":
        print(markdown_table(table))
    elif format == "json":
        print(json.dumps([dict(zip(table.columns, map(str, row), strict=True)) for row in table.rows], indent=1))
    else:
        print_table(table, console())


def print_units(units: Sequence[Mapping[str, Any]], format: str) -> None:
    """Print units as `describe_unit` makes them. format: text, json."""
    if format == "json":
        print(json.dumps(units, indent=1))
        return
    out = console()
    for unit in units:
        print_entry(unit["name"], unit["formula"], _details(unit), out)


def _details(unit: Mapping[str, Any]) -> list[str]:
    """What there is to say of a unit beyond its name and formula, one line each."""
    texts = {
        label: ", ".join(f"{name}={part}" for name, part in value.items()) if isinstance(value, dict) else value
        for label, value in unit.items()
        if label not in ("name", "formula")
    }
    return [f"{label}: {text}" for label, text in texts.items() if text]


def print_entry(name: str, head: str, lines: Sequence[str], out: "Console") -> None:
    """Print a name in bold with its head, and lines under it that are set in."""
    from rich.text import Text

    for number, line in enumerate(map(printable, [f"{name}   {head}".rstrip(), *lines])):
        broken = textwrap.wrap(line, max(out.width - INDENT, NARROWEST), break_on_hyphens=False) or [""]
        text = Text(("" if number == 0 else " " * INDENT) + f"\n{' ' * INDENT}".join(broken))
        text.stylize("bold", 0, len(name) if number == 0 else 0)
        out.print(text)


def describe_unit(unit: Unit[Any]) -> dict[str, Any]:
    """A unit as `ebm list` shows it: name and formula first, then what its kind declares."""
    head = {"name": unit.name, "formula": unit.formula, **_declared(unit.traits)}
    parameters = {parameter.name: parameter.default for parameter in unit.parameters.values()}
    return head | {"hyperparameters": parameters, "source": unit.reference}


def _declared(traits: LossTraits | SamplerTraits | EnergyTraits | TaskTraits) -> dict[str, Any]:
    """The traits of a unit, by label."""
    match traits:
        case LossTraits():
            return {
                "promised margin": traits.promised.text(),
                "value on a flat energy": traits.flat,
                "estimates": traits.estimated,
                "needs": ", ".join(sorted(traits.needs)) or "the right answer alone",
                "wants": ", ".join(sorted(traits.wants)),
            }
        case SamplerTraits():
            return {"gives": _offers(traits.gives), "needs of the energy": ", ".join(sorted(traits.needs))}
        case EnergyTraits():
            return {"scores": _offers(traits.gives)}
        case TaskTraits():
            return {
                "answers": str(traits.answers),
                "default energy": traits.energy,
                "default negatives": {str(need) or "nothing": name for need, name in traits.samplers.items()},
                "default settings": dict(traits.defaults),
            }


def _offers(gives: Mapping[Any, Any]) -> dict[str, str]:
    return {str(answers): ", ".join(sorted(needs)) or "-" for answers, needs in gives.items()}
