"""Errors that are one sentence for the user: what is wrong, what was found, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(Exception):
    """Bad input. The command line prints the sentence and exits with 2."""


class MachineError(Exception):
    """A fault of the machine. The command line prints the sentence and exits with 1."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for a name that does not exist, with the nearest that does."""
    known = list(known)
    near = get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.5)
    near = near or get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return UsageError(f"unknown {kind} '{name}': {hint}known: {', '.join(known)}")
