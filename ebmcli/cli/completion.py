"""Completions that a shell offers where a name is asked for. Nothing here may raise or import jax."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer

from ebmcli.core.registry import units
from ebmcli.core.units import Kind
from ebmcli.storage import store

Offer = Callable[..., list[str]]


def units_of(kind: Kind, *others: str) -> Offer:
    """Names of units in a list with commas: what stands before the last one is kept."""

    def offer(incomplete: str) -> list[str]:
        before, comma, begun = incomplete.rpartition(",")
        taken = before.split(",")
        known = [*units(kind), *others]
        return [f"{before}{comma}{name}" for name in known if name.startswith(begun) and name not in taken]

    return offer


def sweeps(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of sweeps, the newest first."""
    return _starting((folder.name for folder in store.sweeps(_root(ctx))), incomplete)


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs, those of the newest sweep first."""
    names = [run.name for sweep in store.sweeps(_root(ctx)) for run in sorted((sweep / "runs").glob("[!.]*"))]
    return _starting(dict.fromkeys(names), incomplete)


def one_of(names: Callable[[], Iterable[str]]) -> Offer:
    """One of some names, which are looked up when they are asked for."""
    return lambda incomplete: _starting(names(), incomplete)


def _root(ctx: Any) -> Path:
    return Path(ctx.params.get("results") or "results")


def _starting(names: Iterable[str], begun: str) -> list[str]:
    return [name for name in names if name.startswith(begun)]
