"""Resume a sweep: write its manifest, and find the runs that are still to be done."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ebmcli.core.errors import UsageError
from ebmcli.planning.cells import Cell, cell_of_record
from ebmcli.planning.identity import unsaid
from ebmcli.planning.plan import Plan
from ebmcli.storage import kept, store
from ebmcli.storage.provenance import versions
from ebmcli.storage.records import FINISHED, Config, Listed, Manifest

# Which runs of an earlier command can be done again: by the name that the user says, their statuses.
RETRY = {"failed": ("failed",), "killed": ("killed", "crashed", "timeout", "oom"), "diverged": ("diverged",)}
RETRIED = ("failed", "killed")  # what a command does again unless it is told otherwise


def prepare(plan: Plan, sweep: Path, command: str, retry: Sequence[str] = RETRIED) -> list[Cell]:
    """Write the manifest and return the runs that are still to be done. The caller holds the sweep's lock.

    A plan that contains the old one extends it, a part of the old one leaves it as it is; any other is refused with a
    UsageError. retry: of RETRY, what is done again.
    """
    try:
        old = store.manifest(sweep)
    except store.Damaged:  # it is written anew
        old = None
    new = _manifest(plan, command, old.created if old else "")
    if old:
        before, now = {cell.id for cell in old.cells}, {cell.id for cell in plan.cells}
        if before - now and not now <= before:
            raise UsageError(
                f"{sweep} holds another grid ({len(before - now)} of its {len(before)} runs are not in this one"
                f"{_difference(old, plan)}): give this one another --name"
            )
        if now < before:
            new = Manifest(old.created, old.command, old.cells, old.origins, new.versions)
        elif now == before:
            new = Manifest(old.created, command, *_origins_known(old, new), new.versions)
    store.tidy(sweep)
    for config in {kept.file_of(cell.config): cell.config for cell in plan.runs}.values():
        kept.keep(sweep, config)
    store.save_manifest(sweep, new)
    return [cell for cell in plan.runs if _wanted(sweep / "runs" / cell.id, retry)]


def _manifest(plan: Plan, command: str, created: str) -> Manifest:
    """The manifest of a plan, in which the origins of many cells are one entry."""
    places: dict[tuple[tuple[str, str], ...], int] = {}
    origins: list[Mapping[str, str]] = []
    listed = []
    known: dict[int, int] = {}  # cells of one combination share the same mapping
    for cell in plan.cells:
        if id(cell.origins) not in known:
            key = tuple(cell.origins.items())
            if key not in places:
                places[key] = len(origins)
                origins.append(cell.origins)
            known[id(cell.origins)] = places[key]
        listed.append(Listed(cell.id, cell.config, cell.judgement.refusal, known[id(cell.origins)]))
    created = created or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Manifest(created, command, listed, origins, versions())


def _origins_known(old: Manifest, new: Manifest) -> tuple[Sequence[Listed], Sequence[Mapping[str, str]]]:
    """The cells of the same grid as before, with the origins that this command gives them."""
    order = {cell.id: place for place, cell in enumerate(old.cells)}
    return sorted(new.cells, key=lambda cell: order[cell.id]), new.origins


def _wanted(run: Path, retry: Sequence[str]) -> bool:
    """True if a run is to be done, or done again. A result that is not wanted any more is set aside."""
    status = store.status(run)
    retried = any(status in RETRY[kind] for kind in retry)
    if status in FINISHED and retried:
        store.set_aside(run)
    ended = status in FINISHED or bool(store.failure(run) and status in (*RETRY["failed"], *RETRY["killed"]))
    return retried or not ended


def cells_of(sweep: Path, runs: Sequence[str]) -> list[Cell]:
    """These runs of the manifest, as this version of the package has to train them."""
    kept.offer_all(sweep)
    manifest = store.manifest(sweep)
    configs = {cell.id: cell.config for cell in manifest.cells} if manifest else {}
    return [cell_of_record(run, configs[run]) for run in runs]


def _difference(old: Manifest, plan: Plan) -> str:
    """The settings in which two grids differ, for the message."""

    def seen(configs: Sequence[Config]) -> dict[str, set[str]]:
        return {name: {str(config.get(name)) for config in configs} for name in {n for c in configs for n in c}}

    before, now = (seen([{**unsaid(cell.config), **cell.config} for cell in sweep.cells]) for sweep in (old, plan))
    names = sorted(name for name in before if before[name] - now.get(name, before[name]))
    return f"; they differ in {', '.join(names)}" if names else ""


def bury(sweep: Path, cell: Cell, kind: str, message: str, trace: str) -> None:
    """Write down why a run has no result. kind: failed, killed, crashed, timeout or oom."""
    run = store.claim(sweep, cell.id, cell.config)
    store.save_failure(run, {"kind": kind, "message": message, "traceback": trace})
