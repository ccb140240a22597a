"""The process in which runs are trained: it reads the manifest, writes the store, and tells its parent how it goes.

    python -m ebmcli.execution.worker SWEEP_FOLDER

The first line of its stdin is what it is to do, as JSON: `runs` (ids of the manifest), `devices`, `cache`, `pictures`.
A line `stop` ends it after the current chunk, and the end of stdin, which is that of its parent, at once. On stdout it
writes a JSON object a line: the events of a sweep.Watcher, and last of all `over` with what became of it. supervise.py
is the other end.
"""

import contextlib
import ctypes
import faulthandler
import io
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:  # the rest is imported once we are sure to die with our parent
    from ebmcli.planning.plan import Cell

PR_SET_PDEATHSIG = 1


class _Teller:
    """Passes on what a watcher is told (see sweep.Watcher)."""

    def __init__(self, out: IO[str]):
        self.out = out

    def say(self, **event: Any) -> None:
        self.out.write(json.dumps(event) + "\n")
        self.out.flush()

    def chunk(self, cells: Sequence["Cell"], share: float) -> None:
        """A launch has done this share of its work."""
        self.say(launch=[cell.id for cell in cells], share=share)

    def end(self, cell: "Cell", status: str, reason: str) -> None:
        """A run is saved."""
        self.say(end=cell.id, status=status, reason=reason)

    def note(self, text: str) -> None:
        """Something to know."""
        self.say(note=text)


def main() -> None:
    """Do what the parent says, and say what became of it."""
    _die_with_parent()
    faulthandler.enable()
    teller = _Teller(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)  # what a loss prints must not stand between the events
    from ebmcli.core.registry import units

    with contextlib.redirect_stderr(io.StringIO()):  # a plugin that is skipped: the parent has said so
        units("loss")
    import_module("jax")  # while the parent makes its plan
    line = sys.stdin.readline()
    if line:
        teller.say(**_outcome(Path(sys.argv[1]), json.loads(line), teller, _listen()))


def _outcome(folder: Path, orders: Mapping[str, Any], teller: _Teller, stop: Sequence[bool]) -> Mapping[str, Any]:
    """Carry the orders out; the last event."""
    from ebmcli.core.errors import UsageError
    from ebmcli.core.lazy import jax
    from ebmcli.execution import sweep
    from ebmcli.training import engine

    try:
        engine.start(orders["devices"], engine.cache_folder() if orders["cache"] else None)
        jax.devices()
    except Exception as error:  # whatever its backends raise: no run can be blamed
        asked = ", ".join(f"{name}={os.environ[name]}" for name in ("JAX_PLATFORMS", "XLA_FLAGS") if name in os.environ)
        return _broken(error, f"jax does not start{asked and f' with {asked}'}: ")
    try:
        sweep.carry_out(sweep.cells_of(folder, orders["runs"]), folder, teller, orders["pictures"], stop)
    except sweep.Interrupted:
        return {"over": "interrupted"}
    except UsageError as error:
        return {"over": "usage", "message": str(error)}
    except OSError as error:
        return {"over": "disk", "error": [error.errno, error.strerror or str(error), error.filename]}
    except Exception as error:  # ours
        return _broken(error)
    return {"over": "done"}


def _broken(error: Exception, what: str = "") -> Mapping[str, Any]:
    text = f"{what}{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return {"over": "broken", "message": text.removesuffix(": "), "traceback": traceback.format_exc()}


def _die_with_parent() -> None:
    """Also where the parent is killed while a thread of ours holds the interpreter for ever; Linux alone has this."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _listen() -> list[bool]:
    """A flag that the parent raises; when the parent is gone, so are we."""
    stop: list[bool] = []

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                stop.append(True)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=listen, daemon=True).start()
    return stop


if __name__ == "__main__":
    main()
