"""Types of what is kept of a sweep and of its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 2  # 1 had no checksums
FINISHED = ("done", "diverged")  # statuses of runs that have a result
TEXTS = ("verdict", "verdict_reason")  # measures that are words
IDENTITY = ("task", "loss", "sampler", "energy", "seed")  # of a configuration: what a reader looks for first

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
        if not all(isinstance(table, dict) for table in (config, metrics, seconds, provenance)):
            return None
        assert config is not None
        assert metrics is not None
        texts = [content.get("id"), content.get("status"), *(config.get(name) for name in IDENTITY[:4])]
        if not all(isinstance(text, str) for text in texts):
            return None
        legal: dict[bool, Any] = {True: str, False: int | float | None}
        if not all(isinstance(value, legal[name in TEXTS]) for name, value in metrics.items()):
            return None
        head = str(content["id"]), str(content["status"])
        version = content.get("schema_version")
        return cls(*head, config, metrics, seconds or {}, provenance or {}, schema_version=version)


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
        listed = []
        for cell in cells:
            sound = isinstance(cell, dict) and isinstance(cell.get("id"), str) and isinstance(cell.get("config"), dict)
            if not sound:
                return None
            origin = cell.get("origin")
            known = isinstance(origin, int) and 0 <= origin < len(origins) and isinstance(origins[origin], dict)
            listed.append(Listed(cell["id"], cell["config"], str(cell.get("refused") or ""), origin if known else None))
        versions = content.get("versions")
        return cls(
            str(content.get("created") or ""),
            str(content.get("command") or ""),
            listed,
            origins,
            versions if isinstance(versions, dict) else {},
            version,
        )

    def origins_of(self, run: str) -> Mapping[str, str]:
        """The origin of each value of a run; empty where that was not written down."""
        origin = next((cell.origin for cell in self.cells if cell.id == run), None)
        return {} if origin is None else self.origins[origin]
