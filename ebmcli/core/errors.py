"""Errors that are one sentence for the user: what is wrong, what was found, and what to do."""

from collections.abc import Iterable, Mapping

ROOM = 300  # letters of a list of names in a sentence


class UsageError(Exception):
    """Bad input. The command line prints the sentence and exits with 2."""


class MachineError(Exception):
    """A fault of the machine. The command line prints the sentence and exits with 1."""


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
    return UsageError(f"unknown {kind} {name!r}: {hint}known: {folded(known, see)}")


def nearest(name: str, known: Iterable[str], also: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """The known names that a wrong one may stand for: what others call so, else those that are spelt nearly so."""
    word, known = plain(name), list(known)
    spelt = [(_typos(word, plain(real)), real) for real in known]
    least = min((typos for typos, _ in spelt), default=0)
    near = [real for typos, real in spelt if typos == least <= 1 + len(word) // 6 and typos < len(word)]
    begun = [real for real in known if len(word) > 2 and plain(real).startswith(word)]
    within = [real for real in known if f"-{plain(real)}-" in f"-{word}-"]
    return next((names[:3] for names in (called(name, known, also), near, begun, within) if names), [])


def called(name: str, known: Iterable[str], also: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """The known names that are this one but for capitals and dashes, or which others call so."""
    same = [real for real in known if plain(real) == plain(name)]
    return same or [real for real, words in (also or {}).items() if plain(name) in map(plain, words)]


def plain(word: str) -> str:
    """A name in small letters, with dashes between its words."""
    return "-".join(word.lower().replace("_", " ").replace("-", " ").split())


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
