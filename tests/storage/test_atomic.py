"""Files that are whole or not there, and locks that the kernel frees."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ebmcli.execution.supervisor import environment
from ebmcli.storage import atomic
from ebmcli.storage.atomic import checksum, dumps, hold_lock, is_locked, naming_errors, read, to_plain, write


def test_what_is_not_finite_is_null():
    value = {"a": float("nan"), "b": [np.float32("inf"), np.int64(3)], "c": np.float64(0.5), 4: (True, None)}
    assert json.loads(dumps(value)) == to_plain(value) == {"a": None, "b": [None, 3], "c": 0.5, "4": [True, None]}


def test_a_checksum_is_that_of_the_content_whatever_the_order_of_its_keys():
    assert checksum({"a": 1, "b": [2.0, None]}) == checksum({"b": [2.0, float("nan")], "a": 1})
    assert len({checksum(one) for one in ({"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": None})}) == 4


def test_a_written_file_replaces_the_old_one_and_leaves_no_litter(tmp_path):
    for content in (b"old", b"new"):
        write(tmp_path / "f", content)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"new")]
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    write(tmp_path / "f", b"old")
    monkeypatch.setattr(atomic.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space") as error:
        write(tmp_path / "f", b"new")
    assert error.value.filename == str(tmp_path / "f")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"old")]


def test_an_error_names_the_file_that_was_meant(tmp_path):
    with pytest.raises(OSError, match="Is a directory") as error, naming_errors(tmp_path / "meant"):
        tmp_path.read_bytes()
    assert error.value.filename == str(tmp_path / "meant")


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b'{"a', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_none(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    assert read(tmp_path / "f") is None
    assert read(tmp_path / "none") is None
    write(tmp_path / "f", b'{"a": 1}')
    assert read(tmp_path / "f") == {"a": 1}


def test_a_lock_is_seen_while_it_is_held(tmp_path):
    lock = tmp_path / "lock"
    assert not is_locked(lock)
    with hold_lock(lock):
        assert is_locked(lock)
    assert not is_locked(lock)


def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from ebmcli.storage import atomic\n"
        "with atomic.hold_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    lock = tmp_path / "lock"
    command = [sys.executable, "-P", "-c", code, str(lock)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    with process:
        assert process.stdout.readline() == "held\n"
        assert is_locked(lock)
        process.kill()
    assert not is_locked(lock)
