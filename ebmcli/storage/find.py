"""Resolve the name of a sweep or run to its folder."""

from difflib import get_close_matches
from pathlib import Path

from ebmcli.core.errors import UsageError, unknown
from ebmcli.storage import store


def sweep(name: str | None, root: Path) -> Path:
    """The folder of a sweep by its name or path; the newest unless named."""
    known = store.sweeps(root)
    if name is None:
        if not known:
            raise UsageError(f"no results in {root}/: run something first, as in `ebm run --loss hinge`")
        return known[0]
    for folder in (root / name, Path(name)):
        if (folder / "sweep.json").exists():
            return folder
    if not known:
        raise UsageError(f"no sweep '{name}', there are no results in {root}/: run something first")
    raise unknown("sweep", name, [folder.name for folder in known])


def run(name: str, root: Path) -> Path:
    """The folder of a run by its path, its id, or the beginning of one; of several sweeps' the newest.

    Raises UsageError where there is none, or where it may be any of several.
    """
    if (Path(name) / "config.json").exists():
        return Path(name)
    fitting: dict[str, Path] = {}
    near: list[str] = []
    for sweep in store.sweeps(root):
        for folder in sorted((sweep / "runs").glob("[!.]*")):
            near.append(folder.name)
            if folder.name.startswith(name):
                fitting.setdefault(folder.name, folder)
    if name in fitting or len(fitting) == 1:
        return fitting.get(name) or next(iter(fitting.values()))
    if fitting:
        names = ", ".join(list(fitting)[:5])
        raise UsageError(f"'{name}' begins the names of {len(fitting)} runs: say more of it, as in {names}")
    if not near:
        raise UsageError(f"no run '{name}', there are no runs in {root}/: run something first")
    close = get_close_matches(name, near, n=1, cutoff=0.3) or near[:1]
    raise UsageError(f"no run '{name}' in {root}/: did you mean {close[0]}? (ebm report lists them)")
