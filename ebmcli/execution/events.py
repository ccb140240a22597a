"""Events of a sweep: who watches it, the flag that stops it, and the messages between its processes.

A worker writes one event per line of JSON; its parent reads them. Both ends use the types of this module.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from ebmcli.execution.options import RunOptions

if TYPE_CHECKING:  # a worker reads this module before it imports anything that takes time
    from ebmcli.planning.cells import Cell


class Watcher(Protocol):
    """A watcher, which is told how a sweep goes on."""

    def chunk(self, cells: Sequence["Cell"], share: float) -> None:
        """A launch has done this share of its work; 0 while it compiles."""

    def end(self, cell: "Cell", status: str, reason: str) -> None:
        """A run is saved."""

    def note(self, text: str) -> None:
        """Something to know."""


class Interrupted(Exception):
    """The sweep was stopped: what was finished is saved, the same command goes on from there."""


Reason = Literal["signal", "failure"]


class StopFlag:
    """Says that no further chunk is to be trained, and why; the first reason stands."""

    def __init__(self) -> None:
        self.reason: Reason | None = None

    def __bool__(self) -> bool:
        return self.reason is not None

    def set(self, reason: Reason) -> None:
        """Stop at the end of the chunk."""
        self.reason = self.reason or reason


# --- between a worker and its parent ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Orders:
    """The orders of a worker: the first line of its stdin."""

    runs: list[str]  # ids of the manifest
    options: RunOptions

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Orders":
        """Read the line."""
        orders = json.loads(line)
        return cls(orders["runs"], RunOptions(**orders["options"]))


@dataclass(frozen=True)
class Progressed:
    """A launch has done a share of its work."""

    kind: ClassVar = "progressed"
    runs: list[str]
    share: float


@dataclass(frozen=True)
class Ended:
    """A run is saved."""

    kind: ClassVar = "ended"
    run: str
    status: str
    reason: str


@dataclass(frozen=True)
class Noted:
    """Something to know."""

    kind: ClassVar = "noted"
    text: str


@dataclass(frozen=True)
class Over:
    """The last event of a worker: how it ended."""

    kind: ClassVar = "over"
    how: Literal["done", "interrupted", "usage", "disk", "broken"]
    message: str = ""
    traceback: str = ""
    error: tuple[int | None, str, str | None] | None = None  # of the disk: errno, its text, the file


Event = Progressed | Ended | Noted | Over
EVENTS: dict[str, type[Any]] = {event.kind: event for event in (Progressed, Ended, Noted, Over)}


def to_json(event: Event) -> str:
    """One line."""
    return json.dumps({"event": event.kind, **asdict(event)})


def from_json(line: str) -> Event:
    """Read the line."""
    content = json.loads(line)
    event: Event = EVENTS[content.pop("event")](**content)
    return event
