"""Command lines and experiment files by a grammar, from fixed seeds: each ends soon, with a sentence or with what was
asked for, and leaves nothing behind where it is refused."""

import contextlib
import shutil
import signal
import time

import pytest
from helpers import shell
from helpers.grammar import command_line, experiment_file
from helpers.shell import end_here

from ebmcli.checks import reproducibility
from ebmcli.cli import check, doctor
from ebmcli.core.errors import UsageError
from ebmcli.execution import supervisor
from ebmcli.execution.executors import dask, slurm

LINES, FILES = 500, 300
FEW_LINES, FEW_FILES = 40, 25  # in the default tests
PATIENCE = 10  # seconds of a processor that a command may take
STUCK = 60  # seconds after which it is called stuck
SWEEP = "losses = ['log', 'hinge']\nsamplers = ['uniform']\n"


class Stuck(BaseException):
    """A command does not end."""


def stuck(number, frame):
    raise Stuck


def unreachable(distributed, cluster):
    raise UsageError(f"--scheduler {cluster}: no Dask scheduler answers there")


def not_repeated(*arguments):
    raise UsageError("not repeated")


def judged(unit):
    raise UsageError("not judged")


@pytest.fixture
def folder(finished_copy, monkeypatch):
    """A folder with a finished sweep and an experiment file, in which nothing is trained."""
    monkeypatch.setattr(shell, "_train", lambda work: None)
    monkeypatch.setattr(supervisor, "train", lambda *work, **more: None)
    monkeypatch.setattr(slurm, "_train", lambda *work: None)
    monkeypatch.setattr(dask, "_train", lambda *work: None)
    monkeypatch.setattr(dask, "_client", unreachable)
    monkeypatch.setattr(reproducibility, "repeat", not_repeated)
    monkeypatch.setattr(doctor, "examine", lambda *machine: iter(()))
    monkeypatch.setattr(check, "judge", judged)
    (finished_copy / "grid.toml").write_text(SWEEP)
    (finished_copy / "x.csv").write_text("1,2\n" * 3 + "3,4\n5,7\n" * 20)
    return finished_copy


def content(folder):
    """All that lies there: of a file when it was changed and how large it is."""
    return {path: path.is_file() and (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def clear(folder, before):
    """Take away what was not there before."""
    for path in sorted(content(folder).keys() - before.keys(), reverse=True):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def end(folder, line):
    """Run a command line, which must end well or in a sentence; its exit code, stdout and stderr."""
    before, began = content(folder), time.process_time()
    former = signal.signal(signal.SIGALRM, stuck)
    signal.alarm(STUCK)
    try:
        code, out, err = end_here(folder, *line)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)
    assert time.process_time() - began < PATIENCE, line
    assert code in (0, 2, 3), (line, err)
    assert "Traceback" not in out + err, line
    if code == 2:
        after = content(folder)
        assert after == before, (line, after.keys() ^ before.keys())
        assert out == "", line
        assert err.startswith("ebm: "), (line, err)
        assert len(err.splitlines()) == 1, (line, err)
        assert len(err) < 1000, (line, err)
        assert err.isprintable() or err[:-1].isprintable(), (line, err)
    clear(folder, before)
    return code, out, err


def run_lines(folder, numbers):
    codes = [end(folder, command_line(number))[0] for number in numbers]
    assert codes.count(2) > len(codes) / 4  # the grammar is wrong often,
    assert codes.count(2) < len(codes) * 0.95  # and right sometimes


def read_files(folder, numbers):
    codes = []
    for number in numbers:
        (folder / "grid.toml").write_text(experiment_file(number), errors="surrogatepass")
        codes.append(end(folder, ["sweep", "grid.toml", *(["--dry-run"] if number % 3 else ["--name", "fresh"])])[0])
    assert len(codes) / 4 < codes.count(2) < len(codes) * 0.95


def test_a_few_command_lines(folder):
    run_lines(folder, range(FEW_LINES))


def test_a_few_experiment_files(folder):
    read_files(folder, range(FEW_FILES))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_five_hundred_command_lines(folder, part):
    run_lines(folder, range(LINES * part // 10, LINES * (part + 1) // 10))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_three_hundred_experiment_files(folder, part):
    read_files(folder, range(FILES * part // 6, FILES * (part + 1) // 6))
