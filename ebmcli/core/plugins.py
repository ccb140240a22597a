"""Plug-ins: modules of other packages. Whatever one does when it is imported, it costs itself alone.

It prints on stderr, reads nothing from stdin and sees no arguments; what it changes of the process is put back; where
it raises anything, or ends the program, it is skipped with a sentence.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from ebmcli.core.shelves import all_or_nothing
from ebmcli.core.texts import printable, shortened

GROUP = "ebmcli.plugins"  # of entry points
LONG = 300  # letters of a sentence of somebody else's


def load() -> None:
    """Import all plug-ins. Raises KeyboardInterrupt where the user asks for it, and nothing else."""
    for plugin in _entry_points():
        with _contained() as interrupted:
            reason = _imported(plugin, interrupted)
        if reason:  # logged when stderr is ours again
            logging.getLogger("ebmcli").warning(f"plugin {plugin.name} is skipped: {reason}")


def _entry_points() -> list[Any]:
    """The plug-ins that are installed; a package whose list cannot be read has none."""
    from importlib import metadata  # takes longer to import than all else here

    try:
        return list(metadata.entry_points(group=GROUP))
    except Exception:  # of one package, whichever it is
        readable: list[Any] = []
        for package in metadata.distributions():
            with suppress(Exception):
                readable += package.entry_points.select(group=GROUP)
        return readable


def _imported(plugin: Any, interrupted: Callable[[], bool]) -> str:
    """Import a plug-in; why it is skipped, or nothing."""
    try:
        with all_or_nothing():
            plugin.load()
    except BaseException as error:  # a stranger's code: whatever it raises, the laboratory goes on
        if interrupted():
            raise KeyboardInterrupt from None
        if isinstance(error, SystemExit):
            return f"it ends the program when it is imported (exit code {error.code})"
        lines = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {shortened(printable(lines[0]), LONG)}".removesuffix(": ")
    return ""


@contextmanager
def _contained() -> Iterator[Callable[[], bool]]:
    """Keep what is imported meanwhile from our streams, our arguments, our folder and our signals.

    Gives a function that says whether the user has pressed Ctrl-C meanwhile.
    """
    with ExitStack() as restored:
        for name in ("argv", "stdin", "stdout", "stderr"):
            restored.callback(setattr, sys, name, getattr(sys, name))
        mask = os.umask(0o077)
        os.umask(mask)
        restored.callback(os.umask, mask)
        with suppress(OSError):  # a folder that is gone
            folder = os.open(".", os.O_RDONLY)
            restored.callback(os.close, folder)
            restored.callback(os.fchdir, folder)
        empty = restored.enter_context(open(os.devnull, "r+"))
        _flush(sys.stdout)
        _redirect(0, empty.fileno(), restored)
        _redirect(1, 2, restored)
        restored.callback(_flush, sys.stdout, sys.__stdout__)  # before descriptor 1 is stdout again
        sys.argv, sys.stdin, sys.stdout = sys.argv[:1], empty, sys.stderr or empty
        yield _own_signals(restored)


def _redirect(number: int, target: int, restored: ExitStack) -> None:
    """Let a descriptor be another one, until it is restored; one that is closed stays so."""
    with suppress(OSError):
        kept = os.dup(number)
        restored.callback(os.close, kept)
        restored.callback(os.dup2, kept, number)
        os.dup2(target, number)


def _flush(*streams: Any) -> None:
    for stream in streams:
        with suppress(Exception):  # none, or closed
            stream.flush()


def _own_signals(restored: ExitStack) -> Callable[[], bool]:
    """Keep the handlers of all signals; a function that says whether SIGINT has come."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # which alone may set them
        return lambda: False
    for number in signal.valid_signals():
        restored.callback(_put_back, number, signal.getsignal(number))
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        pressed: Any = handler

        def interrupt(number: int, frame: Any) -> None:
            came.append(number)
            pressed(number, frame)

        signal.signal(signal.SIGINT, interrupt)
    return lambda: bool(came)


def _put_back(number: int, handler: Any) -> None:
    if handler is not None and signal.getsignal(number) is not handler:  # None: not set by Python
        signal.signal(number, handler)
