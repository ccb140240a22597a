"""A plug-in costs itself alone, whatever it does when it is imported: it is skipped with a sentence, or heard."""

import json
import os
import signal
import sys
import types

import pytest
from helpers.shell import ebm

from ebmcli.core import plugins, registry
from ebmcli.core.registry import units
from ebmcli.execution import executors
from ebmcli.report import writers
from ebmcli.training import optimiser

LOSS = """
from ebmcli.plugin import Energies, Positive, loss, mean
@loss(promised="none")
def {name}(e: Energies, {parameter}: Positive = 1.0):
    '''F+ - F-'''
    return mean(e, e.positive - e.negatives)
"""
ONE = LOSS.format(name="outer", parameter="rate")


class EntryPoint:
    """A plug-in of this source."""

    def __init__(self, source, name="mine"):
        self.name, self.source = name, source

    def load(self):
        module = types.ModuleType(self.name)
        module.__dict__["__file__"] = f"{self.name}.py"
        exec(self.source, module.__dict__)


SHELVES = [
    (registry, "_units"), (registry, "_measures"), (registry, "_columns"), (executors, "_executors"),
    (writers, "_formats"), (optimiser, "OPTIMIZERS"), (optimiser, "SCHEDULES"),
]  # fmt: skip


def copy(shelf):
    return {name: copy(one) if isinstance(one, dict) else one for name, one in shelf.items()} if isinstance(
        shelf, dict
    ) else list(shelf)  # fmt: skip


@pytest.fixture(autouse=True)
def _shelves(monkeypatch):
    """What a test registers is gone after it."""
    units("loss"), writers.formats(), executors.executors()
    for module, name in SHELVES:
        monkeypatch.setattr(module, name, copy(getattr(module, name)))


@pytest.fixture
def load(monkeypatch, caplog):
    """Load plug-ins of these sources, `mine0` and so on; what is said of them."""

    def loaded(*sources):
        found = [EntryPoint(source, f"mine{number}") for number, source in enumerate(sources)]
        monkeypatch.setattr(plugins, "_entry_points", lambda: found)
        caplog.clear()
        plugins.load()
        return [record.getMessage() for record in caplog.records]

    return loaded


def everything():
    return [copy(getattr(module, name)) for module, name in SHELVES]


# --- what is raised --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("raise ValueError('a\\nb')", "ValueError: a"),
        ("raise ValueError", "ValueError"),
        ("raise Exception('\\x1b[31m' + 'x' * 9999)", "Exception: \\x1b[31mxxx"),
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("def (", "SyntaxError"),
        ("import sys; sys.exit()", "ends the program when it is imported (exit code None)"),
        ("raise SystemExit(3)", "ends the program when it is imported (exit code 3)"),
        ("import argparse; argparse.ArgumentParser().parse_args(['--nothing'])", "ends the program"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("class Mine(BaseException): pass\nraise Mine('x')", "Mine: x"),
        ("def f(): f()\nf()", "RecursionError"),
        ("input()", "EOFError"),
        ("import sys; sys.argv[1]", "IndexError"),
    ],
)
def test_whatever_it_raises_it_is_skipped_with_a_sentence_and_leaves_nothing_behind(load, end, words):
    before = everything()
    (said,) = load(f"{ONE}\n{end}" if "def (" not in end else end)
    assert said.startswith("plugin mine0 is skipped: ")
    assert words in said
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 500
    assert everything() == before


def test_those_beside_one_that_fails_are_loaded(load):
    said = load("raise SystemExit", ONE, "import nowhere_to_be_found")
    assert [line.partition(" is skipped")[0] for line in said] == ["plugin mine0", "plugin mine2"]
    assert "outer" in units("loss")


def test_one_that_fails_takes_all_that_it_registered_back(load):
    before = everything()
    source = f"""
from ebmcli.plugin import *
{ONE}
class Evaluation: ...
@measure(heading="mine")
def goodness(e: Evaluation): ...
@measure(heading="theirs")
def kl(e: Evaluation): ...
@optimizer
def signs(): ...
@schedule
def halved(step, steps): ...
@executor
def echo(): ...
@report_format("mine")
def shout(report, link): ...
"""
    assert load(source) == []
    assert "outer" in units("loss")
    assert everything() != before
    for (module, name), content in zip(SHELVES, before, strict=True):
        setattr(module, name, content)
    before = everything()
    assert len(load(source + "1 / 0")) == 1
    assert everything() == before


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (LOSS.format(name="hinge", parameter="rate"), "loss hinge is already registered by ebmcli.losses.pairs"),
        (ONE + LOSS.format(name="_outer", parameter="rate"), "loss outer is registered twice by mine0"),
        (LOSS.format(name="outer", parameter="lr"), "lr is a setting of every run"),
        (LOSS.format(name="outer", parameter="seed"), "seed is a setting of every run"),
        ("from ebmcli.plugin import *\n@executor\ndef local(): ...", "executor local is already registered"),
        ("from ebmcli.plugin import *\n@report_format()\ndef html(a, b): ...", "report format html is already"),
        ("from ebmcli.plugin import *\n@optimizer\ndef adam(): ...", "optimizer adam is already registered"),
        ("from ebmcli.plugin import *\n@schedule\ndef cosine(a, b): ...", "schedule cosine is already registered"),
    ],
)
def test_it_cannot_take_a_name_that_is_taken(load, source, words):
    before = everything()
    (said,) = load(source)
    assert words in said
    assert everything() == before


def test_of_two_with_one_name_the_first_has_it(load):
    (said,) = load(ONE, ONE)
    assert "plugin mine1 is skipped: UsageError: loss outer is already registered by mine0" in said


# --- what it changes of the process ----------------------------------------------------------------------------------

PRINTS = {
    "print": "print('mine')",
    "stdout": "import sys; sys.stdout.write('mine')",
    "the first stdout": "import sys; sys.__stdout__.write('mine')",
    "descriptor 1": "import os; os.write(1, b'mine')",
    "a child": "import subprocess; subprocess.run(['echo', 'mine'])",
    "a handler of logs": "import logging, sys; logging.StreamHandler(sys.stdout).handle("
    "logging.LogRecord('m', 40, '', 1, 'mine', None, None))",
}


@pytest.mark.parametrize("way", PRINTS)
def test_nothing_that_it_prints_is_on_stdout(load, capfd, way):
    print("before", end=" ")
    assert load(f"{PRINTS[way]}\n{ONE}") == []
    print("after")
    out, err = capfd.readouterr()
    assert out == "before after\n"
    assert "mine" in err or way == "the first stdout"  # which pytest holds
    assert "outer" in units("loss")


def test_what_it_changes_of_the_process_is_put_back(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ebm", "list"])
    (tmp_path / "in").mkdir()

    def state():
        mask = os.umask(0)
        os.umask(mask)
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        streams = [sys.stdin, sys.stdout, sys.stderr]
        return [mask, handlers, os.getcwd(), sys.argv[:], *map(id, streams), len(os.listdir("/dev/fd"))]

    before = state()
    assert load(
        "import os, signal, sys\nassert sys.argv == ['ebm']\n"
        "for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)\n"
        "os.chdir('in'); os.umask(0); sys.argv[:] = ['mine', 'x']\n"
        "import io; sys.stdin = sys.stdout = sys.stderr = io.StringIO()"
    ) == []  # fmt: skip
    assert state() == before


def test_a_folder_that_it_takes_away_or_a_closed_stream_do_no_harm(load, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    (tmp_path / "in").rmdir()
    monkeypatch.setattr(sys, "stdout", None)
    assert load(f"print('mine')\n{ONE}") == []
    assert "outer" in units("loss")


def test_ctrl_c_while_it_is_imported_is_heard(load):
    with pytest.raises(KeyboardInterrupt):
        load("import os, signal; os.kill(os.getpid(), signal.SIGINT)", ONE)
    assert "outer" not in units("loss")


def test_a_list_of_plugins_that_cannot_be_read_is_that_of_a_package_without(tmp_path, monkeypatch):
    for name, text in (("good", b"[ebmcli.plugins]\nmine = good\n"), ("bad", b"[ebmcli.plugins]\n\xff\xfe")):
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (folder / "entry_points.txt").write_bytes(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert [one.value for one in plugins._entry_points()] == ["good"]


def test_one_that_prints_and_exits_beside_a_command_that_prints_json(tmp_path):
    """As installed by PYTHONPATH alone; a real process, whose stdout is a pipe."""
    site = tmp_path / "site"
    for name, source in (
        ("talks", f"print('hello'); import os, sys; os.write(1, b'x'); sys.__stdout__.write('y')\n{ONE}"),
        ("leaves", "exit(3)"),
    ):
        (site / f"{name}-1.dist-info").mkdir(parents=True)
        (site / f"{name}.py").write_text(source)
        (site / f"{name}-1.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (site / f"{name}-1.dist-info" / "entry_points.txt").write_text(f"[ebmcli.plugins]\n{name} = {name}\n")
    out, err = ebm(tmp_path, "list", "losses", "--json", PYTHONUNBUFFERED="")
    assert "outer" in [unit["name"] for unit in json.loads(out)]
    assert "plugin leaves is skipped: it ends the program when it is imported (exit code 3)" in err
