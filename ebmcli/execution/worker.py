"""The process in which runs are trained: it reads the manifest, writes the store, and tells its parent how it goes.

    python -m ebmcli.execution.worker SWEEP_FOLDER

The first line of its stdin is its Orders. A line `stop` ends it after the current chunk, and the end of stdin, which is
that of its parent, at once. On stdout it writes an event per line, the last one `Over` (see events.py). supervisor.py
is the other end.
"""

import contextlib
import ctypes
import faulthandler
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ebmcli.execution.events import Ended, Event, Interrupted, Noted, Orders, Over, Progressed, StopFlag, to_json

if TYPE_CHECKING:  # what takes time to import is imported once we are sure to die with our parent
    from ebmcli.planning.cells import Cell

PR_SET_PDEATHSIG = 1


class _Reporter:
    """A watcher that passes on what it is told (see events.Watcher)."""

    def __init__(self, out: IO[str]):
        self.out = out
        self.alone = threading.Lock()  # threads that compile have something to say, too

    def send(self, event: Event) -> None:
        with self.alone:
            self.out.write(to_json(event) + "\n")
            self.out.flush()

    def chunk(self, cells: Sequence["Cell"], share: float) -> None:
        """A launch has done this share of its work."""
        self.send(Progressed([cell.id for cell in cells], share))

    def end(self, cell: "Cell", status: str, reason: str) -> None:
        """A run is saved."""
        self.send(Ended(cell.id, status, reason))

    def note(self, text: str) -> None:
        """Something to know."""
        self.send(Noted(text))


def main() -> None:
    """Do what the parent says, and say what became of it."""
    _die_with_parent()
    faulthandler.enable()
    reporter = _Reporter(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)  # what a loss prints must not stand between the events
    from ebmcli.core.registry import units

    logging.getLogger("ebmcli").disabled = True  # of a plugin that is skipped the parent has said so
    units("loss")
    with contextlib.suppress(Exception):  # while the parent makes its plan; it is said below why it does not start
        import_module("jax")
    line = sys.stdin.readline()
    if line:
        reporter.send(_outcome(Path(sys.argv[1]), Orders.from_json(line), reporter, _listen()))


def _outcome(folder: Path, orders: Orders, reporter: _Reporter, stop: StopFlag) -> Over:
    """Carry the orders out; the last event."""
    from ebmcli.core.errors import UsageError, no_threads
    from ebmcli.execution.launch import carry_out
    from ebmcli.execution.resume import cells_of
    from ebmcli.training import devices

    try:
        options = orders.options
        devices.start(options.devices, devices.cache_folder() if options.cache else None, reporter.note)
        devices.require()
        carry_out(cells_of(folder, orders.runs), folder, reporter, options, stop)
    except Interrupted:
        return Over("interrupted")
    except UsageError as error:
        return Over("usage", str(error))
    except OSError as error:
        name = error.filename or (None if no_threads(error) else str(folder))
        return Over("disk", error=(error.errno, error.strerror or str(error), name))
    except Exception as error:  # ours
        return _broken(error)
    return Over("done")


def _broken(error: Exception) -> Over:
    from ebmcli.core.errors import MachineError

    kind = "" if isinstance(error, MachineError) else f"{type(error).__name__}: "
    text = f"{kind}{(str(error).splitlines() or [''])[0]}"
    return Over("broken", text.removesuffix(": "), traceback.format_exc())


def _die_with_parent() -> None:
    """Ask the kernel to kill us with our parent, even while a thread of ours holds the interpreter for ever; Linux
    alone has this."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _listen() -> StopFlag:
    """A flag that the parent sets; when the parent is gone, so are we."""
    stop = StopFlag()

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                stop.set("signal")
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=listen, daemon=True).start()
    return stop


if __name__ == "__main__":
    main()
