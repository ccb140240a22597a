"""All that is known of one run: what it was asked, by whom, what came out, where it ran, what it left."""

from pathlib import Path
from typing import Any

from ebmcli.core import registry
from ebmcli.core.texts import quoted
from ebmcli.report import formatting
from ebmcli.report.blocks import Table, Value
from ebmcli.report.columns import heading
from ebmcli.report.rows import setting
from ebmcli.storage import find, store

SHOWN_CURVES = 6  # chunk ends of a long run that are printed; --json has all
UNKNOWN = "not written down"  # the origin of the values of runs that an older version made


def describe(run: Path) -> dict[str, Any]:
    """The record, with the origin of each value, the curves, the failure if there is one, and the files."""
    config = store.config(run)
    record = store.look_at(run)
    manifest = store.manifest(run.parent.parent) if run.parent.name == "runs" else None
    origins = manifest.origins_of(record.id) if manifest else {}
    return record.to_json() | {
        "origins": {name: origins.get(name, UNKNOWN) for name in config},
        "command": manifest.command if manifest else None,
        "curves": store.curves(run),
        "failure": store.failure(run) or None,
        "files": [str(path) for path in sorted(run.glob("[!.]*")) if path.name != "lock"],
    }


def paragraphs(run: Path) -> list[str | Table]:
    """All that is known of a run, for a terminal: sentences and tables."""
    known = describe(run)
    config, metrics = known["config"], known["metrics"]
    parts: list[str | Table] = [f"{known['id']}: {known['status']}, {_place(run)}"]
    if metrics.get("verdict"):
        parts.append(f"{metrics['verdict']}: {metrics.get('verdict_reason')}")
    if known["failure"]:
        failure = known["failure"]
        parts.append(f"attempt {failure.get('attempt')}: {failure.get('message')}")
        parts += [failure["traceback"]] if failure.get("traceback") else []
    lines = [[name, setting(value), known["origins"][name]] for name, value in config.items()]
    parts.append(Table("configuration", ["name", "value", "origin"], lines))
    figures = {name: value for name, value in metrics.items() if not isinstance(value, str)}
    if figures:
        rows = [[name, heading(name), Value(_exact(value), value)] for name, value in figures.items()]
        parts.append(Table("measures", ["key", "called", "value"], rows))
    if known["curves"]:
        parts.append(_curves(known["curves"]))
    parts += [f"command   {known['command']}"] if known["command"] else []
    origin = {**known["provenance"], "seconds": known["seconds"]}
    parts += [f"{name:9} {formatting.flat(value)}" for name, value in origin.items() if value not in (None, {})]
    return parts + [f"file      {path}" for path in known["files"]]


def _place(run: Path) -> str:
    """The place of a run, in words."""
    inside = run.parent.name == "runs"
    return f"of the sweep {find.named(run.parent.parent).name}" if inside else f"in a folder of its own, {quoted(run)}"


def _exact(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _curves(lines: list[dict[str, Any]]) -> Table:
    """Some chunk ends, the first and the last among them."""
    wanted = ["step", *(name for name, column in registry.columns().items() if column.curve)]
    names = [name for name in wanted if any(name in line for line in lines)]
    last = len(lines) - 1
    places = dict.fromkeys(round(n * last / (SHOWN_CURVES - 1)) for n in range(SHOWN_CURVES))

    def cell(line: dict[str, Any], name: str) -> str:
        return str(line["step"]) if name == "step" else formatting.number(line.get(name), 4)

    rows = [[cell(lines[place], name) for name in names] for place in places]
    return Table(f"curves ({len(places)} of {len(lines)} chunk ends; --json has all)", names, rows)
