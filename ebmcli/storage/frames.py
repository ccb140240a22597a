"""Results as flat rows, for data frames, spreadsheets and notebooks: one row per run, or per run and chunk end."""

from pathlib import Path
from typing import Any

from ebmcli.storage import store
from ebmcli.storage.records import IDENTITY

ORIGIN = ("code", "commit", "dirty", "machine", "devices")  # of the provenance


def rows(sweep: Path) -> list[dict[str, Any]]:
    """One flat row per cell of the manifest: identity, configuration, measures, seconds, provenance.

    A measure whose name a hyperparameter has too is called `measured_NAME`.
    """
    lines = []
    for record in store.records(sweep):
        row: dict[str, Any] = {"sweep": sweep.name, "id": record.id, "status": record.status, "reason": record.reason}
        row |= record.config
        row |= {f"measured_{name}" if name in row else name: value for name, value in record.metrics.items()}
        row |= {f"seconds_{name}": value for name, value in record.seconds.items()}
        row |= {name: record.provenance.get(name) for name in ORIGIN if record.provenance}
        lines.append(row)
    return lines


def curves(sweep: Path) -> list[dict[str, Any]]:
    """One row per run and chunk end: the run, and its measures there."""
    return [
        {"sweep": sweep.name, "id": record.id, **{name: record.config[name] for name in IDENTITY}, **line}
        for record in store.records(sweep)
        for line in store.curves(sweep / "runs" / record.id)
    ]


def heads(lines: list[dict[str, Any]]) -> list[str]:
    """The columns of these rows, in the order in which they first stand."""
    return list(dict.fromkeys(name for line in lines for name in line))
