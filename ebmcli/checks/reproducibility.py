"""Is a recorded run what its configuration gives today, on this machine? It is trained anew and compared."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ebmcli.core.errors import UsageError
from ebmcli.core.texts import quoted
from ebmcli.execution import supervisor
from ebmcli.execution.events import StopFlag, Watcher
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import prepare
from ebmcli.planning.cells import cell_of_record
from ebmcli.planning.plan import Plan
from ebmcli.report.formatting import flat
from ebmcli.storage import kept, store
from ebmcli.storage.atomic import hold_lock
from ebmcli.storage.records import Record

TOLERANCE = 1e-3  # relative: what other instruction sets and versions of a compiler may change
ORIGINS = (
    "code",
    "versions",
    "python",
    "machine",
    "cpu",
    "devices",
    "variables",
)  # of the provenance: what may explain a difference


@dataclass(frozen=True)
class Repetition:
    """A recorded run beside the same one of today."""

    id: str
    verdict: str  # identical, equal within tolerance, or different
    figures: int  # how many were compared
    first: str | None = None  # the first figure that differs, by more than the tolerance where one does
    then: Any = None
    now: Any = None
    origins: Mapping[str, list[Any]] = field(default_factory=dict)  # what of the provenance differs: [then, now]

    def to_json(self) -> dict[str, Any]:
        """The repetition as JSON has it."""
        content = asdict(self)
        return (
            content if self.first else {name: value for name, value in content.items() if name not in ("then", "now")}
        )

    def sentence(self) -> str:
        """The outcome in words."""
        head = f"{self.id}: {self.verdict}"
        if self.verdict == "identical":
            head += f", {self.figures} figures to the bit"
        else:
            tolerance = f" ({TOLERANCE:.1%})" if self.verdict != "different" else ""
            head += f"{tolerance}; the first figure that differs is {self.first}: {self.then} then, {self.now} now"
        pairs = {name: [flat(value or "none") for value in both] for name, both in self.origins.items()}
        changed = "; ".join(f"{name} {old} then, {new} now" for name, (old, new) in pairs.items())
        return f"{head}\nmade with: {changed}" if changed else head


def repeat(run: Path, options: RunOptions, watcher: Watcher, stop: StopFlag) -> Repetition:
    """Train a finished run once more and compare.

    options: with the recorded number of devices, since another one gives other bits. Raises UsageError where there is
    no result, or where it fails today.
    """
    old = store.look_at(run)
    if not old.finished:
        raise UsageError(f"{quoted(run)}: it has no result to compare with (it is {old.status})")
    kept.offer(run, old.config)
    cell = cell_of_record(old.id, old.config)
    with tempfile.TemporaryDirectory(prefix="ebm-repeat-") as place:
        folder = Path(place)
        with hold_lock(folder / "lock") as lock:
            prepare(Plan([cell]), folder, "ebm run --repeat")
            supervisor.train([cell], folder, options, watcher, stop, lock=lock)
        fresh = folder / "runs" / cell.id
        new = store.result(fresh)
        if new is None:
            raise UsageError(f"{cell.id}: today it fails: {store.failure(fresh).get('message', store.status(fresh))}")
        figures = _figures(old, run), _figures(new, fresh)
    origins = {
        name: [old.provenance.get(name), new.provenance.get(name)]
        for name in ORIGINS
        if old.provenance.get(name) != new.provenance.get(name)
    }
    return Repetition(cell.id, **compare(*figures), origins=origins)


def recorded_devices(run: Path) -> int | None:
    """The number of devices that a run was trained with, where it says."""
    count, _, kind = str(store.look_at(run).provenance.get("devices", "")).partition(" x ")
    return int(count) if count.isdigit() and kind == "cpu" else None


def _figures(record: Record, run: Path) -> dict[str, Any]:
    """All that can be compared: the status, the measures, the parameters."""
    arrays = store.arrays(run, "params.npz") or {}
    return {"status": record.status, **record.metrics, **{f"params {name}": a for name, a in arrays.items()}}


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`verdict`, `figures`, `first`, `then` and `now` of a Repetition."""
    tests: dict[str, Callable[[Any, Any], bool]] = {"different": _close, "equal within tolerance": _same}
    for verdict, test in tests.items():
        for name in [*old, *(name for name in new if name not in old)]:
            if name not in old or name not in new or not test(old[name], new[name]):
                then, now = (_printable(record.get(name)) for record in (old, new))
                return {"verdict": verdict, "figures": len(old), "first": name, "then": then, "now": now}
    return {"verdict": "identical", "figures": len(old)}


def _printable(value: Any) -> Any:
    return "an array" if isinstance(value, np.ndarray) else value


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray):
        return bool(old.dtype == new.dtype and old.shape == new.shape and old.tobytes() == new.tobytes())
    return bool(old == new)


def _close(old: Any, new: Any) -> bool:
    numbers = (int, float, np.ndarray)
    if not isinstance(old, numbers) or not isinstance(new, numbers):
        return bool(old == new)
    a, b = np.asarray(old, float), np.asarray(new, float)
    if a.shape != b.shape:
        return False
    scale = np.maximum(np.abs(a), np.abs(b)).max(initial=0.0)  # of the whole array: not every weight has digits
    return bool(np.all((a == b) | (np.abs(a - b) <= TOLERANCE * scale)))
