"""The streams of a command: a message that nobody can read is dropped, a result that nobody can read is a fault.

Nothing but this layer meets a closed pipe, a full disk behind `>`, or a terminal that is gone: rich and typer would end
the process there, in the midst of training.
"""

import errno
import io
import os
import select
import sys
from io import FileIO
from typing import Any

from ebmcli.core.errors import MachineError


class Unprinted(MachineError):
    """A result that could not be printed; what else is printed after it is dropped."""


class _File(FileIO):
    """The file of a stream, which is never left half written for a reader in no hurry."""

    def __init__(self, number: int, called: str, needed: bool):
        super().__init__(number, "w", closefd=False)
        self.called, self.needed, self.lost = called, needed, False

    def write(self, content: Any) -> int:
        """Write; after the first error nothing is written any more. Raises Unprinted at that one, if it is needed."""
        if self.lost:
            return len(content)
        try:
            while (count := super().write(content)) is None:  # it does not wait by itself
                select.select([], [self.fileno()], [])
            return count
        except OSError as error:
            self.lost = True
            if self.needed:
                why = "it is closed" if error.errno == errno.EBADF else error.strerror
                raise Unprinted(f"{self.called}: {why}: not all of it could be printed") from None
            return len(content)


def prepare() -> None:
    """Make the streams of this process such ones, where nobody has put others in their place.

    A stream that the caller closed is a device that cannot be written, so that no file of ours gets its number. A plain
    locale shows ? for what it lacks.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # the lowest number that is free: this one
    sys.stdout = _prepared(sys.stdout, sys.__stdout__, 1, "stdout", needed=True)
    sys.stderr = _prepared(sys.stderr, sys.__stderr__, 2, "stderr", needed=False)


def _prepared(stream: Any, original: Any, number: int, called: str, needed: bool) -> Any:
    if stream is not original:  # a notebook's, or a test's
        stream.reconfigure(errors="replace")
        return stream
    buffer = io.BufferedWriter(_File(number, called, needed))
    if stream is None:
        return io.TextIOWrapper(buffer, encoding="utf-8", errors="replace")
    how = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
    return io.TextIOWrapper(buffer, encoding=stream.encoding, errors="replace", **how)
