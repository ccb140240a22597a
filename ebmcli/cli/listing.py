"""`ebm list`: what there is, from the registry."""

import json
from collections.abc import Mapping
from typing import Any

from ebmcli.cli.console import console
from ebmcli.core.errors import unknown
from ebmcli.core.registry import units
from ebmcli.core.units import KINDS, EnergyTraits, LossTraits, SamplerTraits, TaskTraits, Unit


def list_units(what: str, as_json: bool) -> None:
    """Print the units of a kind."""
    kinds = {plural: kind for kind, plural in KINDS.items()}
    kind = kinds.get(what) or next((one for one in KINDS if one == what), None)
    if kind is None:
        raise unknown("list", what, kinds)
    found = [describe_unit(unit) for unit in units(kind).values()]
    if as_json:
        print(json.dumps(found, indent=1))
        return
    out = console()
    for one in found:
        out.print(f"[bold]{one['name']}[/]   ", one["formula"].replace("[", r"\["), sep="")
        for label, value in list(one.items())[2:]:
            shown = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value
            if shown:
                out.print(f"    {label}: {shown}".replace("[", r"\["))


def describe_unit(unit: Unit[Any]) -> dict[str, Any]:
    """A unit as `ebm list` shows it: name and formula first, then what its kind declares."""
    head = {"name": unit.name, "formula": unit.formula, **_declared(unit.traits)}
    parameters = {one.name: one.default for one in unit.parameters.values()}
    return head | {"hyperparameters": parameters, "source": unit.reference}


def _declared(traits: LossTraits | SamplerTraits | EnergyTraits | TaskTraits) -> dict[str, Any]:
    """What the traits of a unit say, by label."""
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
