"""How tables and units look on a terminal, and in a pipe."""

import json
import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from ebmcli.core.errors import unknown
from ebmcli.core.registry import KINDS, units
from ebmcli.report.blocks import Table

PROSE = ("reason", "losses", "negatives")  # columns whose cells may be broken between words


def console(stderr: bool = False) -> Console:
    """Where there is no terminal, lines and tables are as wide as they need."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, soft_wrap=not terminal, width=None if terminal else 240)


def print_table(table: Table, out: Console) -> None:
    """The table; turned on its side where few rows would not fit the terminal."""
    lines = [table.columns, *([str(cell) for cell in row] for row in table.rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    turned = sum(widths) + 3 * len(widths) + 1 > out.width and len(table.rows) <= 3
    if turned:
        lines = [list(line) for line in zip(*lines, strict=True)]
    style = {"title": table.heading, "title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD}
    shown = RichTable(**style, show_header=not turned, padding=(0, 1, 0, 0))  # type: ignore[arg-type]
    for place, column in enumerate(lines[0]):
        whole = [*column.split(), *([] if column in PROSE else [line[place] for line in lines[1:]])]
        shown.add_column(column, min_width=max(map(len, whole)), style="bold" if turned and place == 0 else None)
    for row in lines if turned else lines[1:]:
        shown.add_row(*(cell.replace("[", r"\[") for cell in row))
    out.print(shown)


def list_units(what: str, as_json: bool) -> None:
    """Print the units of a kind."""
    kinds = {plural: kind for kind, plural in KINDS.items()}
    kind = kinds.get(what) or (what if what in KINDS else None)
    if kind is None:
        raise unknown("list", what, kinds)
    found = [_described(unit) for unit in units(kind).values()]
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


def _described(unit: Any) -> dict[str, Any]:
    """A unit as `ebm list` shows it: name and formula first, then what its kind declares."""
    parameters = {one.name: one.default for one in unit.parameters.values()}
    offers = {answers: ", ".join(sorted(given)) or "-" for answers, given in unit.gives.items()}
    by_kind = {
        "loss": {
            "promised margin": unit.promised,
            "value on a flat energy": unit.flat,
            "needs": ", ".join(sorted(unit.needs)) or "the right answer alone",
            "wants": ", ".join(sorted(unit.wants)),
        },
        "sampler": {"gives": offers, "needs of the energy": ", ".join(sorted(unit.needs))},
        "energy": {"scores": offers},
        "task": {
            "answers": unit.answers,
            "default energy": unit.energy,
            "default negatives": {need or "nothing": name for need, name in unit.samplers.items()},
            "default settings": dict(unit.defaults),
        },
    }
    described = {"name": unit.name, "formula": unit.formula, **by_kind[unit.kind]}
    return described | {"hyperparameters": parameters, "source": unit.reference}
