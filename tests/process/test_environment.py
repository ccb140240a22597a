"""What surrounds a process: signals that the caller ignores, streams that nobody reads, jax as its user has it, python
-OO, locks and threads that the system refuses (docs/faults.md)."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading

import jax
import pytest
from helpers.shell import ROOT, SWEEP, outcome, results, run_here, until

from ebmcli.checks import machine
from ebmcli.core import registry
from ebmcli.core.errors import NO_THREADS
from ebmcli.execution import supervisor
from ebmcli.execution.supervisor import STOPS, stoppable
from ebmcli.storage import atomic, store

JAX = {  # each changes figures or ends programs, where it is heeded
    "JAX_ENABLE_X64": "neither",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "5",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_DEBUG_NANS": "1",
    "JAX_DISABLE_JIT": "1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_TRANSFER_GUARD": "disallow",
    "JAX_CHECK_TRACER_LEAKS": "1",
    "JAX_COMPILATION_CACHE_DIR": "of-the-user",
}
PATHS = {"PYTHONPATH": os.pathsep.join([str(ROOT.parent), os.environ.get("PYTHONPATH", "")])}


def command(folder, *arguments, ignoring="", **more):
    """Begin a command as a process of its own, for which signals are ignored, as nohup does."""
    environment = os.environ | PATHS | more.pop("env", {})
    line = [sys.executable, "-m", "ebmcli", *map(str, arguments)]
    deaf = ["sh", "-c", f"trap '' {ignoring}; exec \"$@\"", "sh"] if ignoring else []
    return subprocess.Popen([*deaf, *line], cwd=folder, env=environment, **more)


def test_nohup_a_full_stdout_a_closed_stderr_and_a_user_s_jax_change_nothing(tmp_path, finished):
    """All of it at once: a signal at the first result neither ends the sweep, and its figures are those to the bit."""
    reader, writer = os.pipe()
    os.close(reader)
    asked = ["--loss", "hinge,log", "--seeds", "0,1", "--devices", "2"]
    with open("/dev/full", "w") as full, open(writer, "w") as closed:
        process = command(
            tmp_path, *SWEEP, *asked, stdout=full, stderr=closed, env={**JAX, "JAX_FUTURE": "1"}, ignoring="INT HUP",
        )  # fmt: skip
        until(lambda: results(tmp_path), process)
        for number in (signal.SIGHUP, signal.SIGINT):
            process.send_signal(number)
        assert process.wait(240) == 0
    assert outcome(tmp_path) == outcome(finished)
    assert not (tmp_path / "of-the-user").exists()
    (record, *_) = store.records(tmp_path / "results" / "x")
    assert record.provenance["variables"] == {"JAX_FUTURE": "1"}


def test_what_the_caller_ignores_stays_ignored():
    before = {number: signal.getsignal(number) for number in STOPS}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with stoppable() as stop:
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is before[signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_signal_is_heeded_where_nobody_reads_what_is_said_of_it(monkeypatch):
    def broken(*given):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(os, "write", broken)
    with stoppable() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop


# Presses Ctrl-C when a module is looked for.
IMPATIENT = """
import os, signal, sys
class Finder:
    def find_spec(name, *rest):
        if name == os.environ["MODULE"]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
"""


@pytest.mark.parametrize("module", ["ebmcli.cli.app", "typer", "ebmcli.cli.listing"])
def test_ctrl_c_among_imports_is_a_silent_130(tmp_path, module):
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    environment = {"MODULE": module, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PATHS['PYTHONPATH']}"}
    process = command(
        tmp_path, "list", "losses", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert (*process.communicate(), process.returncode) == ("", "", 130)


@pytest.mark.parametrize(
    ("shell", "code", "said"),
    [
        ("report x >/dev/full", 1, "ebm: stdout: No space left on device: not all of it could be printed\n"),
        ("report x >&-", 1, "ebm: stdout: it is closed: not all of it could be printed\n"),
        ("list losses >&- 2>&- <&-", 1, ""),
        ("list losses 2>/dev/full >/dev/null", 0, ""),
        ("list nothing 2>/dev/full", 2, ""),
        ("report x --output y.md >&- 2>&-", 0, ""),
    ],
)
def test_a_result_that_cannot_be_printed_is_a_fault_and_a_message_is_none(finished_copy, shell, code, said):
    done = subprocess.run(
        f"{sys.executable} -m ebmcli {shell}", shell=True, cwd=finished_copy, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True, env=os.environ | PATHS,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, said)
    assert not (finished_copy / "y.md").exists() or (finished_copy / "y.md").read_text().startswith("# x")


def test_a_file_never_gets_the_number_of_a_stream_that_was_closed(tmp_path):
    """A message on it would stand in that file."""
    program = "from ebmcli.cli import output; output.prepare(); print(open('y', 'w').fileno(), file=open('z', 'w'))"
    subprocess.run(
        f'{sys.executable} -c "{program}" >&- 2>&- <&-', shell=True, cwd=tmp_path, check=True, env=os.environ | PATHS
    )
    assert int((tmp_path / "z").read_text()) > 2


def test_formulas_and_help_are_there_without_docstrings(tmp_path):
    program = """
import json, sys, typer
from ebmcli.cli.app import app
from ebmcli.checks import machine
from ebmcli.core import registry
units = {kind: {name: unit.formula for name, unit in registry.units(kind).items()} for kind in registry.KINDS}
helps = {name: command.help for name, command in typer.main.get_command(app).commands.items()}
print(json.dumps([units, helps, [m.function.__doc__ for m in registry.measures() if m.function]]))
"""
    lines = [[sys.executable, *options, "-c", program] for options in ([], ["-OO"])]
    told = [subprocess.run(line, capture_output=True, check=True, env=os.environ | PATHS).stdout for line in lines]
    assert told[0] == told[1]
    units, helps, _ = json.loads(told[0])
    assert units["loss"]["hinge"] == registry.units("loss")["hinge"].formula
    assert "Train one loss" in helps["run"]


def test_no_loss_is_blamed_for_a_jax_that_does_not_start(tmp_path, monkeypatch):
    def refuse():
        raise RuntimeError("Unable to initialize backend\nand so on")

    monkeypatch.setattr(jax, "devices", refuse)
    monkeypatch.setenv("JAX_PLATFORMS", "nonsense")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    out, err = run_here(tmp_path, "check", "hinge", code=1)
    assert out == ""
    assert err.startswith("ebm: jax does not start with JAX_PLATFORMS=nonsense")
    assert err.endswith(": RuntimeError: Unable to initialize backend\n")


# --- what the system refuses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL])
def test_a_file_system_without_locks_is_one_sentence(tmp_path, monkeypatch, number):
    def refuse(*given):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    out, err = run_here(tmp_path, *SWEEP, "--loss", "hinge", code=1)
    assert out == ""
    assert err == (
        f"ebm: results/x/lock: {os.strerror(number)}: two sweeps in one folder would not wait for each other: "
        "put --results on a local disk\n"
    )
    (check,) = [check for check in machine._folder(tmp_path) if check.name == "locks"]
    assert check == machine.Check("locks", False, os.strerror(number), atomic.LOCKLESS)


@pytest.mark.parametrize("refused", ["thread", "process"])
def test_threads_and_processes_that_the_system_refuses_are_one_sentence(tmp_path, monkeypatch, refused):
    def refuse(*given, **more):
        if refused == "thread":
            raise RuntimeError("can't start new thread")
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    place = (threading.Thread, "start") if refused == "thread" else (subprocess, "Popen")
    monkeypatch.setattr(*place, refuse)
    _, err = run_here(tmp_path, *SWEEP, "--loss", "hinge", "--executor", "local", code=1)
    assert err == f"ebm: {NO_THREADS}\n"


def test_no_run_is_blamed_for_a_thread_that_its_engine_was_refused(tmp_path, monkeypatch):
    def refuse(program):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("helpers.shell._engine", refuse)
    _, err = run_here(tmp_path, *SWEEP, "--loss", "hinge", code=1)
    assert err.splitlines()[-1] == f"ebm: {NO_THREADS}"
    assert [record.status for record in store.records(tmp_path / "results" / "x")] == ["pending"]


@pytest.mark.parametrize(
    "lines",
    [
        ["RuntimeError: can't start new thread"],
        ["what():  Resource temporarily unavailable"],
        [
            "F0000 00:00:00.0 1 env.cc:74] Check failed: 11 vs. 0 Thread x creation via pthread_create() failed.",
            *80 * ["@"],
        ],
    ],
    ids=["python", "c++", "xla"],
)
def test_a_worker_that_died_for_lack_of_threads_says_so(lines):
    class Dead(supervisor.Worker):
        def __init__(self):
            self.process = subprocess.Popen(["false"])
            self.process.wait()

    progress = supervisor._Progress()
    for line in lines:
        progress.hear(line)
    assert Dead().cause(progress, None).message == f"its worker died of exit code 1: {NO_THREADS}"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_what_to_do(tmp_path, monkeypatch, code):
    def full(*given):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    _, err = run_here(tmp_path, *SWEEP, "--loss", "hinge", code=1)
    assert err.startswith(f"ebm: results/x/sweep.json: {os.strerror(code)}: make room there")
    assert len(err.splitlines()) == 1
