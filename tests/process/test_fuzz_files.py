"""Damaged results folders, by a grammar and from a fixed seed: every command that reads them ends with a sentence or a
report, soon, and changes nothing there."""

import os
import random
import resource
import shutil
import signal
import time

import pytest
from helpers import damage
from helpers.shell import end_here

from ebmcli import api
from ebmcli.core.errors import UsageError

FOLDERS, FEW = 300, 20  # that are damaged in all, and in the default tests
DRAWN = (4, 12)  # of the few: arrays are damaged there
PATIENCE = 10  # seconds of a processor that a command may take
STUCK = 60  # seconds after which it is called stuck
MEMORY = 2**20  # KiB that all of it may take at most beyond what it began with
DRAWING = (("plot", "x", "--output", "p.png"), ("report", "x", "--output", "r.html"))
READING = (
    ("report", "x"),
    ("report", "x", "--format", "csv", "--baseline", "hinge"),
    ("report", "x", "--format", "html"),
    ("report", "--json"),
    ("status", "x"),
    ("status", "x", "--json"),
    ("export", "x", "--output", "x.csv"),
    ("export", "x", "--curves", "--output", "-"),
    ("export", "x", "--output", "x.parquet"),
    ("compare", "x", "x"),
    ("show", "hinge-uniform-moons-s0"),
    ("show", "log-uniform-letters-s0", "--json"),
    ("show", "mce"),
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A results folder that is whole."""
    root = tmp_path_factory.mktemp("sound") / "results"
    root.mkdir()
    return damage.make(root).parent


def test_the_sound_folder_is_read_by_all_commands(sound, tmp_path):
    """Else the damage would show nothing."""
    shutil.copytree(sound, tmp_path / "results")
    for command in (*READING, DRAWING[0]):
        code, _, err = end_here(tmp_path, *command)
        assert code == 0, (command, err)
    assert len(list(tmp_path.glob("p-*.png"))) == len(damage.TASKS)
    assert len(api.load(tmp_path / "results" / "x")) == 11
    assert len(api.load(tmp_path / "results" / "x", curves=True)) == 40


def test_a_few_damaged_folders(sound, tmp_path):
    for number in range(FEW):
        read_damaged(number, sound, tmp_path / str(number), READING[number % 4 :: 4] + DRAWING[:1] * (number in DRAWN))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_three_hundred_damaged_folders(sound, tmp_path, part):
    for number in range(FOLDERS * part // 10, FOLDERS * (part + 1) // 10):
        read_damaged(number, sound, tmp_path / str(number), READING + DRAWING)


def read_damaged(number, sound, folder, commands):
    """Read one damaged folder by these commands. number: the seed of its damage."""
    draw = random.Random(number)
    shutil.copytree(sound, folder / "results")
    sweep = folder / "results" / "x"
    done = [damage.deal(draw, sweep) for _ in range(draw.choice([1, 1, 2, 4]))]
    before, most = content(sweep), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for command in commands:
        began = time.process_time()
        signal.signal(signal.SIGALRM, stuck)
        signal.alarm(STUCK)
        try:
            code, out, err = end_here(folder, *command)
        except Exception as error:
            raise AssertionError(f"folder {number}, {command}: {done}") from error
        finally:
            signal.alarm(0)
        case = (number, command, done, code, err[-500:])
        assert code in (0, 2, 3) or (code == 1 and err.count("\n") == 1), case
        assert "Traceback" not in out + err, case
        assert code == 0 or any(line.startswith("ebm: ") for line in err.splitlines()), case
        assert time.process_time() - began < PATIENCE, case
    for curves in (False, True):
        try:
            api.load(sweep, curves)
        except UsageError:
            pass
        except Exception as error:
            raise AssertionError(f"folder {number}, load: {done}") from error
    assert content(sweep) == before, (number, done)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < MEMORY, (number, done)
    shutil.rmtree(folder)


def stuck(*_):
    raise TimeoutError("a command hangs")


def content(sweep):
    """All that lies in a sweep but for the pages that are drawn anew: paths, kinds, sizes and times."""
    paths = [os.path.join(place, name) for place, inner, names in os.walk(sweep) for name in inner + names]
    known = {path: os.lstat(path) for path in paths if "/grid-" not in path}
    return {path: (one.st_mode, one.st_size, one.st_mtime_ns, one.st_ino) for path, one in known.items()}
