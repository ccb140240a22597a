"""Copies of users' files, which sweeps and runs keep: a run means what was in its file, wherever it is looked at from.

A copy is known by the name of the file, as runs have it, and by the digest of its content: it never stands for other
data.
"""

from pathlib import Path

from ebmcli.core.files import is_there

_known: dict[tuple[str, str], Path] = {}  # by name and digest


def offer(file: str, data: str, copy: Path) -> None:
    """Make a copy known. data: the digest of its content, which has been compared."""
    _known[file, data] = copy.absolute()  # the current folder may change


def locate(file: str, data: str = "") -> str:
    """The path at which the content of a file is read.

    data: the digest of the content that a run means: a copy of it goes before whatever lies at that name. Without it
    the file itself is meant, and a copy, the last that was offered, where nothing lies there.
    """
    if not data and is_there(file):
        return file
    copies = (path for (name, known), path in reversed(_known.items()) if name == file and data in ("", known))
    return str(next(copies, file))


def is_known(file: str) -> bool:
    """True if the content of a file can be read, from itself or from a copy."""
    return is_there(locate(file))
