"""Errors that are one sentence for the user: what is wrong, what was found, and what to do."""

import errno
import re
from collections.abc import Iterable, Mapping

from ebmcli.core.texts import shortened

ROOM = 300  # letters of a list of names in a sentence
LONG = 100  # letters of a name in a sentence


class UsageError(Exception):
    """Bad input. The command line prints the sentence and exits with 2."""


class MachineError(Exception):
    """A fault of the machine. The command line prints the sentence and exits with 1."""


_ROOM = "make room there, or put --results on another disk; ebm doctor says how much there is"
_ADVICE = {  # by the number of an error of the system
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EMFILE: "raise the limit of open files (ulimit -n), or say fewer --devices",
    errno.ENFILE: "end other programs",
}
NO_THREADS = (
    "the system allows no more threads or processes: end other programs, say fewer --devices, or raise the limit "
    "(ulimit -u, or that of the container); ebm doctor looks at it"
)


def no_threads(error: Exception) -> bool:
    """True if an error says that the system has refused a thread or a process."""
    return "can't start new thread" in str(error) or (
        isinstance(error, OSError) and error.errno == errno.EAGAIN and error.filename is None
    )


def of_the_machine(error: OSError) -> str:
    """The sentence for an error of the system, with the file where there is one."""
    if no_threads(error):
        return NO_THREADS
    advice = _ADVICE.get(error.errno or 0, "")
    return f"{error.filename or 'i/o'}: {error.strerror or error}{advice and f': {advice}'}"


def unknown(
    kind: str,
    name: str,
    known: Iterable[str],
    also: Mapping[str, Iterable[str]] | None = None,
    aside: str = "",
    see: str = "",
) -> UsageError:
    """Make the error for a name that does not exist, with those that may be meant.

    also: by a known name, what others call it. aside: what else it may be. see: the command that lists all names.
    """
    known = list(known)
    meant = nearest(name, known, also)
    hint = (f"did you mean {either(meant)}? " if meant else "") + (f"{aside}; " if aside else "")
    enough = meant and see and len(", ".join(known)) > ROOM
    listed = f"`{see}` shows all" if enough else f"known: {folded(known, see)}"
    return UsageError(f"unknown {kind} {shortened(name, LONG)!r}: {hint}{listed}")


def nearest(name: str, known: Iterable[str], also: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """The known names that a wrong one may stand for: what others call so, else those that are spelt nearly so."""
    word, known = plain(name), list(known)
    most = min(1 + len(word) // 6, len(word) - 1)  # typos
    spelt = [(_typos(word, plain(real)), real) for real in known if abs(len(word) - len(plain(real))) <= most]
    least = min((typos for typos, _ in spelt), default=0)
    near = [real for typos, real in spelt if typos == least <= most]
    begun = [real for real in known if len(word) > 2 and plain(real).startswith(word)]
    words = {real: [plain(each) for each in (real, *(also or {}).get(real, ()))] for real in known}
    within = [real for real in known if any(f"-{each}-" in f"-{word}-" for each in words[real] if each)]
    return next((names[:3] for names in (called(name, known, also), near, begun, within) if names), [])


def called(name: str, known: Iterable[str], also: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """The known names that are this one but for capitals and dashes, or which others call so."""
    same = [real for real in known if plain(real) == plain(name)]
    return same or [real for real, words in (also or {}).items() if plain(name) in map(plain, words)]


def plain(word: str) -> str:
    """A name in small letters, with dashes between its words: of `two_moons`, `Two Moons` and `TwoMoons` the same."""
    return "-".join(re.sub("(?<=[a-z])(?=[A-Z])", " ", word).lower().replace("_", " ").replace("-", " ").split())


def either(names: Iterable[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def folded(names: Iterable[str], see: str = "") -> str:
    """Names in a list; of a long list its beginning, and how many more there are."""
    names = list(names)
    shown = len(names)
    while shown > 1 and len(", ".join(names[:shown])) > ROOM:
        shown -= 1
    if shown == len(names):
        return ", ".join(names)
    return f"{', '.join(names[:shown])} and {len(names) - shown} more{f', see `{see}`' if see else ''}"


def _typos(first: str, second: str) -> int:
    """The number of letters to change, add, leave out or swap with the next that make one word the other."""
    rows = [list(range(len(second) + 1))]
    for i, letter in enumerate(first, start=1):
        row = [i]
        for j, other in enumerate(second, start=1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            if i > 1 and j > 1 and (letter, first[i - 2]) == (second[j - 2], other):
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
