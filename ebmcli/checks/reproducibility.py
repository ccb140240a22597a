"""Is a recorded run what its configuration gives today, on this machine? It is trained anew and compared."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ebmcli.core.errors import UsageError
from ebmcli.execution import supervisor, sweep
from ebmcli.execution.supervisor import How
from ebmcli.execution.sweep import Watcher
from ebmcli.planning.compatibility import judge
from ebmcli.planning.plan import Cell, Plan
from ebmcli.storage import store

TOLERANCE = 1e-3  # relative: what other instruction sets and versions of a compiler may change
ORIGINS = ("code", "versions", "python", "machine", "cpu", "devices")


def again(run: Path, how: How, watcher: Watcher, stop: list[str]) -> dict[str, Any]:
    """Train a finished run once more and compare: see `compared`, and `id`, `origins` (what of its provenance differs).

    how: its number of devices is the recorded one unless said, since another one gives other bits.
    Raises UsageError where there is no result, or where it fails today.
    """
    old = store.result(run)
    if old is None:
        raise UsageError(f"{run}: it has no result to compare with (it is {store.status(run)})")
    cell = Cell(old["id"], old["config"], judge(old["config"]))
    with tempfile.TemporaryDirectory(prefix="ebm-repeat-") as place:
        folder = Path(place)
        with store.locked(folder / "lock") as lock:
            sweep.prepare(Plan([cell], 0), folder, "ebm run --repeat")
            supervisor.work([cell], folder, how, watcher, stop, lock=lock)
        fresh = folder / "runs" / cell.id
        new = store.result(fresh)
        if new is None:
            raise UsageError(f"{cell.id}: today it fails: {store.failure(fresh).get('message', store.status(fresh))}")
        found = compared(_figures(old, run), _figures(new, fresh))
    origins = {
        name: [old["provenance"].get(name), new["provenance"].get(name)]
        for name in ORIGINS
        if old["provenance"].get(name) != new["provenance"].get(name)
    }
    return {"id": cell.id, **found, "origins": origins}


def devices(run: Path) -> int | None:
    """The number of devices that a run was trained with, where it says."""
    count, _, kind = str((store.result(run) or {}).get("provenance", {}).get("devices", "")).partition(" x ")
    return int(count) if count.isdigit() and kind == "cpu" else None


def _figures(record: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """All that can be compared: the status, the measures, the parameters."""
    arrays = store.arrays(run, "params.npz") or {}
    return {"status": record["status"], **record["metrics"], **{f"params {name}": a for name, a in arrays.items()}}


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`verdict` (identical, equal within tolerance, different), `figures` (how many), and `first`, `then`, `now`: the
    first figure that differs, by more than the tolerance where one does."""
    found: dict[str, Any] = {"verdict": "identical", "figures": len(old), "first": None}
    tests: dict[str, Callable[[Any, Any], bool]] = {"different": _close, "equal within tolerance": _same}
    for verdict, test in tests.items():
        for name in [*old, *(name for name in new if name not in old)]:
            if name not in old or name not in new or not test(old[name], new[name]):
                return {**found, "verdict": verdict, "first": name} | {
                    when: one.get(name) if not isinstance(one.get(name), np.ndarray) else "an array"
                    for when, one in (("then", old), ("now", new))
                }
    return found


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray):
        return old.dtype == new.dtype and old.shape == new.shape and old.tobytes() == new.tobytes()
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


def sentence(found: Mapping[str, Any]) -> str:
    """What came out."""
    head = f"{found['id']}: {found['verdict']}"
    if found["verdict"] == "identical":
        head += f", {found['figures']} figures to the bit"
    else:
        tolerance = f" ({TOLERANCE:.1%})" if found["verdict"] != "different" else ""
        head += (
            f"{tolerance}; the first figure that differs is {found['first']}: {found['then']} then, {found['now']} now"
        )
    changed = "; ".join(f"{name} {_flat(old)} then, {_flat(new)} now" for name, (old, new) in found["origins"].items())
    return f"{head}\nmade with: {changed}" if changed else head


def _flat(value: Any) -> str:
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)
