"""Runs in a process of their own, watched: a crash, a hang or a lack of memory costs the launch that it befell.

The worker (worker.py) imports jax, this process does not. It holds the lock of the sweep with us, so that nobody begins
to work in a folder in which a dying worker still writes.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, NamedTuple

from ebmcli.core.errors import NO_THREADS, MachineError, UsageError
from ebmcli.core.files import content
from ebmcli.execution.events import (
    Ended,
    Event,
    Interrupted,
    Noted,
    Orders,
    Over,
    Progressed,
    StopFlag,
    Watcher,
    from_json,
)
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import bury
from ebmcli.planning.cells import Cell
from ebmcli.storage import store
from ebmcli.storage.records import FINISHED
from ebmcli.training.pinned import VARIABLES

AGAIN = 1  # times that a run is tried again by itself, after its worker crashed, hung or ran out of memory
STARTS = 3  # workers in a row that may be killed before they begin anything
TICK = 0.2  # seconds between looks at the clock
LAST_LINES = 60  # lines of a worker's stderr that are kept, for the record of its crash
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CRASH_LINE = re.compile(r"[FE]\d{4} |terminate called|what\(\):|Fatal ")  # lines with which crashes begin
OUT_OF_THREADS = ("can't start new thread", "pthread_create", "Resource temporarily unavailable")
OUT_OF_MEMORY = ("bad_alloc", "out of memory", "cannot allocate memory", "resource_exhausted")


class Cause(NamedTuple):
    """The cause of a worker's death."""

    kind: str  # killed, crashed, timeout or oom
    message: str
    last_lines: str  # of its stderr

    @property
    def again(self) -> bool:
        """True if the runs are tried again at once: not where somebody killed the worker."""
        return self.kind != "killed"


@dataclass
class _Progress:
    """The progress of a worker."""

    launch: list[str] = field(default_factory=list)  # the runs that it was about
    began: float = 0.0
    share: float = 0.0  # of the launch, that is done
    ended: set[str] = field(default_factory=set)
    over: Over | None = None  # its last event; None where it died
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))  # of its stderr
    crash: list[str] = field(default_factory=list)  # of these, the ones with which a crash begins, however long ago
    unshown: list[str] = field(default_factory=list)  # of these, the ones that were not passed on yet
    failed: bool = False  # whether a run has
    late: bool = False

    def hear(self, line: str | None) -> None:
        """Take in a line of its stderr; None is its end."""
        if line is not None:
            self.lines.append(line)
            self.unshown.append(line)
            self.crash += [line.strip()] if CRASH_LINE.match(line.strip()) else []


class Worker:
    """A worker process and what it says."""

    def __init__(self, folder: Path, lock: IO[str] | None = None):
        self.kills = _oom_kills()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ebmcli.execution.worker", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            env=environment(),
            start_new_session=True,  # Ctrl-C is ours alone
            pass_fds=[lock.fileno()] if lock else [],
        )  # fmt: skip
        self.heard: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        self.threads = [threading.Thread(target=self._hear, args=(name,), daemon=True) for name in ("stdout", "stderr")]
        try:
            for thread in self.threads:
                thread.start()
        except RuntimeError:  # the system allows no more
            with self.process:  # its pipes are closed
                self.process.kill()
            raise

    def _hear(self, name: str) -> None:
        for line in getattr(self.process, name):
            self.heard.put((name, line.rstrip("\n")))
        self.heard.put((name, None))

    def tell(self, line: str) -> None:
        """Send a line; a worker that is dead does not mind."""
        with suppress(BrokenPipeError):
            self.process.stdin.write(line + "\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]

    def close(self) -> None:
        """End it at once, if it has not ended, and free what it held."""
        self.process.kill()
        self.process.wait()
        with suppress(BrokenPipeError):
            self.process.stdin.close()  # type: ignore[union-attr]
        for thread, pipe in zip(self.threads, (self.process.stdout, self.process.stderr), strict=True):
            thread.join(1.0)
            if not thread.is_alive():  # a child of the worker may hold its stderr open: it is not waited for
                pipe.close()  # type: ignore[union-attr]

    def cause(self, progress: _Progress, timeout: float | None) -> Cause:
        """The cause of its death."""
        code, text = self.process.returncode, "\n".join(progress.lines)
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if progress.late:
            return Cause("timeout", f"it took longer than {timeout:g} seconds (--timeout)", text)
        if name == "SIGKILL" and _oom_kills() > self.kills:
            return Cause("oom", "its worker was killed by the kernel, which had no memory left", text)
        if name == "SIGKILL" or -code in STOPS:
            return Cause("killed", f"its worker was killed ({name})", text)
        telling = progress.crash or [line.strip() for line in progress.lines if line.strip()][-1:]
        last = f": {telling[0]}" if telling else ""
        if any(sign in line for sign in OUT_OF_THREADS for line in (text, *progress.crash)):
            return Cause("crashed", f"its worker died of {name}: {NO_THREADS}", text)
        if any(sign in text.lower() for sign in OUT_OF_MEMORY):
            return Cause("oom", f"its worker had no memory left ({name}{last})", text)
        return Cause("crashed", f"its worker died of {name}{last}", text)


def environment() -> dict[str, str]:
    """The environment of a child which imports what we import, and nothing of the folder in which it is started (with
    python -P)."""
    ours = {name: value for name, value in os.environ.items() if name not in VARIABLES}  # of jax's, not what is pinned
    return {**ours, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def _oom_kills() -> int:
    """Processes that the kernel has killed for lack of memory since it started."""
    with suppress(OSError, ValueError):
        lines = content(Path("/proc/vmstat")).decode().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
    return 0


@contextmanager
def stoppable() -> Iterator[StopFlag]:
    """A flag that the first Ctrl-C, SIGTERM or SIGHUP sets: the chunk ends. A second one ends us and the worker. What
    the caller ignores, as nohup and scripts in the background do, stays ignored."""
    stop = StopFlag()

    def first(number: int, _: Any) -> None:
        stop.set("signal")
        signal.signal(number, signal.SIG_DFL)
        with suppress(OSError):  # nobody may read it
            os.write(2, b"\nstopping at the end of this chunk; once more to stop at once\n")

    if threading.current_thread() is not threading.main_thread():  # whoever runs us there keeps its own handlers
        yield stop
        return
    heeded = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]  # as nohup would have it
    before = [signal.signal(number, first) for number in heeded]
    try:
        yield stop
    finally:
        for number, handler in zip(heeded, before, strict=True):
            signal.signal(number, handler)


def train(
    cells: Sequence[Cell], folder: Path, options: RunOptions, watcher: Watcher, stop: StopFlag,
    worker: Worker | None = None, lock: IO[str] | None = None,
) -> None:  # fmt: skip
    """Have all cells trained, by this worker first and by others when it dies.

    lock: the open file of the sweep's lock, which the workers hold with us.

    Raises:
        Interrupted: `stop` was set before they were all done.
        OSError: The disk fails.
        MachineError: Workers die before they begin.
    """
    batches, tried, failed_starts = deque([list(cells)] if cells else []), Counter[str](), 0
    while batches:
        batch = batches.popleft()
        progress, cause = _watched(worker or Worker(folder, lock), batch, options, watcher, stop)
        worker = None
        if not cause:
            if stop and (batches or (progress.over and progress.over.how != "done")):
                raise Interrupted
            continue
        failed_starts = 0 if progress.launch else failed_starts + 1
        if failed_starts == STARTS or (failed_starts and cause.again):
            raise MachineError(cause.message)
        hit = [cell for cell in batch if cell.id in progress.launch and cell.id not in progress.ended]
        rest = [cell for cell in batch if cell.id not in progress.ended and cell not in hit]
        batches.extendleft([rest] if rest else [])
        tried.update(cell.id for cell in hit)
        again = [cell for cell in hit if _tried_again(cell, folder, cause, tried[cell.id], options, watcher, stop)]
        batches.extend([cell] for cell in again)
        if stop and batches:
            raise Interrupted


def _tried_again(
    cell: Cell, folder: Path, cause: Cause, tries: int, options: RunOptions, watcher: Watcher, stop: StopFlag
) -> bool:
    """Write down what became of a run whose worker died; whether it is to be tried again, by itself."""
    status = store.status(folder / "runs" / cell.id)
    if status in FINISHED:  # it died before it could say so
        watcher.end(cell, status, "")
        return False
    bury(folder, cell, cause.kind, cause.message, cause.last_lines)
    if cause.again and tries <= AGAIN and not options.fail_fast:
        watcher.note(f"{cell.id} {cause.kind}: {cause.message}; it is tried again by itself at the end")
        return True
    watcher.end(cell, cause.kind, cause.message)
    if options.fail_fast:
        stop.set("failure")
    return False


def _watched(
    worker: Worker, batch: Sequence[Cell], options: RunOptions, watcher: Watcher, stop: StopFlag
) -> tuple[_Progress, Cause | None]:
    """Let a worker do a batch; how far it came, and what it died of if it did not end by itself."""
    progress = _Progress()
    try:
        worker.tell(Orders([cell.id for cell in batch], options).to_json())
        _listen(worker, progress, {cell.id: cell for cell in batch}, options, watcher, stop)
    finally:
        worker.close()
    if progress.over is None:
        return progress, worker.cause(progress, options.timeout)
    _raise(progress.over)
    return progress, None


def _listen(
    worker: Worker, progress: _Progress, known: Mapping[str, Cell], options: RunOptions, watcher: Watcher,
    stop: StopFlag,
) -> None:  # fmt: skip
    """Hear a worker out, to its end or that of its time."""
    stopped = False
    while True:
        if stop and not progress.share:  # it compiles, and is deaf: no chunk is lost with it
            progress.over = Over("interrupted")
            return
        if stop and not stopped:
            worker.tell("stop")
            stopped = True
        if options.timeout and progress.launch and time.monotonic() - progress.began > options.timeout:
            progress.late = True
            return
        try:
            name, line = worker.heard.get(timeout=TICK)
        except Empty:
            continue
        if name == "stderr":
            progress.hear(line)
        elif line is None:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(5.0)
            return
        else:
            _note(progress, from_json(line), known, watcher)
            if options.fail_fast and progress.failed:
                stop.set("failure")


def _note(progress: _Progress, event: Event, known: Mapping[str, Cell], watcher: Watcher) -> None:
    """Take in an event, and pass it on. What a worker printed is shown with its next event: if none comes, those were
    its last lines, and belong to the record of its crash."""
    for line in progress.unshown:
        watcher.note(line)
    progress.unshown.clear()
    match event:
        case Progressed(runs, share):
            if runs != progress.launch:
                progress.launch, progress.began = runs, time.monotonic()
            progress.share = share
            watcher.chunk([known[run] for run in runs], share)
        case Ended(run, status, reason):
            progress.ended.add(run)
            progress.failed |= status not in FINISHED
            watcher.end(known[run], status, reason)
        case Noted(text):
            watcher.note(text)
        case Over():
            progress.over = event


def _raise(over: Over) -> None:
    """Raise here what ended the worker there."""
    if over.how == "usage":
        raise UsageError(over.message)
    if over.how == "disk" and over.error:
        raise OSError(*over.error)
    if over.how == "broken":
        raise MachineError(over.message, over.traceback)
