"""Runs in a process of their own, watched: a crash, a hang or a lack of memory costs the launch that it befell.

The worker (worker.py) imports jax, this process does not. It holds the lock of the sweep with us, so that nobody begins
to work in a folder in which a dying worker still writes.
"""

import json
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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, NamedTuple

from ebmcli.core.errors import Broken, UsageError
from ebmcli.execution import sweep
from ebmcli.execution.sweep import Interrupted, Watcher
from ebmcli.planning.plan import Cell
from ebmcli.storage import store

AGAIN = 1  # times that a run is tried again by itself, after its worker crashed, hung or ran out of memory
STARTS = 3  # workers in a row that may be killed before they begin anything
TICK = 0.2  # seconds between looks at the clock
WORDS = 60  # last lines of a worker that are kept, for the record of its crash
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TELLING = re.compile(r"[FE]\d{4} |terminate called|what\(\):|Fatal ")  # lines with which crashes begin
MEMORY = ("bad_alloc", "out of memory", "cannot allocate memory", "resource_exhausted")


@dataclass(frozen=True)
class How:
    """How the runs of a command are carried out."""

    devices: int | None = None
    cache: bool = True
    pictures: bool = True
    timeout: float | None = None  # seconds of a launch, compiling included
    fail_fast: bool = False


class Cause(NamedTuple):
    """What a worker died of."""

    kind: str  # killed, crashed, timeout or oom
    message: str
    words: str  # the last that it said

    @property
    def again(self) -> bool:
        """Whether the runs are tried again at once: not where somebody killed the worker."""
        return self.kind != "killed"


@dataclass
class _Course:
    """How far a worker came."""

    launch: list[str] = field(default_factory=list)  # that it was about
    began: float = 0.0
    ended: set[str] = field(default_factory=set)
    over: Mapping[str, Any] | None = None  # its last event; None where it died
    words: deque = field(default_factory=lambda: deque(maxlen=WORDS))  # what it printed
    unsaid: list[str] = field(default_factory=list)  # of it, what was not shown yet
    failed: bool = False  # whether a run has
    late: bool = False


class Worker:
    """A worker process and what it says."""

    def __init__(self, folder: Path, lock: IO | None = None):
        self.kills = _kills()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ebmcli.execution.worker", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            env=environment(),
            start_new_session=True,  # Ctrl-C is ours alone
            pass_fds=[lock.fileno()] if lock else [],
        )  # fmt: skip
        self.heard: SimpleQueue = SimpleQueue()
        self.threads = [threading.Thread(target=self._hear, args=(name,), daemon=True) for name in ("stdout", "stderr")]
        for thread in self.threads:
            thread.start()

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

    def cause(self, course: _Course, how: How) -> Cause:
        """What it died of."""
        code, words = self.process.returncode, "\n".join(course.words)
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if course.late:
            return Cause("timeout", f"it took longer than {how.timeout:g} seconds (--timeout)", words)
        if name == "SIGKILL" and _kills() > self.kills:
            return Cause("oom", "its worker was killed by the kernel, which had no memory left", words)
        if name == "SIGKILL" or -code in STOPS:
            return Cause("killed", f"its worker was killed ({name})", words)
        said = [line.strip() for line in course.words if line.strip()]
        last = "".join(f": {line}" for line in ([line for line in said if TELLING.match(line)] or said[-1:])[:1])
        if any(one in words.lower() for one in MEMORY):
            return Cause("oom", f"its worker had no memory left ({name}{last})", words)
        return Cause("crashed", f"its worker died of {name}{last}", words)


def environment() -> dict[str, str]:
    """That of a child which imports what we import, and nothing of the folder in which it is started (python -P)."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def _kills() -> int:
    """Processes that the kernel has killed for lack of memory since it started."""
    with suppress(OSError, ValueError), open("/proc/vmstat") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    return 0


@contextmanager
def stoppable() -> Iterator[list[str]]:
    """A flag that the first Ctrl-C, SIGTERM or SIGHUP raises: the chunk ends; a second ends us and the worker."""
    stop: list[str] = []

    def first(number: int, _: Any) -> None:
        stop.append("signal")
        signal.signal(number, signal.SIG_DFL)
        os.write(2, b"\nstopping at the end of this chunk; once more to stop at once\n")

    if threading.current_thread() is not threading.main_thread():  # whoever runs us there keeps its own handlers
        yield stop
        return
    before = [signal.signal(number, first) for number in STOPS]
    try:
        yield stop
    finally:
        for number, handler in zip(STOPS, before, strict=True):
            signal.signal(number, handler)


def work(
    cells: Sequence[Cell], folder: Path, how: How, watcher: Watcher, stop: list[str], worker: Worker | None = None,
    lock: IO | None = None,
) -> None:  # fmt: skip
    """Have all cells trained, by this worker first and by others when it dies. Raises Interrupted where `stop` has an
    entry before they are all done, OSError of the disk, Broken where workers die before they begin.

    lock: the open file of the sweep's lock, which the workers hold with us.
    """
    batches, tried, barren = deque([list(cells)] if cells else []), Counter[str](), 0
    while batches:
        batch = batches.popleft()
        course, cause = _watch(worker or Worker(folder, lock), batch, how, watcher, stop)
        worker = None
        if not cause:
            if stop and (batches or course.over != {"over": "done"}):
                raise Interrupted
            continue
        barren = 0 if course.launch else barren + 1
        if barren == STARTS or (barren and cause.again):
            raise Broken(cause.message)
        hit = [cell for cell in batch if cell.id in course.launch and cell.id not in course.ended]
        rest = [cell for cell in batch if cell.id not in course.ended and cell not in hit]
        batches.extendleft([rest] if rest else [])
        tried.update(cell.id for cell in hit)
        batches.extend([cell] for cell in _bury(hit, folder, cause, watcher, tried, how, stop))
        if stop and batches:
            raise Interrupted


def _bury(
    hit: Sequence[Cell], folder: Path, cause: Cause, watcher: Watcher, tried: Mapping[str, int], how: How,
    stop: list[str],
) -> list[Cell]:  # fmt: skip
    """Write down what became of the runs whose worker died; those that are to be tried again, each by itself."""
    again = []
    for cell in hit:
        if (status := store.status(folder / "runs" / cell.id)) in store.FINISHED:  # it died before it could say so
            watcher.end(cell, status, "")
        elif cause.again and tried[cell.id] <= AGAIN and not how.fail_fast:
            watcher.note(f"{cell.id} {cause.kind}: {cause.message}; it is tried again by itself at the end")
            sweep.bury(folder, cell, cause.kind, cause.message, cause.words)
            again.append(cell)
        else:
            sweep.bury(folder, cell, cause.kind, cause.message, cause.words)
            watcher.end(cell, cause.kind, cause.message)
            stop += ["failure"] if how.fail_fast else []
    return again


def _watch(
    worker: Worker, batch: Sequence[Cell], how: How, watcher: Watcher, stop: list[str]
) -> tuple[_Course, Cause | None]:
    """Let a worker do a batch; how far it came, and what it died of if it did not end by itself."""
    course = _Course()
    orders = {name: value for name, value in asdict(how).items() if name in ("devices", "cache", "pictures")}
    try:
        worker.tell(json.dumps({"runs": [cell.id for cell in batch], **orders}))
        _listen(worker, course, {cell.id: cell for cell in batch}, how, watcher, stop)
    finally:
        worker.close()
    _raise(course.over or {})
    return course, None if course.over else worker.cause(course, how)


def _listen(
    worker: Worker, course: _Course, known: Mapping[str, Cell], how: How, watcher: Watcher, stop: list[str]
) -> None:
    """Hear a worker out, to its end or that of its time."""
    told = False
    while True:
        if stop and not told:
            worker.tell("stop")
            told = True
        if how.timeout and course.launch and time.monotonic() - course.began > how.timeout:
            course.late = True
            return
        with suppress(Empty):
            name, line = worker.heard.get(timeout=TICK)
            if name == "stderr" and line is not None:
                course.words.append(line)
                course.unsaid.append(line)
            elif name == "stdout" and line is not None:
                _note(course, json.loads(line), known, watcher)
                stop += ["failure"] if how.fail_fast and course.failed and not stop else []
            elif name == "stdout":
                with suppress(subprocess.TimeoutExpired):
                    worker.process.wait(5.0)
                return


def _note(course: _Course, event: Mapping[str, Any], known: Mapping[str, Cell], watcher: Watcher) -> None:
    """Take in an event, and pass it on. What a worker printed is shown with its next event: if none comes, those were
    its last words, and belong to the record of its crash."""
    for line in course.unsaid:
        watcher.note(line)
    course.unsaid.clear()
    if "launch" in event:
        if event["launch"] != course.launch:
            course.launch, course.began = event["launch"], time.monotonic()
        watcher.chunk([known[one] for one in event["launch"]], event["share"])
    elif "end" in event:
        course.ended.add(event["end"])
        course.failed |= event["status"] not in store.FINISHED
        watcher.end(known[event["end"]], event["status"], event["reason"])
    elif "over" in event:
        course.over = event


def _raise(over: Mapping[str, Any]) -> None:
    """What ended the worker is raised here as it was there."""
    if over.get("over") == "usage":
        raise UsageError(over["message"])
    if over.get("over") == "disk":
        raise OSError(*over["error"])
    if over.get("over") == "broken":
        raise Broken(over["message"], over["traceback"])
