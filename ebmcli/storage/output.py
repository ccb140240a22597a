"""Outputs that a user names: a file, stdout as `-`, or what is written through, a named pipe, a device, `>(...)`."""

import errno
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ebmcli.core.errors import UsageError
from ebmcli.core.texts import quoted
from ebmcli.storage.atomic import fresh_name, naming_errors, write

STDOUT = Path("-")
_STANDARD = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}
_UNSAID = ("", ".txt")  # suffixes that say nothing of the format
_ELSEWHERE = {  # formats that others make of ours
    ".pdf": "write .html and print that from a browser, or .tex and compile that",
    ".docx": "write .html, which word processors open",
    ".xlsx": "write .csv, which spreadsheets open",
    ".png": "`ebm plot` draws pictures",
    ".svg": "`ebm plot` draws pictures",
}
# Errors of a folder in which nothing may be made or replaced, though the file in it can be written.
_SEALED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


# --- what is named ---------------------------------------------------------------------------------------------------


def is_stream(output: Path) -> bool:
    """True if it is written through rather than replaced: stdout, a descriptor, a named pipe, a device."""
    return _descriptor(output) is not None or (output.exists() and not (output.is_file() or output.is_dir()))


def _descriptor(output: Path) -> int | None:
    """The number of the open file that is meant; it is written where it stands, as `>>` may have it."""
    text = str(output)
    number = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", text)
    return int(number[1]) if number else _STANDARD.get(text)


def check(output: Path | None, folder: bool = False) -> None:
    """Raise UsageError where an output cannot be one, before anything is done for it. folder: whether it is one."""
    if output is None:
        return
    named, number = f"--output {quoted(output)}", _descriptor(output)
    try:
        mode = (
            os.fstat(number).st_mode if number and number > 2 else stat.S_IFCHR if number else os.stat(output).st_mode
        )
    except FileNotFoundError:
        folders = output.parent, _place(output).parent  # the second where it is a link
        if missing := [place for place in folders if not place.is_dir()]:
            raise UsageError(f"{named}: there is no folder {quoted(missing[0])}") from None
    except (OSError, ValueError) as error:  # of NUL, of a name that is too long, of links in a circle
        why = getattr(error, "strerror", None) or "no file has such a name"
        raise UsageError(f"{named}: {why}; name another file") from None
    else:
        if stat.S_ISDIR(mode) and not folder:
            raise UsageError(f"{named}: a folder; name a file in it")
        if folder and not stat.S_ISDIR(mode):
            raise UsageError(f"{named}: a file, but this format is a folder of files; name a folder")


def _place(output: Path) -> Path:
    """The file that an output is, through links, also where the last one leads to nothing yet."""
    return Path(os.path.realpath(output))


def format_of(option: str, output: Path | None, chosen: str | None, suffixes: Mapping[str, str], default: str) -> str:
    """The format that is chosen, or that the suffix of the output says.

    option: that chooses. suffixes: with the dot, and their formats. Raises UsageError where the two contradict each
    other, or where a suffix is of no format.
    """
    suffix = "" if output is None else output.suffix.lower()
    named = f"--output {quoted(output)}"
    implied, known = suffixes.get(suffix), " ".join(suffixes)
    if implied is None and suffix in _ELSEWHERE:
        raise UsageError(f"{named}: {suffix} is not written: {_ELSEWHERE[suffix]}")
    if chosen is not None:
        if implied not in (None, chosen):
            raise UsageError(f"{named} means {implied}, {option} {chosen} another format: leave one of them out")
        return chosen
    if implied is None and suffix not in _UNSAID and output is not None and not is_stream(output):
        raise UsageError(f"{named}: {suffix} says no format; end it in one of {known}, or say {option}")
    return implied or default


# --- written ---------------------------------------------------------------------------------------------------------


def deliver(output: Path, content: bytes, beside: Mapping[str, bytes] | None = None) -> None:
    """Write an output, whole or not at all; a stream is written through.

    beside: files that go with it, by their path from its folder. After an error nothing is left that was not there.
    """
    if is_stream(output):
        _pour(output, content)
        return
    place = _place(output)
    with _undone([*(output.parent / name for name in beside or {}), place]):
        for name, part in (beside or {}).items():
            (output.parent / name).parent.mkdir(exist_ok=True)
            _replace(output.parent / name, part)
        with naming_errors(output):
            _replace(place, content)


def _pour(output: Path, content: bytes) -> None:
    number = _descriptor(output)
    if number == 1:
        sys.stdout.flush()
        if hasattr(sys.stdout, "buffer"):
            sys.stdout.buffer.write(content)
        else:  # that of a notebook holds text alone
            sys.stdout.write(content.decode(errors="replace"))
        sys.stdout.flush()
        return
    with naming_errors(output):
        handle = os.open(output, os.O_WRONLY) if number is None else os.dup(number)
        with os.fdopen(handle, "wb") as file:
            file.write(content)


def _replace(place: Path, content: bytes) -> None:
    """Replace a file in one step; in a folder where that is not allowed, write into the file that is there."""
    if place.exists() and not os.access(place, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(place))
    try:
        write(place, content)
    except OSError as error:
        if error.errno not in _SEALED or not place.exists():
            raise
        with naming_errors(place), os.fdopen(os.open(place, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            file.write(content)


@contextmanager
def _undone(files: Sequence[Path]) -> Iterator[None]:
    """Remove, after an error of the block, those of these files and of their folders that were not there before."""
    fresh = [file for file in files if not os.path.lexists(file)]
    folders = {file.parent for file in files if not file.parent.exists()}
    try:
        yield
    except BaseException:
        for file in fresh:
            file.unlink(missing_ok=True)
        for folder in folders:
            if folder.is_dir():
                folder.rmdir()
        raise


@contextmanager
def folder_aside(output: Path) -> Iterator[Path]:
    """A new folder, in which the block makes folders that replace those of their names in the output at its end."""
    place = _place(output)
    fresh = fresh_name(place.parent)
    with naming_errors(output):
        fresh.mkdir()
    try:
        (fresh / "old").mkdir()
        (fresh / "new").mkdir()
        yield fresh / "new"
        place.mkdir(exist_ok=True)
        for made in sorted((fresh / "new").iterdir()):
            if (place / made.name).exists():
                (place / made.name).rename(fresh / "old" / made.name)
            made.rename(place / made.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
