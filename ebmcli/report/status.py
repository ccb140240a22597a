"""The progress of a sweep: runs by state, how long the rest will take, the last error."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ebmcli.report import formatting
from ebmcli.report.blocks import Table, Value
from ebmcli.storage import store
from ebmcli.storage.atomic import is_locked
from ebmcli.storage.records import FINISHED, Config, Record

OVER = (*FINISHED, "refused")  # states after which nothing is to be done
STATES = ("done", "diverged", "running", "pending", "refused")


def standing(sweep: Path) -> dict[str, Any]:
    """Counts by task and state, seconds to go (None where nothing tells), and the last failure."""
    records = store.records(sweep)
    tasks: dict[str, Counter[str]] = {}
    for record in records:
        tasks.setdefault(record.task, Counter())[record.status] += 1
    return {
        "sweep": sweep.name,
        "tasks": {task: dict(counts) for task, counts in tasks.items()},
        "working": is_locked(sweep / "lock"),
        "left": sum(record.status not in OVER for record in records),
        "seconds_left": seconds_left(records),
        "last_error": _last_error(sweep, records),
    }


def seconds_left(records: Sequence[Record]) -> float | None:
    """From what runs of the same kind took: as many side by side as there are devices; None where none has ended."""
    took: dict[tuple[str, ...], list[float]] = {}
    for record in records:
        if record.finished and record.seconds:
            seconds = sum(record.seconds.get(name) or 0.0 for name in ("train", "evaluate"))
            for key in _kinds(record.config):
                took.setdefault(key, []).append(seconds / max(record.config.get("steps", 1), 1))
    rest = [record.config for record in records if record.status not in OVER]
    if not took:
        return None if rest else 0.0
    pace = [median(next(took[key] for key in _kinds(config) if key in took)) for config in rest]
    lanes = max(_devices(record) for record in records)
    return sum(seconds * config.get("steps", 1) for seconds, config in zip(pace, rest, strict=True)) / lanes


def _kinds(config: Config) -> list[tuple[str, ...]]:
    """Kinds of runs that a run may be likened to, the most alike first."""
    return [
        (config["task"], config["loss"], config["sampler"]),
        (config["task"], config["sampler"]),
        (config["task"],),
        (),
    ]


def _devices(record: Record) -> int:
    count = str(record.provenance.get("devices", "")).partition(" ")[0]
    return int(count) if count.isdigit() else 1


def _last_error(sweep: Path, records: Sequence[Record]) -> dict[str, Any] | None:
    paths = [sweep / "runs" / record.id / "failure.json" for record in records if record.status not in OVER]
    logs = [path for path in paths if path.exists()]
    if not logs:
        return None
    newest = max(logs, key=lambda path: path.stat().st_mtime_ns)
    failure = store.failure(newest.parent)
    return {"id": newest.parent.name, "message": failure.get("message", ""), "attempt": failure.get("attempt")}


def table(standing: Mapping[str, Any]) -> Table:
    """One row per task, one column per state, and the sum."""
    total: Counter[str] = Counter()
    for counts in standing["tasks"].values():
        total.update(counts)
    states = sorted(total, key=lambda state: (STATES.index(state) if state in STATES else len(STATES), state))
    lines = {**standing["tasks"], **({"all": total} if len(standing["tasks"]) > 1 else {})}
    rows = [[task, *(Value(str(counts.get(state, 0))) for state in states)] for task, counts in lines.items()]
    return Table(standing["sweep"], ["task", *states], rows)


def sentences(standing: Mapping[str, Any]) -> list[str]:
    """Sentences that go with the table."""
    lines = []
    left, seconds = standing["left"], standing["seconds_left"]
    if not left:
        lines.append("nothing left to do")
    elif seconds is None:
        lines.append(f"{left} runs to go; none has ended yet that would tell how long they take")
    else:
        lines.append(f"{left} runs to go, roughly {formatting.duration(seconds)} without compiling")
    if left and not standing["working"]:
        lines.append("nobody works on it: the command that made this sweep goes on with it")
    error = standing["last_error"]
    if error:
        lines.append(f"last error, in {error['id']}: {error['message']} (ebm show has the traceback)")
    return lines
