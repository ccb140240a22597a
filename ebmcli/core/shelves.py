"""Shelves of what is registered, by name: nobody takes another's, and a plug-in that fails leaves nothing behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ebmcli.core.errors import UsageError

OURS = __name__.partition(".")[0]

_undo: list[Callable[[], object]] | None = None  # what takes back what a plug-in has registered so far
_fresh: set[tuple[str, str]] = set()  # (kind, name) of that


def put(
    shelf: dict[str, Any],
    kind: str,
    name: str,
    item: Any,
    function: Callable[..., Any],
    former: Callable[..., Any] | None = None,
) -> None:
    """Register an item, made of that function, under its name. former: the function that has the name now.

    A module that is read again registers its own anew. Raises UsageError where the name is another's.
    """
    if former and former.__module__ != function.__module__:
        raise UsageError(f"{kind} {name} is already registered by {former.__module__}")
    if _undo is not None and function.__module__.partition(".")[0] != OURS:
        if (kind, name) in _fresh:
            raise UsageError(f"{kind} {name} is registered twice by {function.__module__}: rename one of them")
        _fresh.add((kind, name))
        taken_back(partial(shelf.__setitem__, name, shelf[name]) if name in shelf else partial(shelf.pop, name))
    shelf[name] = item


def taken_back(undo: Callable[[], object]) -> None:
    """Remember what takes back a registration, for a plug-in that fails later."""
    if _undo is not None:
        _undo.append(undo)


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Take back all that a plug-in registers where an exception comes out; it registers each name once at most."""
    global _undo
    undo = _undo = []
    _fresh.clear()
    try:
        yield
    except BaseException:
        for each in reversed(undo):
            each()
        raise
    finally:
        _undo = None
