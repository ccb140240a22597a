"""`ebm doctor`: a sound machine passes; locks, renames, folders and a jax that are bad are seen, with what to do."""

import json
import os
from contextlib import contextmanager

import pytest
from helpers.shell import run_here

from ebmcli.checks import machine
from ebmcli.checks.machine import Check
from ebmcli.core.errors import NO_THREADS


def test_a_sound_machine_passes_and_the_cache_hits_in_a_second_process(tmp_path):
    found = {one.name: one for one in machine.examine(tmp_path / "results", 2, True)}
    assert list(found) == ["versions", "cores", "memory", "threads", "room", "locks", "renames", "devices", "cache"]
    for name in ("versions", "room", "locks", "renames", "devices", "cache"):
        assert found[name].good, found[name]
    assert found["devices"].found.startswith("2 x ")
    assert "a second process finds" in found["cache"].found
    assert list(tmp_path.iterdir()) == []


def test_a_jax_that_does_not_start_is_bad_and_says_what_to_look_at(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "nonsense")
    out, _ = run_here(tmp_path, "doctor", code=1)
    assert "BAD  devices   jax does not start" in out
    assert "look at JAX_PLATFORMS" in out


def test_threads_that_the_system_refuses_are_counted(monkeypatch):
    begun = []

    def start(thread):
        if len(begun) == 3:
            raise RuntimeError("can't start new thread")
        begun.append(thread)

    monkeypatch.setattr(machine.threading.Thread, "start", start)
    assert machine._threads() == Check("threads", False, "only 3 more threads", NO_THREADS)


@pytest.mark.parametrize(
    ("told", "good", "found"),
    [
        ({"hits": 1, "folder": "/c"}, True, "a second process finds compiled programs in /c"),
        ({"hits": 0, "folder": "/c"}, False, "a second process does not find compiled programs in /c"),
        ({"hits": 0, "folder": None}, False, "no folder for compiled programs"),
        (
            {"hits": 0, "folder": "/c", "notes": ["compiled programs are not kept: why; do"]},
            False,
            "compiled programs are not kept: why",
        ),
    ],
)
def test_what_is_said_of_the_cache(monkeypatch, told, good, found):
    class Done:
        returncode, stderr, stdout = 0, "", json.dumps({"devices": "2 x cpu", "notes": []} | told)

    monkeypatch.setattr(machine, "_child", lambda command: Done)
    devices, cache = machine._jax(None, True)
    assert (devices.good, devices.found) == (True, "2 x cpu")
    assert (cache.good, cache.found) == (good, found)
    assert cache.good or cache.advice
    assert list(machine._jax(None, False))[1] == Check("cache", True, "off (--no-compile-cache)")


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_one_line_is_printed_per_check_and_the_exit_code_says_whether_all_are_good(tmp_path, monkeypatch, good, code):
    checks = [Check("room", True, "9 GiB free", "make room"), Check("locks", good, "seen", "a local disk")]
    monkeypatch.setattr("ebmcli.cli.doctor.examine", lambda *_: iter(checks))
    lines = run_here(tmp_path, "doctor", code=code)[0].splitlines()
    assert lines[0] == "ok   room      9 GiB free"
    assert lines[1] == ("ok   locks     seen" if good else "BAD  locks     seen: a local disk")
    assert [line.startswith("all is well") for line in lines[2:]] == [True] * good
    found = json.loads(run_here(tmp_path, "doctor", "--json", code=code)[0])
    assert found[1] == {"name": "locks", "good": good, "found": "seen", "advice": "" if good else "a local disk"}


# --- faults that are planted -----------------------------------------------------------------------------------------


def test_locks_that_do_not_hold_are_seen(tmp_path, monkeypatch):
    @contextmanager
    def nothing(path):
        path.touch()
        yield

    assert machine._locks(tmp_path) == ""
    monkeypatch.setattr(machine, "hold_lock", nothing)
    assert "does not see" in machine._locks(tmp_path)


def test_a_lock_that_outlives_its_holder_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "is_locked", lambda path: True)
    assert machine._locks(tmp_path) == "the lock of a killed process stays"


def test_renames_that_do_not_hold_are_seen(tmp_path, monkeypatch):
    assert machine._renames(tmp_path) == ""
    monkeypatch.setattr(machine, "write", lambda path, content: path.exists() or path.write_bytes(content))
    (tmp_path / "more").mkdir()
    assert "still the old one" in machine._renames(tmp_path / "more")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    lines = list(machine._folder(tmp_path / "none"))
    assert [(line.name, line.good) for line in lines] == [("results", False)]
    assert os.strerror(2) in lines[0].found
