"""Experiment files: TOML that names a grid. Data only; nothing in it is executed."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ebmcli.core import files
from ebmcli.core.copies import offer
from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.files import digest, is_there
from ebmcli.core.registry import named_so
from ebmcli.core.texts import quoted, shortened
from ebmcli.core.units import KINDS, Kind
from ebmcli.planning.grid import BUDGET, Grid, grid
from ebmcli.planning.values import AXES, SEE, names_of_others, parameters

LONG = 200  # letters of the name of a file in a sentence
MOST_BITS = 1000  # of a whole number: any other can be printed, and is refused where it is given
# What to do about an error of TOML, by its beginning.
ADVICE = {
    "Cannot overwrite": "this key stands twice, write it once",
    "Cannot declare": "this table stands twice, write it once",
    "Invalid value": "text stands in quotes and a list in brackets, as in losses = ['hinge', 'log']",
    "Expected '='": "a line is NAME = VALUE, or [KIND.NAME]",
    "Invalid statement": "a line is NAME = VALUE, or [KIND.NAME]",
    "Unclosed": "close it",
}

Special = dict[tuple[Kind, str], Mapping[str, Any]]


def load(path: Path) -> Grid:
    """Read the grid of an experiment file. Raises UsageError with file, line and key.

    Top level: `tasks`, `losses`, `samplers`, `energies`, `seeds`, any hyperparameter with a value or a list, and
    `budget`, energy evaluations of every run instead of `steps`; tables `[task.letters]`, `[loss.hinge]`,
    `[sampler.langevin]`, `[energy.mlp]` for what belongs to one unit.
    """
    text = _text(path)
    content = _parse(path, text)
    if not content:
        raise UsageError(f"{_shown(path)}: the file is empty, it needs at least `losses = [...]`")
    axes: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    special: Special = {}
    for key, value in content.items():
        place, plain = _Place(path, text, key), key.replace("-", "_")
        if plain in settings:
            raise place.error(UsageError(f"{key} stands twice, with a dash and with an underscore"))
        if key in AXES and not isinstance(value, dict):
            axes[AXES[key]] = value
            _offer_files(path.parent, value)
        elif key in KINDS and isinstance(value, dict):
            special |= {(key, name): _table(path, text, key, table) for name, table in value.items()}
        elif isinstance(value, dict):
            raise place.error(_no_table(key, value))
        elif plain not in [*parameters(), BUDGET.name]:
            also = names_of_others() | {plural: (axis,) for plural, axis in AXES.items()}
            raise place.error(unknown("key", key, [*AXES, *parameters(), BUDGET.name], also, see=SEE))
        else:
            settings[plain] = value
    return _checked(path, text, axes, settings, special)


def _offer_files(folder: Path, given: Any) -> None:
    """Let the names of files that are not in the current folder be those beside the experiment file: it means the same
    wherever it is read from."""
    for text in given if isinstance(given, list) else [given]:
        for name in (str(text), *str(text).split(",")):
            file = name.partition(":")[2].strip()
            if file and not is_there(file) and (data := digest(str(folder / file))):
                offer(file, data, folder / file)


def _no_table(key: str, table: Mapping[str, Any]) -> UsageError:
    """The error for a table whose name is no kind of unit."""
    kinds = [AXES[key]] if AXES.get(key) in KINDS else []
    meant = [f"[{kind}.{name}]" for kind in kinds for name in table] or [f"[{k}.{name}]" for k, name in named_so(key)]
    known = [f"[{kind}.NAME]" for kind in KINDS]
    return unknown("table", f"[{key}]", known, dict.fromkeys(meant, (f"[{key}]",)))


def _checked(path: Path, text: str, axes: Mapping[str, Any], settings: Mapping[str, Any], special: Special) -> Grid:
    """Make the grid. Where that fails each value is tried by itself, so that the error can name its line."""
    try:
        return grid(axes, settings, special, str(path))
    except UsageError as whole:
        names = {axis: key for key, axis in AXES.items()}
        for axis, value in axes.items():
            _attempt(_Place(path, text, names[axis]), {axis: value}, {}, {})
        for key, value in settings.items():
            _attempt(_Place(path, text, key), {}, {key: value}, {})
        for (kind, name), table in special.items():
            _attempt(_Place(path, text, name), {}, {}, {(kind, name): {}})
            for key, value in table.items():
                place = _Place(path, text, key, after=f"[{kind}.{name}]")
                _attempt(place, {}, {}, {(kind, name): {key: value}})
        raise whole


def _attempt(place: "_Place", axes: Mapping[str, Any], settings: Mapping[str, Any], special: Special) -> None:
    try:
        grid(axes, settings, special)
    except UsageError as error:
        raise place.error(error) from None


def _table(path: Path, text: str, kind: str, table: Any) -> Mapping[str, Any]:
    if not isinstance(table, dict):
        raise _Place(path, text, kind).error(UsageError(f"write it as a table, [{kind}.NAME]"))
    return table


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise UsageError(f"{_shown(path)}: a folder, not an experiment file; name a .toml file in it")
        raw = files.content(path)
    except OSError as error:
        meant = " or ".join(f"--{kind} {name}" for kind, name in named_so(str(path)))
        advice = f"say {meant}" if meant else "name an experiment file, as in experiments/first.toml"
        raise UsageError(f"{_shown(path)}: {error.strerror or error}; {advice}") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UsageError(f"{_shown(path)}, line {line}: not UTF-8 text; save it as UTF-8") from None
    if text.startswith("\ufeff"):
        raise UsageError(f"{_shown(path)}, line 1: begins with a byte-order mark; save it as UTF-8 without one")
    return text


# Dotted parts of a key in a row: the time that tomllib takes rises with their square.
_CHAIN = re.compile(rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{files.DEEPEST},}}""")


def _parse(path: Path, text: str) -> dict[str, Any]:
    """The content of TOML text, which nests no deeper than files.DEEPEST and holds no endless integer."""
    too_deep = UsageError(
        f"{_shown(path)}: tables and lists are nested in more than {files.DEEPEST} levels, two are enough"
    )
    if _CHAIN.search(text):
        raise too_deep
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise too_deep from None
    except ValueError as error:  # of TOML, or of a number that Python does not read
        plural = re.search(rf"^[ \t]*\[ *({'|'.join(AXES)}) *\. *([\w-]+) *\]", text, re.MULTILINE)
        if plural:  # beside a list of that name TOML forbids the table
            raise _Place(path, text, plural[1], plural[0]).error(_no_table(plural[1], {plural[2]: {}})) from None
        raise _not_toml(path, str(error)) from None
    if files.is_too_deep(content):
        raise too_deep
    bits = max((part.bit_length() for part in _parts(content) if isinstance(part, int)), default=0)
    if bits > MOST_BITS:
        raise UsageError(f"{_shown(path)}: a whole number of {bits:,} bits, no hyperparameter takes more than 64")
    return content


def _not_toml(path: Path, reason: str) -> UsageError:
    """The error for text that is no TOML, with its line and what to do."""
    place = re.search(r" \(at line (\d+), column \d+\)$", reason)
    what = reason[: place.start()] if place else reason
    advice = next((advice for begun, advice in ADVICE.items() if what.startswith(begun)), "see https://toml.io")
    return UsageError(f"{_shown(path)}{f', line {place[1]}' if place else ''}: {what[:1].lower()}{what[1:]}: {advice}")


def _parts(value: Any) -> Iterator[Any]:
    """All that is no table and no list."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _parts(part)
    else:
        yield value


def _shown(path: Path) -> str:
    """The name of a file in a sentence."""
    return quoted(shortened(str(path), LONG))


class _Place:
    """The place of a key in a file: its first line that looks like it."""

    def __init__(self, path: Path, text: str, key: str, after: str = ""):
        start = text.find(after) if after else 0
        name = re.sub("[-_]", "[-_]", key) if re.fullmatch(r"[\w-]+", key) else re.escape(key)
        wanted = re.compile(rf"^\s*(\[.*\b{name}\b.*\]|[\"']?{name}[\"']?\s*=)", re.MULTILINE)
        match = wanted.search(text, max(start, 0))
        line = text[: match.end()].count("\n") + 1 if match else None
        self.where = f"{_shown(path)}, line {line}" if line else f"{_shown(path)}"

    def error(self, error: UsageError) -> UsageError:
        """The error, with the place."""
        return UsageError(f"{self.where}: {error}")
