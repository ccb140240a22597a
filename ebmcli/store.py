"""Results on disk: the files are the truth, and what state a run is in is read off them, never stored.

results/<sweep>/sweep.json                the manifest, written whole before the first run
results/<sweep>/lock                      held by flock while a sweep works here (the kernel frees it after kill -9)
results/<sweep>/runs/<id>/config.json     the claim: appears with its directory in one rename
                          lock            held while the run is trained
                          curves.jsonl    one line a chunk end
                          result.json     the only proof of success
                          failure.json    kind (`failed`), message, traceback, attempt
                          arrays.npz, params.npz, picture.png
"""

import fcntl
import io
import json
import math
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ebmcli.errors import UsageError

SCHEMA_VERSION = 1
PICTURE = "picture.png"
IDENTITY = ("task", "loss", "sampler", "energy", "seed")  # of a configuration: what a reader looks for first
FINISHED = ("done", "diverged")  # statuses of runs that have a result


class Damaged(UsageError):
    """A manifest that cannot be read."""


def plain(value: Any) -> Any:
    """The value as JSON has it: numpy scalars become numbers, what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def dumps(value: Any, indent: int | None = 1) -> str:
    """JSON text in which nan is null."""
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def write(path: Path, content: bytes) -> None:
    """Replace a file in one step: after a crash it is whole, old or new."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):  # name the file that was meant
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    _settle(path.parent)


def _settle(directory: Path) -> None:
    """Make a rename in this directory outlive a loss of power."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where the file is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of that file while the block runs; waits for another holder, if need be for ever."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def held(path: Path) -> bool:
    """Whether some process holds the lock of that file."""
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


# --- one run ---------------------------------------------------------------------------------------------------------


def claim(sweep: Path, run_id: str, config: Mapping[str, Any]) -> Path:
    """The directory of a run, made with its configuration in one rename; what an earlier attempt left is kept."""
    runs = sweep / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    run = runs / run_id
    if not run.exists():
        fresh = Path(tempfile.mkdtemp(dir=runs, prefix=f".{run_id}."))
        write(fresh / "config.json", dumps(config).encode())
        fresh.chmod(0o755)
        try:
            fresh.rename(run)
        except OSError:  # another process claimed it first
            (fresh / "config.json").unlink()
            fresh.rmdir()
            if not run.exists():
                raise
        _settle(runs)
    elif _read(run / "config.json") != plain(config):
        write(run / "config.json", dumps(config).encode())
    if (run / "result.json").exists():  # whoever claims it again found it damaged: it is set aside
        (run / "result.json").replace(run / "result.damaged")
    for stale in ("curves.jsonl", "arrays.npz", "params.npz", PICTURE):
        (run / stale).unlink(missing_ok=True)
    return run


def tidy(sweep: Path) -> None:
    """Remove what writers that were killed left behind; the caller holds the sweep's lock."""
    for litter in [*sweep.glob(".*"), *sweep.glob("runs/.*"), *sweep.glob("runs/*/.*")]:
        shutil.rmtree(litter) if litter.is_dir() else litter.unlink()


def append_curve(run: Path, measures: Mapping[str, Any]) -> None:
    """Add the measures of a chunk end to the curves of a run."""
    with open(run / "curves.jsonl", "a") as file:
        file.write(dumps(measures, indent=None) + "\n")


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays to an .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    write(path, buffer.getvalue())


def save_result(run: Path, record: Mapping[str, Any]) -> None:
    """Write the proof of success; an earlier failure is over."""
    write(run / "result.json", dumps({"schema_version": SCHEMA_VERSION, **record}).encode())
    (run / "failure.json").unlink(missing_ok=True)


def save_failure(run: Path, why: Mapping[str, Any]) -> None:
    """Write down why a run failed, and which attempt it was."""
    write(run / "failure.json", dumps({**why, "attempt": failure(run).get("attempt", 0) + 1}).encode())


def result(run: Path) -> dict[str, Any] | None:
    """The record of a finished run, or None where there is none or not the one of this run."""
    record = _read(run / "result.json")
    if not record or record.get("id") != run.name or record.get("config") != _read(run / "config.json"):
        return None
    tables = all(isinstance(record.get(name), dict) for name in ("config", "metrics", "seconds", "provenance"))
    texts = ("verdict", "verdict_reason")
    sound = tables and all(
        isinstance(value, str if name in texts else int | float | None) for name, value in record["metrics"].items()
    )
    return record if sound and isinstance(record.get("status"), str) else None


def status(run: Path) -> str:
    """done or diverged (as the result says), running, failed (or the failure's kind), killed, pending or damaged."""
    found = result(run)
    if found:
        return found["status"]
    if held(run / "lock"):
        return "running"
    if (run / "result.json").exists():
        return "damaged"
    if why := failure(run):
        return str(why.get("kind", "failed"))
    return "killed" if run.exists() else "pending"


def failure(run: Path) -> dict[str, Any]:
    """Why a run failed: message, traceback, attempt; empty where it did not."""
    return _read(run / "failure.json") or {}


def config(run: Path) -> dict[str, Any]:
    """What a run was asked. Raises UsageError where that cannot be read."""
    found = _read(run / "config.json")
    if found is None:
        raise UsageError(f"{run / 'config.json'} is missing or damaged: the command that made this run writes it anew")
    return found


def curves(run: Path) -> list[dict[str, Any]]:
    """The measures at chunk ends, oldest first; a torn last line is dropped, and what follows a damaged one."""
    path = run / "curves.jsonl"
    if not path.exists():
        return []
    lines: list[dict[str, Any]] = []
    for line in path.read_bytes().splitlines():
        try:
            measures = json.loads(line)
        except ValueError:
            break
        if not isinstance(measures, dict):
            break
        lines.append(measures)
    return lines


def arrays(run: Path) -> dict[str, np.ndarray] | None:
    """What a run left for its pictures, or None where that is missing or damaged."""
    try:
        with open(run / "arrays.npz", "rb") as file, np.load(file) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


# --- a sweep ---------------------------------------------------------------------------------------------------------


def manifest(sweep: Path) -> dict[str, Any] | None:
    """What a sweep was to run, or None where there is none."""
    path = sweep / "sweep.json"
    if not path.exists():
        return None
    found = _read(path) or {}
    version, cells = found.get("schema_version"), found.get("cells")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UsageError(f"{sweep}: written by a newer ebm (schema {version}), update ebm to use it")
    whole = isinstance(cells, list) and all(
        isinstance(cell, dict) and isinstance(cell.get("id"), str) and isinstance(cell.get("config"), dict)
        for cell in cells
    )
    if not isinstance(version, int) or not whole:
        raise Damaged(f"{path} is damaged: the command that made this sweep writes it anew and keeps its runs")
    return found


def save_manifest(sweep: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest; the caller holds the sweep's lock."""
    write(sweep / "sweep.json", dumps({"schema_version": SCHEMA_VERSION, **content}).encode())


def records(sweep: Path) -> list[dict[str, Any]]:
    """One record a cell of the manifest, in its order: finished ones whole, others with their status and no metrics."""
    found = []
    for cell in (manifest(sweep) or {}).get("cells", []):
        run = sweep / "runs" / cell["id"]
        if cell.get("refused"):
            blank = {"id": cell["id"], "status": "refused", "config": cell["config"], "reason": cell["refused"]}
            found.append({**blank, "metrics": {}, "seconds": {}, "provenance": {}})
            continue
        record = result(run)
        if record is None:
            why = failure(run).get("message", "")
            record = {"id": cell["id"], "status": status(run), "config": cell["config"], "reason": why}
            record |= {"metrics": {}, "seconds": {}, "provenance": {}}
        found.append(record)
    return found


def sweeps(root: Path) -> list[Path]:
    """The sweeps under a results folder, newest manifest first."""
    found = [path.parent for path in root.glob("*/sweep.json")] if root.is_dir() else []
    return sorted(found, key=lambda sweep: (sweep / "sweep.json").stat().st_mtime_ns, reverse=True)
