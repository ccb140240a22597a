"""Checks of a machine before anything runs on it, each with advice where it is bad."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ebmcli.core.errors import NO_THREADS, of_the_machine
from ebmcli.core.files import content
from ebmcli.execution.supervisor import environment
from ebmcli.storage.atomic import LOCKLESS, hold_lock, is_locked, write
from ebmcli.storage.provenance import PACKAGES, cpu, versions
from ebmcli.training import devices as machine_devices

PATIENCE = 120  # seconds for a process that imports jax
LEAST_MEMORY, LEAST_ROOM = 2 * 2**30, 2**30  # bytes below which a sweep is in danger
THREADS, THREADS_PER_CORE = 16, 8  # of a worker: of compilers and streams, and of jax
STEPS = 2000  # of the program that the cache is tried with


class Check(NamedTuple):
    """One check and what it found."""

    name: str
    good: bool
    found: str
    advice: str = ""  # where it is bad


def examine(results: Path, devices: int | None, cache: bool) -> Iterator[Check]:
    """All checks, one by one."""
    yield _versions()
    yield _cores()
    yield _memory()
    yield _threads()
    where = next(folder for folder in (results.absolute(), *results.absolute().parents) if folder.is_dir())
    yield from _folder(where)
    yield from _jax(devices, cache)


def _versions() -> Check:
    installed = versions()
    missing = [name for name in PACKAGES if name not in installed]
    python = ".".join(map(str, sys.version_info[:3]))
    text = ", ".join(f"{name} {version}" for name, version in {**installed, "python": python}.items())
    return Check("versions", not missing, text, f"not installed: {', '.join(missing)}; pip install ebmcli")


def _cores() -> Check:
    mine, present, load = machine_devices.cores(), os.cpu_count() or 1, os.getloadavg()[0]
    text = f"{mine} of {present} cores of {cpu()[0]}, load {load:.1f}"
    advice = f"other processes take {load:.1f} cores: wait, or say fewer --devices; figures stay right, times do not"
    return Check("cores", load < mine + 1, text, advice)


def _memory() -> Check:
    lines = content(Path("/proc/meminfo")).decode().splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = content(Path(limit)).decode().strip() if Path(limit).exists() else "max"
        free = min(free, int(text)) if text.isdigit() else free
    advice = "a sweep may be killed for lack of memory: end other programs, or say fewer --devices"
    return Check("memory", free >= LEAST_MEMORY, f"{free / 2**30:.1f} GiB free", advice)


def _threads() -> Check:
    """As many threads as a worker needs, at once."""
    wanted, done, begun = THREADS + THREADS_PER_CORE * machine_devices.cores(), threading.Event(), 0
    try:
        for _ in range(wanted):
            threading.Thread(target=done.wait, daemon=True).start()
            begun += 1
    except RuntimeError:
        return Check("threads", False, f"only {begun} more threads", NO_THREADS)
    finally:
        done.set()
    return Check("threads", True, f"{wanted} more threads can be had")


def _folder(where: Path) -> Iterator[Check]:
    """Room, locks and renames, tried where the results lie or will lie."""
    try:
        with tempfile.TemporaryDirectory(dir=where, prefix=".ebm-doctor-") as place:
            free = shutil.disk_usage(place).free
            yield Check(
                "room", free >= LEAST_ROOM, f"{free / 2**30:.1f} GiB free in {where}", "make room, or say --results"
            )
            yield Check("locks", *_tried(_locks, Path(place)), LOCKLESS)
            advice = "a crash could leave half a file: put --results on another disk"
            yield Check("renames", *_tried(_renames, Path(place)), advice)
    except OSError as error:
        yield Check("results", False, f"{where}: {error.strerror}", "say a folder that you may write, by --results")


def _tried(check: Callable[[Path], str], place: Path) -> tuple[bool, str]:
    """(whether it works, what was found); a check returns what does not work, or nothing."""
    try:
        fault = check(place)
    except OSError as error:
        fault = os.strerror(error.errno or errno.EIO)
    return not fault, fault or f"work in {place.parent}"


def _locks(place: Path) -> str:
    """Held by us, seen by another process, and free again when a process that held it is killed."""
    code = "import sys, time; from pathlib import Path; from ebmcli.storage import atomic\np = Path(sys.argv[1])\n"
    see = [sys.executable, "-P", "-c", f"{code}sys.exit(atomic.is_locked(p))", str(place / "lock")]
    with hold_lock(place / "lock"):
        if not _child(see).returncode:
            return "another process does not see a lock"
    hold = f"{code}with atomic.hold_lock(p): print(flush=True); time.sleep(60)"
    with subprocess.Popen([*see[:3], hold, see[4]], stdout=subprocess.PIPE, env=environment()) as holder:
        holder.stdout.readline()  # type: ignore[union-attr]
        holder.kill()
    return "the lock of a killed process stays" if is_locked(place / "lock") else ""


def _renames(place: Path) -> str:
    """A file over a file, a directory that is there already refused."""
    for text in (b"old", b"new"):
        write(place / "file", text)
    for name in ("a", "b"):
        (place / name).mkdir()
        (place / name / "x").touch()
    try:
        (place / "a").rename(place / "b")
    except OSError:
        return "" if content(place / "file") == b"new" else "a file that was replaced is still the old one"
    return "a directory replaced another"


def _jax(devices: int | None, cache: bool) -> Iterator[Check]:
    """Two processes that compile the same program: the second must find it in the cache."""
    command = [sys.executable, "-P", "-m", "ebmcli.checks.machine", json.dumps([devices, cache])]
    try:
        first, second = (_child(command) for _ in range(2))
    except OSError as error:
        yield Check("devices", False, "jax cannot be tried", of_the_machine(error))
        return
    if second.returncode or first.returncode:
        words = (second.stderr or first.stderr).strip().splitlines()[-1:] or ["it ended without a word"]
        yield Check("devices", False, f"jax does not start: {words[0]}", "look at JAX_PLATFORMS and XLA_FLAGS")
        return
    report = json.loads(second.stdout)
    yield Check("devices", True, report["devices"])
    if not cache:
        yield Check("cache", True, "off (--no-compile-cache)")
    elif report["folder"] is None:
        yield Check("cache", False, "no folder for compiled programs", "set HOME or XDG_CACHE_HOME")
    elif report["notes"]:
        note, _, advice = report["notes"][0].partition("; ")
        yield Check("cache", False, note, advice)
    else:
        text = "a second process finds" if report["hits"] else "a second process does not find"
        advice = "every command compiles anew: look whether that folder can be written and has room"
        yield Check("cache", bool(report["hits"]), f"{text} compiled programs in {report['folder']}", advice)


def _child(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment())


def _probe(devices: int | None, cache: bool) -> None:
    """In a process of its own: start jax as a worker does, compile a program, and say what it found."""
    from ebmcli.core.lazy import jax, jnp

    events: list[str] = []
    folder = machine_devices.cache_folder() if cache else None
    notes: list[str] = []
    machine_devices.start(devices, folder, notes.append)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # a small program, too
    jax.monitoring.register_event_listener(lambda event, **kwargs: events.append(event))
    jax.jit(lambda x: jax.lax.fori_loop(0, STEPS, lambda _, v: jnp.sin(v) + 1.0, x))(jnp.ones(3)).block_until_ready()
    kinds = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    hits = sum("cache_hits" in event for event in events)
    sys.stdout.write(json.dumps({"devices": kinds, "hits": hits, "folder": folder and str(folder), "notes": notes}))


if __name__ == "__main__":
    _probe(*json.loads(sys.argv[1]))
