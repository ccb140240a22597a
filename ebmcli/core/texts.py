"""Text that comes from outside, names of files above all, as a message, a command or the name of a file may hold it."""

import hashlib
import re
import shlex
from collections.abc import Sequence
from itertools import count

HIDDEN = "***"  # stands for what nobody else is to read
_PLAIN = re.compile(r"[\w./:@+=~-]+")
_LOGIN = re.compile(r"(?<=://)[^/\s'\"]*@")  # of an address: user:password@
_SECRET = r"token(?!s|iz)|secret|passw|passphrase|(?:api|access|private)[_-]?key|credential|auth(?!ors?\b)|bearer"
_NAME = rf"[\w.-]*(?:{_SECRET})[\w.-]*"
_VALUE = r"(?:bearer\s+)?(?:\"[^\"]*\"|'[^']*'|[^\s,;&'\"}}]+)"
_ASSIGNED = re.compile(rf"(?i)(\b{_NAME}[\"']?\s*[=:]\s*){_VALUE}")


def printable(text: str, keep: str = "") -> str:
    """The text, with escapes such as \\n for what would move a cursor, turn or hide letters, or is no character.

    keep: such letters that stay.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in keep else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def quoted(text: object) -> str:
    """A text of the user's as a sentence holds it: a plain word as it is, any other as Python's repr writes it."""
    word = str(text)
    return word if _PLAIN.fullmatch(word) and word.isprintable() else repr(word)


def shortened(text: str, most: int) -> str:
    """The text with an ellipsis for its middle where it has more letters than that."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[len(text) - (most - most // 2) :]}"


def file_name(text: str, most: int = 80) -> str:
    """A name of a file that no other text has, on a file system that tells no case apart either.

    It is the text itself where that has at most so many small letters of ASCII, digits and `. _ -`; of any other text
    what is left of it, and 8 hexadecimal digits of the whole.
    """
    if re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", text) and len(text) <= most:
        return text
    plain = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).lstrip(".-")
    return f"{plain[:most]}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}".lstrip("-")


def distinct(names: Sequence[str]) -> list[str]:
    """The names; of those that differ in nothing but capitals the later ones have a number, name-2."""
    taken: dict[str, str] = {}  # in small letters, as it is
    for name in names:
        numbered = (f"{name}-{number}" if number > 1 else name for number in count(1))
        free = next(each for each in numbered if each.lower() not in taken)
        taken[free.lower()] = free
    return list(taken.values())


def masked(text: str) -> str:
    """The text without logins of addresses, and without what is assigned to names such as token, secret or password."""
    return _ASSIGNED.sub(rf"\g<1>{HIDDEN}", _LOGIN.sub(f"{HIDDEN}@", text))


def command_line(arguments: Sequence[str]) -> str:
    """The command line of these arguments, quoted for a shell, without its secrets."""
    pairs = zip(["", *arguments], arguments, strict=False)
    return shlex.join(HIDDEN if re.fullmatch(f"(?i)--{_NAME}", before) else _argument(word) for before, word in pairs)


def _argument(word: str) -> str:
    """An argument: of NAME=VALUE the whole value, with its blanks, belongs to the name."""
    name, equals, value = word.partition("=")
    if equals and re.fullmatch(f"(?i)(?:--)?{_NAME}", name):
        return f"{name}={HIDDEN}"
    return f"{name}={_argument(value)}" if equals and name.startswith("--") else masked(word)
