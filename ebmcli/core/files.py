"""Files that are read, ours and the user's: regular ones of a sane size, with content of a sane depth.

Nothing else of the package opens a file to read it (a test): a pipe or a device would be waited for, a sparse file of a
terabyte would be held in memory.
"""

import hashlib
import io
import json
import math
import os
import stat
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebmcli.core.errors import UsageError
from ebmcli.core.texts import quoted

if TYPE_CHECKING:
    import numpy as np

# Bytes that are read of a file at most; docs/guide.md states them.
MIB = 2**20
SMALL = MIB  # an experiment file, a configuration, a result, a failure
MEDIUM = 16 * MIB  # the curves of a run
LARGE = 64 * MIB  # a table of points, a picture
MANIFEST = 128 * MIB
ARRAYS = 512 * MIB  # of arrays and parameters, also when they are unpacked
MEMBERS = 10_000  # arrays of a file
VALUES = 5_000_000  # of JSON; each takes some 100 bytes of memory
DEEPEST = 32  # levels of JSON, or of an experiment file
LARGEST = 2**63  # integers are below it, and above minus it
LONGEST_NAME = 255  # bytes of a file's name, on all file systems in use

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class Unfit(UsageError):
    """A file that is not read: none that is regular, one that is too large, or one whose content is damaged."""


def open_regular(path: Path, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
    """A descriptor of a regular file, through links if need be; nothing else is opened, which might wait or act.

    flags: what os.open takes. Raises OSError where it cannot be opened, Unfit where it is not a regular file.
    """
    try:
        _require_regular(path, os.stat(path))
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    except ValueError:  # NUL in its name, or a character that no name has
        raise Unfit(f"{quoted(path)}: no file has such a name, name another") from None
    handle = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, mode)  # not waiting: it may have changed meanwhile
    try:
        _require_regular(path, os.fstat(handle))
    except BaseException:
        os.close(handle)
        raise
    return handle


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise Unfit(f"{quoted(path)}: {kind}, but only regular files are read; name a file")


def content(path: Path, at_most: int = SMALL) -> bytes:
    """The bytes of a regular file of at most so many. Raises OSError where it cannot be read, Unfit where it is not."""
    with open(open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            raw = b"" if size > at_most else file.read(at_most + 1)  # of /proc the size is 0
        except OSError as error:  # of the disk, which knows no name
            raise OSError(error.errno, error.strerror, str(path)) from None
    if max(size, len(raw)) > at_most:
        raise Unfit(_too_large(path, max(size, len(raw)), at_most))
    return raw


def _too_large(path: Path, size: int, at_most: int) -> str:
    return (
        f"{quoted(path)}: {math.ceil(size / MIB):,} MiB, of such a file at most {at_most // MIB} are read; "
        "name a smaller one"
    )


def parse_json(raw: bytes | str) -> Any:
    """The value of JSON text. Raises ValueError where it is none, too deep or too much, or holds numbers that are not
    finite or have more than 64 bits."""
    text = raw if isinstance(raw, bytes) else raw.encode(errors="surrogatepass")
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > VALUES:
        raise ValueError(f"more than {VALUES:,} values")
    try:
        value = json.loads(raw, parse_constant=_refuse, parse_float=_finite, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if is_too_deep(value):
        raise ValueError("nested too deeply")
    return value


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if abs(value) < float("inf") else _refuse(text)


def _integer(text: str) -> int:
    value = int(text)  # of more than 4,300 digits Python raises ValueError by itself
    return value if abs(value) < LARGEST else _refuse(f"an integer of {len(text)} digits")


def is_too_deep(value: Any) -> bool:
    """True if lists and dictionaries are nested in more than DEEPEST levels."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _parts(outer)]
        if not level:
            return False
    return True


def _parts(outer: Any) -> Any:
    return outer.values() if isinstance(outer, dict) else outer


def arrays(path: Path) -> dict[str, "np.ndarray"]:
    """The arrays of an .npz file. Raises OSError where it cannot be read, Unfit where it is too large or damaged."""
    import numpy as np

    raw = content(path, ARRAYS)
    try:
        if raw.count(b"PK\x01\x02") > MEMBERS:
            raise ValueError
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked <= ARRAYS:
            with np.load(io.BytesIO(raw)) as file:
                return {name: _array(file[name]) for name in file.files}
    except Exception:  # of a damaged archive zipfile, zlib and numpy raise nearly anything
        raise Unfit(f"{quoted(path)}: damaged, no arrays can be read from it") from None
    raise Unfit(_too_large(path, unpacked, ARRAYS))


def _array(value: "np.ndarray | bytes") -> "np.ndarray":
    """The value, if it is an array; of an entry with another name than *.npy numpy returns bytes."""
    if isinstance(value, bytes):
        raise ValueError("no array")
    return value


def is_file_name(text: str) -> bool:
    """True if a text can be the name of a file in a folder: no path, no NUL, not hidden, not too long."""
    try:
        raw = os.fsencode(text)
    except ValueError:  # half of a surrogate pair
        return False
    return 0 < len(raw) <= LONGEST_NAME and not raw.startswith(b".") and not {b"/"[0], 0} & set(raw)


def is_png(raw: bytes) -> bool:
    """True if a picture's bytes begin as those of a PNG do: a link could lead to any file of this machine."""
    return raw.startswith(b"\x89PNG\r\n\x1a\n")


def digest(file: str) -> str:
    """12 hexadecimal digits of the SHA-256 of a file as it is now, or nothing where it cannot be read."""
    try:
        status = os.stat(file)
        return _digest(os.path.abspath(file), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except (OSError, ValueError, Unfit):
        return ""


@lru_cache
def _digest(path: str, *_: int) -> str:
    return hashlib.sha256(content(Path(path), LARGE)).hexdigest()[:12]


def is_there(file: str) -> bool:
    """True if something lies at that path, whatever it is."""
    try:
        return os.path.lexists(file)
    except ValueError:  # no path can be written so
        return False
