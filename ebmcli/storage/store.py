"""Results on disk: the files are the truth, and what state a run is in is read off them, never stored.

results/<sweep>/sweep.json                the manifest, written whole before the first run
results/<sweep>/lock                      held by flock while a sweep works here (the kernel frees it after kill -9)
results/<sweep>/runs/<id>/config.json     the claim: appears with its directory in one rename
                          lock            held while the run is trained
                          curves.jsonl    one line a chunk end
                          result.json     the only proof of success
                          failure.json    kind (`failed`), message, traceback, attempt
                          arrays.npz, params.npz, film.npz, picture.png
What is kept of users' files stands in kept.py.
"""

import io
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebmcli.core import files
from ebmcli.core.errors import UsageError
from ebmcli.core.files import Unfit
from ebmcli.core.texts import masked
from ebmcli.storage.atomic import (
    checksum,
    dumps,
    failpoint,
    fresh_name,
    fsync_folder,
    is_locked,
    naming_errors,
    read,
    to_plain,
    write,
)
from ebmcli.storage.records import FAILURE, FAILURES, SCHEMA_VERSION, Config, Manifest, Record, is_config, is_measures

if TYPE_CHECKING:
    import numpy as np

PICTURE = "picture.png"
FILM = "film.npz"  # see storage.film
OURS = ".ebm-*"  # what `atomic.fresh_name` names
LONGEST_TEXT = 100_000  # letters of a message or traceback


class Damaged(UsageError):
    """A manifest that cannot be read."""


# --- one run ---------------------------------------------------------------------------------------------------------


def claim(sweep: Path, run_id: str, config: Config) -> Path:
    """Make the directory of a run with its configuration, in one rename; one that is there is left as it is."""
    runs = sweep / "runs"
    runs.mkdir(exist_ok=True)  # without its parents: a sweep that was moved away must not begin anew here
    run = runs / run_id
    if not run.exists():
        fresh = fresh_name(runs)
        with naming_errors(run):
            fresh.mkdir()
        failpoint("claim made")
        write(fresh / "config.json", dumps(config).encode(), durable=False)
        try:
            fresh.rename(run)
        except OSError:  # another process claimed it first
            (fresh / "config.json").unlink()
            fresh.rmdir()
            if not run.exists():
                raise
        failpoint("claim renamed")
        fsync_folder(runs)
    return run


def clear(run: Path, config: Config) -> None:
    """Make a claimed run ready to be trained: what an earlier attempt left goes. The caller holds the run's lock."""
    if read(run / "config.json") != to_plain(config):
        write(run / "config.json", dumps(config).encode())
    set_aside(run)
    for stale in ("curves.jsonl", "arrays.npz", "params.npz", FILM, PICTURE):
        (run / stale).unlink(missing_ok=True)
    failpoint("run cleared")


def set_aside(run: Path) -> None:
    """Keep a result that is damaged, or not wanted any more, under another name."""
    if (run / "result.json").exists():
        (run / "result.json").replace(run / "result.damaged")
        failpoint("result.json set aside")


def tidy(sweep: Path) -> None:
    """Remove what writers that were killed left behind. The caller holds the sweep's lock."""
    for litter in [*sweep.glob(OURS), *sweep.glob(f"*/{OURS}"), *sweep.glob(f"runs/*/{OURS}")]:
        linked = litter.is_symlink() or not litter.is_dir()
        litter.unlink(missing_ok=True) if linked else shutil.rmtree(litter)  # it may be in one that is gone


def append_curve(run: Path, measures: Mapping[str, Any]) -> None:
    """Add the measures of a chunk end to the curves of a run."""
    with naming_errors(run / "curves.jsonl"), open(run / "curves.jsonl", "a") as file:
        failpoint("curves.jsonl opened")
        file.write(dumps(measures, indent=None) + "\n")


def save_arrays(path: Path, arrays: Mapping[str, "np.ndarray"]) -> None:
    """Write named arrays to an .npz file. The folder is not fsynced here: save_result does that."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    write(path, buffer.getvalue(), durable=False)


def _sealed(content: Mapping[str, Any]) -> bytes:
    """A file's content with a checksum: a flipped bit in a number would be JSON as good as any."""
    whole = {"schema_version": SCHEMA_VERSION, **content}
    return dumps({**whole, "checksum": checksum(whole)}).encode()


def _intact(content: dict[str, Any]) -> bool:
    """True if a content is as it was written, as far as its version can tell; its checksum is taken out."""
    written = content.pop("checksum", None)
    return bool(written == checksum(content) or (written is None and content.get("schema_version") != SCHEMA_VERSION))


def save_result(run: Path, record: Record) -> None:
    """Write the proof of success; an earlier failure is over."""
    write(run / "result.json", _sealed(record.to_json()))
    (run / "failure.json").unlink(missing_ok=True)


def save_failure(run: Path, why: Mapping[str, Any]) -> None:
    """Write down why a run failed, and which attempt it was. Of a text that is very long the end is kept."""
    texts = {name: masked(text[-LONGEST_TEXT:]) if isinstance(text, str) else text for name, text in why.items()}
    write(run / "failure.json", dumps({**texts, "attempt": failure(run).get("attempt", 0) + 1}).encode())


def result(run: Path, renamed: bool = False) -> Record | None:
    """The record of a finished run, or None where there is none, a damaged one or one that is not of this run.

    renamed: whether the folder may have another name than the run.
    """
    content = read(run / "result.json")
    if not content or not (renamed or content.get("id") == run.name):
        return None
    if content.get("config") != read(run / "config.json"):
        return None
    return Record.from_json(content) if _intact(content) else None


def status(run: Path) -> str:
    """done or diverged (as the result says), running, failed (or the failure's kind), killed, pending or damaged."""
    record = result(run)
    if record:
        return record.status
    if is_locked(run / "lock"):
        return "running"
    if (run / "result.json").exists():
        return "damaged"
    if why := failure(run):
        return str(why["kind"]) if why.get("kind") in FAILURES else "failed"
    return "killed" if run.exists() else "pending"


def look_at(run: Path) -> Record:
    """The record of a run in whatever folder: a copy may have another name. Raises UsageError where it is none."""
    settings, listing = config(run), run.parent.parent / "sweep.json"
    record = result(run, renamed=run.parent.name != "runs" or not _lists(listing, run.name))
    return record or Record(run.name, status(run), settings, reason=failure(run).get("message", ""))


def _lists(path: Path, run_id: str) -> bool:
    """True if a manifest has this run."""
    listing = Manifest.from_json(read(path, files.MANIFEST) or {})
    return listing is not None and run_id in {cell.id for cell in listing.cells}


def failure(run: Path) -> dict[str, Any]:
    """The failure of a run: kind, message, traceback, attempt; empty where it did not fail."""
    content = read(run / "failure.json") or {}
    return {name: value for name, value in content.items() if isinstance(value, FAILURE.get(name, object))}


def config(run: Path) -> dict[str, Any]:
    """The configuration of a run. Raises UsageError where it cannot be read."""
    content = read(run / "config.json")
    if content is None or not is_config(content):
        raise UsageError(f"{run / 'config.json'} is missing or damaged: the command that made this run writes it anew")
    return content


def curves(run: Path) -> list[dict[str, Any]]:
    """The measures at chunk ends, oldest first; a torn last line is dropped, and what follows a damaged one."""
    try:
        raw = files.content(run / "curves.jsonl", files.MEDIUM)
    except (OSError, Unfit):
        return []
    lines: list[dict[str, Any]] = []
    for line in raw.splitlines():
        try:
            measures = files.parse_json(line)
        except ValueError:
            break
        if not is_measures(measures) or not isinstance(measures.get("step"), int):
            break
        lines.append(measures)
    return lines


def arrays(run: Path, name: str = "arrays.npz") -> dict[str, "np.ndarray"] | None:
    """The arrays that a run left for its pictures, or its parameters; None where they are missing or damaged."""
    try:
        return files.arrays(run / name)
    except (OSError, Unfit):
        return None


# --- a sweep ---------------------------------------------------------------------------------------------------------


def manifest(sweep: Path) -> Manifest | None:
    """Read the manifest of a sweep; None where there is none. Raises Damaged where it cannot be read."""
    path = sweep / "sweep.json"
    if not path.exists():
        return None
    content = read(path, files.MANIFEST) or {}
    listing = Manifest.from_json(content) if _intact(content) else None
    if listing is None:
        raise Damaged(f"{path} is damaged: the command that made this sweep writes it anew and keeps its runs")
    return listing


def save_manifest(sweep: Path, content: Manifest) -> None:
    """Write the manifest. The caller holds the sweep's lock. Raises UsageError where a newer ebm wrote the old one."""
    old = read(sweep / "sweep.json", files.MANIFEST) or {}
    version = old.get("schema_version")
    if _intact(old) and isinstance(version, int) and version > SCHEMA_VERSION:
        raise UsageError(f"{sweep}: written by a newer ebm (schema {version}), update ebm to go on with it")
    sealed = _sealed(content.to_json())
    if len(sealed) > files.MANIFEST or sealed.count(b",") > files.VALUES:
        raise UsageError(f"{sweep}: {len(content.cells):,} runs are too many for one manifest, make several sweeps")
    write(sweep / "sweep.json", sealed)


def records(sweep: Path) -> list[Record]:
    """One record per cell of the manifest, in its order."""
    listing = manifest(sweep)
    return [] if listing is None else [_record(sweep, cell.id, cell.config, cell.refused) for cell in listing.cells]


def _record(sweep: Path, run_id: str, config: Config, refused: str) -> Record:
    if refused:
        return Record(run_id, "refused", config, reason=refused)
    run = sweep / "runs" / run_id
    return result(run) or Record(run_id, status(run), config, reason=failure(run).get("message", ""))


def sweeps(root: Path) -> list[Path]:
    """The sweeps under a results folder, newest manifest first."""
    made: dict[Path, int] = {}
    for path in root.glob("*/sweep.json") if root.is_dir() else ():
        with suppress(OSError):  # it went meanwhile, or is a link that leads nowhere
            made[path.parent] = path.stat().st_mtime_ns
    return sorted(made, key=lambda sweep: made[sweep], reverse=True)
