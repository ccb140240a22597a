"""Only regular files of a sane size and depth are read, and only by core.files."""

import ast
import io
import json
import os
import socket
import zipfile

import numpy as np
import pytest
from helpers.shell import ROOT

from ebmcli.core import files
from ebmcli.core.files import Unfit

# Other ways of opening files, and where they stand: they write, or what they open is no file that somebody has made.
OPENING = {
    "open", "read_text", "read_bytes", "load", "read_csv", "read_parquet", "loadtxt", "genfromtxt", "fromfile",
    "memmap", "imread", "ZipFile", "copyfile", "copy2", "copy", "FileIO",
}  # fmt: skip
OF = {"load": {"np", "numpy", "json", "tomllib", "pickle"}, "copy": {"shutil"}, "ZipFile": {"zipfile"}}
ALLOWED = {
    "cli/output.py": 1,  # stands in for a stream that the caller closed
    "core/files.py": 4,
    "core/plugins.py": 2,  # a folder, and the device that holds nothing
    "storage/atomic.py": 3,  # written, fsynced, and noted for a test
    "storage/output.py": 2,  # written through
    "storage/store.py": 1,  # appended to
    "training/compiled.py": 2,  # written
}


def opened(source):
    """How many calls of a module open a file."""
    count = 0
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            function = call.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            owner = getattr(getattr(function, "value", None), "id", "")
            count += name in OPENING and owner in OF.get(name, {owner})
    return count


def test_nothing_else_opens_a_file():
    package = ROOT.parent / "ebmcli"
    modules = [path for path in package.rglob("*.py") if path.parent.name != "data"]
    found = {path.relative_to(package).as_posix(): opened(path.read_text()) for path in modules}
    assert {name: count for name, count in found.items() if count} == ALLOWED, "read files by core.files.content"


@pytest.mark.parametrize(
    "line",
    [
        "open(x)", "x.open()", "os.open(x, 0)", "Path(x).read_text()", "x.read_bytes()", "np.load(x)", "json.load(x)",
        "tomllib.load(x)", "pandas.read_csv(x)", "shutil.copyfile(x, y)", "zipfile.ZipFile(x)",
    ],
)  # fmt: skip
def test_every_way_of_opening_is_known(line):
    assert opened(f"def f(x, y):\n    return {line}") == 1
    assert opened("experiment_file.load(x), json.loads(x), content(x), config.copy()") == 0


# --- files -----------------------------------------------------------------------------------------------------------


def odd_files(folder):
    """Files that are none to be read, and the word that says so."""
    os.mkfifo(folder / "pipe")
    (folder / "inner").mkdir()
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(folder / "socket"))
    (folder / "sparse").touch()
    os.truncate(folder / "sparse", 2**40)
    (folder / "link").symlink_to("pipe")
    (folder / "zero").symlink_to("/dev/zero")
    return {
        "pipe": "named pipe", "inner": "folder", "socket": "socket", "sparse": "1,048,576 MiB", "link": "named pipe",
        "zero": "device", "a\0b": "no file has such a name",
    }  # fmt: skip


def test_what_is_no_regular_file_of_a_sane_size_is_refused_at_once(tmp_path):
    for name, word in odd_files(tmp_path).items():
        for read in (files.content, files.arrays):
            with pytest.raises(Unfit, match=word) as error:
                read(tmp_path / name)
            assert "\n" not in str(error.value)
    for name in ("none", "circle"):
        (tmp_path / "circle").unlink(missing_ok=True)
        (tmp_path / "circle").symlink_to("circle")
        with pytest.raises(OSError, match=r"No such file|symbolic links") as error:
            files.content(tmp_path / name)
        assert error.value.filename


def test_a_file_of_the_limit_is_read_and_one_more_byte_is_too_much(tmp_path):
    (tmp_path / "x").write_bytes(bytes(10))
    (tmp_path / "link").symlink_to("x")
    assert files.content(tmp_path / "link", 10) == bytes(10)
    with pytest.raises(Unfit, match="at most"):
        files.content(tmp_path / "x", 9)
    assert len(files.content(files.Path("/proc/self/status"))) > 100, "its size is 0"
    with pytest.raises(Unfit, match="at most"):
        files.content(files.Path("/proc/self/status"), 100)


def test_a_pipe_that_comes_in_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    (tmp_path / "x").touch()
    before = os.stat(tmp_path / "x")
    (tmp_path / "x").unlink()
    os.mkfifo(tmp_path / "x")
    monkeypatch.setattr(files.os, "stat", lambda _: before)
    with pytest.raises(Unfit, match="named pipe"):
        files.content(tmp_path / "x")


# --- what they hold --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, "[" * 40 + "]" * 40, '{"a":' * 40 + "1" + "}" * 40, "NaN", "[Infinity]", "-Infinity", "1e400",
        str(2**63), "9" * 5000, "", "{", '{"a": 1,}', "[" + "1," * 6_000_000 + "1]",
    ],
    ids=lambda text: text[:9],
)  # fmt: skip
def test_json_that_is_deep_huge_or_no_number_is_refused(text):
    for content in (text, text.encode()):
        with pytest.raises(ValueError, match=r"\w"):
            files.parse_json(content)


def test_json_of_ours_is_read():
    value = {"a": [1, -(2**63) + 1, 0.5, 1e308, None, True, "é\udce9"], "b": {}, "c": [[[{}]]]}
    assert files.parse_json(json.dumps(value)) == value


def archive(**entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


def test_arrays_that_are_damaged_hold_objects_or_would_fill_the_memory_are_refused(tmp_path):
    path, buffer = tmp_path / "x.npz", io.BytesIO()
    np.savez_compressed(buffer, a=np.arange(3.0), b=np.zeros((0, 2)))
    path.write_bytes(buffer.getvalue())
    assert files.arrays(path)["a"].tolist() == [0.0, 1.0, 2.0]
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    lies = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], object), allow_pickle=True)
    for content in (
        b"", buffer.getvalue()[:-9], archive(a=b"text"), archive(**{"a.npy": lies}),
        archive(**{"a.npy": pickled.getvalue()}),
    ):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(Unfit, match="damaged"):
            files.arrays(path)


def test_too_many_arrays_are_refused_before_they_are_listed(tmp_path, monkeypatch):
    np.savez(tmp_path / "x.npz", a=np.zeros(1), b=np.zeros(1), c=np.zeros(1))
    assert len(files.arrays(tmp_path / "x.npz")) == 3
    monkeypatch.setattr(files, "MEMBERS", 2)
    with pytest.raises(Unfit, match="damaged"):
        files.arrays(tmp_path / "x.npz")


def test_arrays_that_unpack_to_too_much_are_not_unpacked(tmp_path, monkeypatch):
    (tmp_path / "x.npz").write_bytes(archive(**{"a.npy": bytes(3_000_000)}))
    monkeypatch.setattr(files, "ARRAYS", 2 * files.MIB)
    with pytest.raises(Unfit, match="3 MiB, of such a file at most 2 are read"):
        files.arrays(tmp_path / "x.npz")


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "/a", "a\0b", "x" * 256, "é" * 128, "\ud800"])
def test_what_is_no_name_of_a_file(name):
    assert not files.is_file_name(name)
    assert files.is_file_name("hinge-pcd-moons-s0-1a2b3c")
    assert files.is_file_name("é\udce9")
