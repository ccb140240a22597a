"""Options that hold for all runs of a command."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunOptions:
    """Options that hold for all runs of a command."""

    devices: int | None = None  # runs trained at once; None: one per core
    cache: bool = True  # keep compiled programs
    pictures: bool = True
    film: bool = True  # keep what a run had learned at every chunk end
    timeout: float | None = None  # seconds of a launch, compiling included
    fail_fast: bool = False
