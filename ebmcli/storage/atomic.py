"""Files that are whole or not there, whatever happens to the writer; locks that the kernel frees."""

import errno
import fcntl
import hashlib
import json
import math
import os
import secrets
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ebmcli.core import files
from ebmcli.core.files import Unfit

LOCKLESS = "two sweeps in one folder would not wait for each other: put --results on a local disk"
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
    """Replace a file in one step: after a crash it is whole, old or new. It keeps its mode; a new one has the umask's.

    durable: whether the folder is fsynced, so that the new file survives a loss of power; the next durable file of the
    folder makes this one durable too.
    """
    with naming_errors(path):
        temporary = fresh_name(path.parent)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                with suppress(OSError):  # there is none yet, or the file system has no modes
                    os.fchmod(handle, path.stat().st_mode & 0o777)
                failpoint(f"{path.name} made")
                file.write(content)
                file.flush()
                failpoint(f"{path.name} written")
                os.fsync(file.fileno())
            failpoint(f"{path.name} synced")
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        failpoint(f"{path.name} renamed")
        if durable:
            fsync_folder(path.parent)


def fresh_name(folder: Path) -> Path:
    """A name in this folder that nothing has; it is hidden, and `store.tidy` removes what a killed writer left there.

    Files and folders are made under it with the mode that the umask leaves, as tempfile would not.
    """
    return folder / f".ebm-{secrets.token_hex(8)}"


def fsync_folder(folder: Path) -> None:
    """Fsync a folder, so that a rename in it survives a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with naming_errors(folder):
            os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path, at_most: int = files.SMALL) -> dict[str, Any] | None:
    """A JSON object, or None where the file is missing, damaged or not to be read."""
    try:
        value = files.parse_json(files.content(path, at_most))
    except (OSError, ValueError, Unfit):
        return None
    return value if isinstance(value, dict) else None


def checksum(value: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change with anything in it but the order of its keys."""
    text = json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def hold_lock(path: Path) -> Iterator[IO[str]]:
    """Hold the lock of that file while the block runs; waits for another holder, if need be for ever.

    A process that inherits the open file holds the lock with us, and after us. Raises OSError where the file system
    has no locks.
    """
    with os.fdopen(files.open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:  # as on some network disks
            raise OSError(error.errno, f"{error.strerror}: {LOCKLESS}", str(path)) from None
        yield file


def is_locked(path: Path) -> bool:
    """True if some process holds the lock of that file."""
    try:
        with os.fdopen(files.open_regular(path)) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (OSError, Unfit):
        return False
    return False
