"""All that is known of one run: what it was asked, by whom, what came out, where it ran, what it left."""

from pathlib import Path
from typing import Any

from ebmcli.planning import origins
from ebmcli.report import formatting
from ebmcli.report.blocks import Table, Value
from ebmcli.report.columns import heading
from ebmcli.report.rows import setting
from ebmcli.storage import store

CURVES = ("step", "train_loss", "gap_q10", "gap_q50", "gap_q90", "active_share", "nll", "kl", "cer", "error", "auroc")
SHOWN_CURVES = 6  # chunk ends of a long run that are printed; --json has all


def known(run: Path) -> dict[str, Any]:
    """The record, with the origin of each value, the curves, the failure if there is one, and the files."""
    config = store.config(run)
    record = store.result(run) or {"id": run.name, "config": config, "metrics": {}, "seconds": {}, "provenance": {}}
    manifest = store.manifest(run.parent.parent) or {}
    return record | {
        "status": store.status(run),
        "origins": origins.origins(config, manifest.get("said")),
        "command": manifest.get("command"),
        "curves": store.curves(run),
        "failure": store.failure(run) or None,
        "files": [str(path) for path in sorted(run.glob("[!.]*")) if path.name != "lock"],
    }


def told(run: Path) -> list[str | Table]:
    """The same for a terminal: sentences and tables."""
    found = known(run)
    config, metrics = found["config"], found["metrics"]
    parts: list[str | Table] = [f"{found['id']}: {found['status']}, of the sweep {run.parent.parent.name}"]
    if metrics.get("verdict"):
        parts.append(f"{metrics['verdict']}: {metrics.get('verdict_reason')}")
    if found["failure"]:
        failure = found["failure"]
        parts.append(f"attempt {failure.get('attempt')}: {failure.get('message')}")
        parts += [failure["traceback"]] if failure.get("traceback") else []
    lines = [[name, setting(value), found["origins"][name]] for name, value in config.items()]
    parts.append(Table("configuration", ["name", "value", "origin"], lines))
    figures = {name: value for name, value in metrics.items() if not isinstance(value, str)}
    if figures:
        rows = [[name, heading(name), Value(_exact(value), value)] for name, value in figures.items()]
        parts.append(Table("measures", ["key", "called", "value"], rows))
    if found["curves"]:
        parts.append(_curves(found["curves"]))
    parts += [f"command   {found['command']}"] if found["command"] else []
    origin = {**found["provenance"], "seconds": found["seconds"]}
    parts += [f"{name:9} {_flat(value)}" for name, value in origin.items() if value not in (None, {})]
    return parts + [f"file      {path}" for path in found["files"]]


def _flat(value: Any) -> str:
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)


def _exact(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _curves(lines: list[dict[str, Any]]) -> Table:
    """Some chunk ends, the first and the last among them."""
    names = [name for name in CURVES if any(name in line for line in lines)]
    last = len(lines) - 1
    places = dict.fromkeys(round(n * last / (SHOWN_CURVES - 1)) for n in range(SHOWN_CURVES))
    rows = [[formatting.number(lines[place].get(name), 4) if name != "step" else str(lines[place]["step"]) for name in names]
            for place in places]  # fmt: skip
    return Table(f"curves ({len(places)} of {len(lines)} chunk ends; --json has all)", names, rows)
