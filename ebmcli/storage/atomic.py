"""Files that are whole or not there, whatever happens to the writer; locks that the kernel frees."""

import errno
import fcntl
import hashlib
import json
import math
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

FAULT = "EBM_FAULT"  # set by tests alone: `ACTION NTH NAME`, a fault at the nth passage of a point, or `note FILE`
_passed: Counter[str] = Counter()


def to_plain(value: Any) -> Any:
    """The value as JSON has it: numpy scalars become numbers, what is not finite becomes null."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):  # as numpy's float64 is
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): to_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(part) for part in value]
    return to_plain(value.item()) if hasattr(value, "item") else value  # a scalar of numpy


def dumps(value: Any, indent: int | None = 1) -> str:
    """JSON text in which nan is null."""
    return json.dumps(to_plain(value), indent=indent, allow_nan=False)


def failpoint(name: str) -> None:
    """Mark a place between two system calls of the write path. Nothing happens here but in tests, which walk through
    all of them: FAULT says at which one the process is killed, or gets ENOSPC or EIO."""
    if FAULT in os.environ:
        _strike(name)


def _strike(name: str) -> None:
    action, _, where = os.environ[FAULT].partition(" ")
    if action == "note":
        with open(where, "a") as file:
            file.write(f"{name}\n")
        return
    nth, _, wanted = where.partition(" ")
    _passed[name] += 1
    if name == wanted and _passed[name] == int(nth):
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, action)
        raise OSError(number, os.strerror(number), name)


@contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """Make errors of the block name this file, the one that was meant."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def write(path: Path, content: bytes, durable: bool = True) -> None:
    """Replace a file in one step: after a crash it is whole, old or new.

    durable: whether the folder is fsynced, so that the new file survives a loss of power; the next durable file of the
    folder makes this one durable too.
    """
    with naming_errors(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                failpoint(f"{path.name} made")
                file.write(content)
                file.flush()
                failpoint(f"{path.name} written")
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            failpoint(f"{path.name} synced")
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        failpoint(f"{path.name} renamed")
        if durable:
            fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Fsync a folder, so that a rename in it survives a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where the file is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def checksum(value: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change with anything in it but the order of its keys."""
    text = json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def hold_lock(path: Path) -> Iterator[IO[str]]:
    """Hold the lock of that file while the block runs; waits for another holder, if need be for ever.

    A process that inherits the open file holds the lock with us, and after us.
    """
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def is_locked(path: Path) -> bool:
    """True if some process holds the lock of that file."""
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
