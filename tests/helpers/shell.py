"""Commands of a test, in this process or as real processes in a folder of their own, and what they left there."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import submitit  # noqa: F401 (it closes the handlers of logs when it is imported: before a stream is redirected)

from ebmcli.cli import app
from ebmcli.execution import launch
from ebmcli.execution.executors import executor
from ebmcli.storage import store
from ebmcli.training.devices import vectorises
from ebmcli.training.engine import Engine

ROOT = Path(__file__).parents[1]  # of the tests
SMALL = ["--steps", "20", "--batch-size", "8", "--set", "hidden=4", "--set", "layers=1", "--set", "negatives=4"]
SWEEP = ["sweep", "--sampler", "uniform", *SMALL, "--no-pictures", "--name", "x"]  # that small, named x


def lasting(steps, command):
    """A command that says `--steps 20`, with so many instead."""
    return [str(steps) if before == "--steps" else word for before, word in zip(["", *command], command, strict=False)]


PATIENCE = 240  # seconds after which a command of this file is called stuck


# --- in this process -------------------------------------------------------------------------------------------------


@executor
def here():
    """Train in this process, which has jax already: what is tested is neither the worker nor the engine."""
    return _train


def _train(work):
    with patch.object(launch, "Engine", _engine):
        launch.carry_out(work.cells, work.folder, work.watcher, work.options, work.stop)


_engines = {}  # by program, each with that program, whose functions must live as long as their ids count


def _engine(program):
    """The engine of a program, which is traced and compiled once for all commands of this process."""
    if vectorises():  # it is made for its runs then
        return Engine(program)
    units = (program.task, program.energy, program.sampler, *program.losses)
    key = (program.static, program.needs, *((unit.name, id(unit.function)) for unit in units))
    if key not in _engines:
        for oldest in list(_engines)[:-3]:  # executables hold memory maps
            del _engines[oldest]
        _engines[key] = Engine(program), program
    return _engines[key][0]


def run_here(folder, *arguments, code=0):
    """Run a command in this process, its runs too, as if in that folder: (stdout, stderr). It must end so."""
    ended, *printed = end_here(folder, *arguments)
    assert ended == code, printed[1] or printed[0]
    return tuple(printed)


def end_here(folder, *arguments):
    """The same, however it ends: (exit code, stdout, stderr). What it raises beyond that is a bug."""
    trains = arguments[0] in ("run", "sweep") and "--executor" not in arguments and "--repeat" not in arguments
    told = [*arguments, *(["--executor", "here"] if trains else [])]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    before = sys.argv
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = ["ebm", *map(str, told)]
        try:
            app.main()
            ended = 0
        except SystemExit as end:
            ended = end.code or 0
        finally:
            sys.argv = before
    return ended, *(stream.buffer.getvalue().decode() for stream in (out, err))


def train_sweep(folder, *arguments):
    """A small sweep named x, trained here."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = arguments or ("--loss", "hinge,log", "--seeds", "0,1")
    return run_here(folder, *SWEEP, *asked)


# --- as real processes -----------------------------------------------------------------------------------------------


def start(folder, *arguments, prefix=(), **environment):
    """Begin a command; the folder's plugins are installed for it."""
    there = os.pathsep.join([str(folder / "site"), str(ROOT.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "ebmcli", *arguments],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": there} | environment,
    )  # fmt: skip


def finish(process, code=0):
    """What it printed: (stdout, stderr). No traceback, and this exit code."""
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in out + err, err
    assert process.returncode == code, err
    return out, err


def ebm(folder, *arguments, code=0, **environment):
    """Run a command as a process of its own: (stdout, stderr)."""
    return finish(start(folder, *arguments, **environment), code)


def trained(folder, *arguments, **more):
    """A small sweep named x, by a real command."""
    return ebm(folder, *SWEEP, *arguments, **more)


def until(condition, process, within=PATIENCE):
    """Wait, at most so many seconds; the process, if one is named, must not end before."""
    end = time.monotonic() + within
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def workers(process):
    """The workers of a command, by their parent; none where one of them is just going."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(one) for one in children if b"execution.worker" in Path(f"/proc/{one}/cmdline").read_bytes()]
    return []


def alive(pid):
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


# --- what they left --------------------------------------------------------------------------------------------------


def results(folder, name="x"):
    return sorted((folder / "results" / name / "runs").glob("*/result.json"))


def states(folder, name="x"):
    return {one.sampler: one.status for one in store.records(folder / "results" / name)}


def outcome(folder, name="x"):
    """What must not depend on interruptions: records but for their times, and the report from its first table on."""
    found = [json.loads(path.read_text()) for path in results(folder, name)]
    report, _ = run_here(folder, "report", name)
    return [(one["id"], one["config"], one["metrics"]) for one in found], report.partition("\n## ")[2]
