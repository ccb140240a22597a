"""Types of what is kept of a sweep and of its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ebmcli.core.files import is_file_name
from ebmcli.core.texts import masked

SCHEMA_VERSION = 2  # 1 had no checksums
FINISHED = ("done", "diverged")  # statuses of runs that have a result
TEXTS = ("verdict", "verdict_reason", "warning")  # measures that are words
IDENTITY = ("task", "loss", "sampler", "energy", "seed")  # of a configuration: what a reader looks for first
# Settings that readers calculate with: whole numbers from 1 on, numbers above 0, numbers.
COUNTS, POSITIVE, NUMBERS = ("steps", "batch_size"), ("beta", "lr"), ("margin",)
FAILURES = ("failed", "killed", "crashed", "timeout", "oom")  # kinds of failure, statuses of runs without a result
FAILURE = {"kind": str, "message": str, "traceback": str, "attempt": int}  # types of what is known of one

Config = Mapping[str, Any]  # every hyperparameter of a run, the names of its units and its seed
Metrics = Mapping[str, Any]  # measures by name: numbers, None where there is none, or words


@dataclass(frozen=True)
class Record:
    """A run as it is known: a finished one with its result, any other with its status and why it has none."""

    id: str
    status: str  # done, diverged, running, failed, killed, crashed, timeout, oom, pending, damaged or refused
    config: Config
    metrics: Metrics = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)  # compile, train and evaluate
    provenance: Mapping[str, Any] = field(default_factory=dict)  # code, versions, machine
    reason: str = ""  # why there is no result
    schema_version: int | None = None  # of the file that it was read from

    @property
    def finished(self) -> bool:
        """True if there is a result."""
        return self.status in FINISHED

    @property
    def task(self) -> str:
        """The name of its task."""
        return str(self.config["task"])

    @property
    def loss(self) -> str:
        """The name of its loss."""
        return str(self.config["loss"])

    @property
    def sampler(self) -> str:
        """The name of its sampler."""
        return str(self.config["sampler"])

    def to_json(self) -> dict[str, Any]:
        """The record as JSON has it."""
        head = {} if self.schema_version is None else {"schema_version": self.schema_version}
        why = {} if self.finished else {"reason": self.reason}
        body = {"metrics": self.metrics, "seconds": self.seconds, "provenance": self.provenance}
        return {**head, "id": self.id, "status": self.status, "config": self.config, **why, **body}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Record | None":
        """The record of a finished run, or None where the content is not one."""
        config, metrics, seconds, provenance = (
            content.get(name) for name in ("config", "metrics", "seconds", "provenance")
        )
        run, status, version = (content.get(name) for name in ("id", "status", "schema_version"))
        if not (isinstance(run, str) and status in FINISHED and isinstance(version, int | None)):
            return None
        if not (is_config(config) and is_measures(metrics) and is_measures(seconds) and is_provenance(provenance)):
            return None
        tables = config or {}, metrics or {}, seconds or {}, provenance or {}
        return cls(run, str(status), *tables, schema_version=version)


def is_config(value: Any) -> bool:
    """True if something read has the form of a configuration."""
    if not (isinstance(value, dict) and all(isinstance(value.get(name), str) for name in IDENTITY[:4])):
        return False
    given = {name: value[name] for name in (*COUNTS, *POSITIVE, *NUMBERS, "seed") if name in value}
    return (
        "seed" in given
        and all(_is_number(part) for part in given.values())
        and all(isinstance(given.get(name, 1), int) and given.get(name, 1) >= 1 for name in COUNTS)
        and all(given.get(name, 1.0) > 0 for name in POSITIVE)
        and isinstance(given["seed"], int)
        and given["seed"] >= 0
        and all(map(_is_plain, value.values()))
    )


def is_measures(value: Any) -> bool:
    """True if something read has the form of measures, or of seconds: numbers, None, and words where they belong."""
    legal: dict[bool, Any] = {True: str | None, False: int | float | None}
    return isinstance(value, dict) and all(isinstance(part, legal[name in TEXTS]) for name, part in value.items())


def is_provenance(value: Any) -> bool:
    """True if something read has the form of a provenance: plain values, or lists or tables of them."""
    if not (isinstance(value, dict) and isinstance(value.get("versions", {}), dict)):
        return False
    inner = [
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else [part]
        for part in value.values()
    ]
    return all(_is_plain(part) for parts in inner for part in parts)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Listed:
    """A cell of a manifest."""

    id: str
    config: Config
    refused: str = ""  # why it is not run
    origin: int | None = None  # the place in `Manifest.origins` of what set its values; None where nobody wrote it down

    def to_json(self) -> dict[str, Any]:
        """The cell as JSON has it."""
        origin = {} if self.origin is None else {"origin": self.origin}
        return {"id": self.id, "config": self.config, "refused": self.refused, **origin}


@dataclass(frozen=True)
class Manifest:
    """The manifest of a sweep: the runs that it was to make."""

    created: str
    command: str
    cells: Sequence[Listed]
    origins: Sequence[Mapping[str, str]] = ()  # what set each value of a configuration, each combination once
    versions: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        """The manifest as JSON has it."""
        head = {"created": self.created, "command": self.command, "versions": self.versions}
        return {**head, "origins": self.origins, "cells": [cell.to_json() for cell in self.cells]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Manifest | None":
        """The manifest, or None where the content is not one. Of a newer ebm, what is known of it is read."""
        version, cells, origins = (content.get(name) for name in ("schema_version", "cells", "origins"))
        origins = origins if isinstance(origins, list) else []
        if not isinstance(version, int) or not isinstance(cells, list):
            return None
        listed = [cell for raw in cells if (cell := _listed(raw, origins))]
        if len(listed) < len(cells):
            return None
        versions = content.get("versions")
        return cls(
            str(content.get("created") or ""),
            masked(str(content.get("command") or "")),
            listed,
            origins,
            versions if isinstance(versions, dict) else {},
            version,
        )

    def origins_of(self, run: str) -> Mapping[str, str]:
        """The origin of each value of a run; empty where that was not written down."""
        origin = next((cell.origin for cell in self.cells if cell.id == run), None)
        return {} if origin is None else self.origins[origin]


def _listed(cell: Any, origins: Sequence[Any]) -> Listed | None:
    """The cell of a manifest, or None where it is not one. Its id names a folder, which no path out of here may do."""
    if not isinstance(cell, dict) or not is_config(cell.get("config")):
        return None
    if not isinstance(cell.get("id"), str) or not is_file_name(cell["id"]):
        return None
    origin = cell.get("origin")
    table = origins[origin] if isinstance(origin, int) and 0 <= origin < len(origins) else None
    known = isinstance(table, dict) and all(isinstance(text, str) for text in table.values())
    return Listed(cell["id"], cell["config"], str(cell.get("refused") or ""), origin if known else None)
