"""Resolve the name of a sweep or run to its folder."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.texts import printable, quoted
from ebmcli.storage import store

NAMED = 5  # runs that a sentence names


def sweep(name: str | None, root: Path) -> Path:
    """The folder of a sweep by its name or path; the newest unless named."""
    known = store.sweeps(root)
    if name is None:
        if not known:
            raise UsageError(f"no results in {quoted(f'{root}/')}: run something first, as in `ebm run --loss hinge`")
        return known[0]
    for folder in (root / name, Path(name)):
        if _has(folder, "sweep.json"):
            return named(folder)
    if _has(Path(name), "config.json"):
        raise UsageError(f"{quoted(name)}: the folder of a run, not of a sweep; `ebm show` prints it")
    if not known:
        raise UsageError(f"no sweep {name!r}, there are no results in {quoted(f'{root}/')}: run something first")
    raise unknown("sweep", name, [printable(folder.name) for folder in known])


def named(folder: Path) -> Path:
    """The folder by a path that ends in its name, as `.` and `..` do not."""
    return folder.resolve() if folder.name in ("", "..") else folder


def _has(folder: Path, file: str) -> bool:
    """True if a folder has such a file, whatever text its path is."""
    try:
        return (folder / file).exists()
    except (OSError, ValueError):  # too long, or with NUL
        return False


def run(name: str, root: Path) -> Path:
    """The folder of a run by its path, its id, or the beginning of one, alone or as SWEEP/RUN; of several sweeps' the
    newest.

    Raises UsageError where there is none, or where it may be any of several.
    """
    if _has(Path(name), "config.json"):
        return Path(name).resolve() if Path(name).is_symlink() else named(Path(name))
    if _has(Path(name), "sweep.json"):
        raise UsageError(f"{quoted(name)}: the folder of a sweep, not of a run; name one of its folder runs")
    if _has(Path(name), "result.json"):
        raise UsageError(f"{quoted(name)}: there is a result but no config.json; copy the whole folder of the run")
    of_sweep, _, begun = name.rpartition("/")
    sweeps = [sweep(of_sweep.removesuffix("/runs"), root)] if of_sweep else store.sweeps(root)
    fitting: dict[str, Path] = {}
    near: list[str] = []
    for searched in sweeps:
        for folder in sorted((searched / "runs").glob("[!.]*")):
            near.append(folder.name)
            if folder.name.startswith(begun):
                fitting.setdefault(folder.name, folder)
    if begun in fitting or len(fitting) == 1:
        return fitting.get(begun) or next(iter(fitting.values()))
    if fitting:
        names = _told_apart(list(fitting.values()))
        raise UsageError(f"{name!r} begins the names of {len(fitting)} runs: say more of it, as in {names}")
    if not near:
        raise UsageError(f"no run {name!r}, there are no runs in {quoted(f'{root}/')}: run something first")
    close = get_close_matches(begun, near, n=1, cutoff=0.3) or near[:1]
    raise UsageError(f"no run {name!r} in {quoted(f'{root}/')}: did you mean {close[0]}? (ebm report lists them)")


def _told_apart(runs: Sequence[Path]) -> str:
    """The names of some runs, each with the settings in which they differ."""
    configs = [_config(run) for run in runs]
    names = dict.fromkeys(name for config in configs for name in config)
    differing = [name for name in names if len({str(config.get(name)) for config in configs}) > 1]
    settings = [", ".join(f"{name} {config[name]}" for name in differing if name in config) for config in configs]
    named = zip(runs[:NAMED], settings[:NAMED], strict=True)
    return ", ".join(f"{run.name} ({values})" if values else run.name for run, values in named)


def _config(run: Path) -> Mapping[str, Any]:
    """The configuration of a run; empty where it cannot be read."""
    with suppress(UsageError):
        return store.config(run)
    return {}
