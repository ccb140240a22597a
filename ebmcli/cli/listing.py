"""`ebm list`: what there is, from the registry."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ebmcli.cli.console import console, print_table
from ebmcli.core.errors import unknown
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS, EnergyTraits, LossTraits, SamplerTraits, TaskTraits, Unit
from ebmcli.report.blocks import Table
from ebmcli.report.reference import TABLES, overview
from ebmcli.report.writers.markdown import table as markdown_table

FORMATS = ("text", "json", "md")


def print_list(what: str | None, format: str) -> None:
    """Print the units of a kind, the measures or the settings, or the names of all. format: text, json, md."""
    kinds = {plural: kind for kind, plural in KINDS.items()}
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if what is None and format == "text":
        out = console()
        for kind, number, names in overview().rows:
            out.print(f"[bold]{kind}[/] ({number}): {names}")
    elif what is None:
        _print_table(overview(), format)
    elif what in kinds and format != "md":
        _print_units([describe_unit(unit) for unit in units(kinds[what]).values()], format)
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


def _print_units(units: Sequence[Mapping[str, Any]], format: str) -> None:
    if format == "json":
        print(json.dumps(units, indent=1))
        return
    out = console()
    for unit in units:
        out.print(f"[bold]{unit['name']}[/]   ", unit["formula"].replace("[", r"\["), sep="")
        for label, value in list(unit.items())[2:]:
            text = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value
            if text:
                out.print(f"    {label}: {text}".replace("[", r"\["))


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
