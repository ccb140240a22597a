"""Where each value of a configuration came from: a flag, a line of an experiment file, or whose default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebmcli.core.registry import KINDS, Unit, known
from ebmcli.planning.config import DEFAULT, SEED, Grid, following
from ebmcli.planning.values import AXES
from ebmcli.training.loop import SETTINGS

Said = Mapping[str, Any]
FLAG = "command line"


def said(flags: Grid, file: Grid | None = None, path: Path | None = None) -> dict[str, Any]:
    """What a command was told, as a manifest keeps it."""
    found: dict[str, Any] = {"flags": {"axes": flags.axes, "settings": flags.settings, "budget": flags.budget}}
    if file:
        tables = {f"{kind}.{name}": table for (kind, name), table in file.special.items()}
        found["file"] = {"name": str(path), "axes": file.axes, "settings": file.settings, "tables": tables}
        found["file"]["budget"] = file.budget
    return found


def origins(config: Mapping[str, Any], said: Said | None) -> dict[str, str]:
    """The origin of each value; said: of the manifest, None where an older ebm wrote it."""
    return {
        name: _given(name, value, config, said) or _default(name, value, config, said) for name, value in config.items()
    }


def _given(name: str, value: Any, config: Mapping[str, Any], said: Said | None) -> str:
    """Which flag or which place of the file said it; empty where neither did. A flag wins, then tables."""
    flags, file = (said or {}).get("flags", {}), (said or {}).get("file", {})
    plural = {axis: many for many, axis in AXES.items()}
    if name in plural:
        table = next((at for at in _tables(config, file) if plural[name] in file["tables"][at]), None)
        places = [(flags, FLAG)]
        if table and name not in flags.get("axes", {}):
            return "" if _chosen(file["tables"][table][plural[name]], value) else f"{file['name']}, [{table}]"
        for place, told in [*places, (file, file.get("name", ""))]:
            if name in place.get("axes", {}):
                return "" if _chosen(place["axes"][name], value) else told
        return ""
    if name in flags.get("settings", {}):
        return FLAG
    if name == "steps" and (budget := flags.get("budget") or file.get("budget")):
        return f"follows from the budget of {budget:,} energy evaluations"
    for table in _tables(config, file):
        if name in file["tables"][table]:
            return f"{file['name']}, [{table}]"
    return file["name"] if name in file.get("settings", {}) else ""


def _chosen(values: list[Any], value: Any) -> bool:
    """Whether `default` was asked for and chose this value."""
    return DEFAULT in values and value not in values


def _tables(config: Mapping[str, Any], file: Mapping[str, Any]) -> list[str]:
    """The tables of the file that speak of this run's units, in the order in which they win."""
    order = ("loss", "task", "sampler", "energy")
    return [at for at in (f"{kind}.{config[kind]}" for kind in order) if at in file.get("tables", {})]


def _default(name: str, value: Any, config: Mapping[str, Any], said: Said | None) -> str:
    """Whose default it is; where today's is another one, or nobody knows, it says so."""
    found = {kind: known(kind, config[kind]) for kind in KINDS}
    if name in KINDS:
        choice = {"sampler": "chosen for the loss and the task", "energy": "chosen for the task and the loss"}
        return choice.get(name, "default") if said or name in choice else "given"
    if name == "margin_distance":
        return "follows the negatives"
    task, energy, loss = found["task"], found["energy"], found["loss"]
    if name == "data" and task and task.file:
        return "digest of the file"
    if energy and loss and name in energy.parameters:
        default = energy.parameters[name].default
        if value != default and value == following(energy, loss, name, default):
            return "follows the loss"
    told, default = _owner(name, found)
    if value == default:
        return told
    return f"{told} when it ran (today {default})" if said and told else "given" if not said else "unknown"


def _owner(name: str, found: Mapping[str, Unit | None]) -> tuple[str, Any]:
    """(whose default, the default)."""
    if name == "seed":
        return "default", SEED.default
    for kind in ("energy", "task", "sampler"):
        unit = found[kind]
        if unit and name in unit.defaults:
            return f"default of {kind} {unit.name}", unit.defaults[name]
    if name in SETTINGS:
        return "default", SETTINGS[name].default
    for kind, unit in found.items():
        if unit and name in unit.parameters:
            return f"default of {kind} {unit.name}", unit.parameters[name].default
    return "", None
