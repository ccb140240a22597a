"""Exit codes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of ebm."""

    OK = 0
    MACHINE = 1  # a fault of the machine
    USAGE = 2  # bad input
    UNFINISHED = 3  # runs are missing, or a check found something
    INTERRUPTED = 130  # stopped by a signal; what was finished is saved
