"""Outputs of every kind: files, links, stdout, descriptors, pipes and devices; what is left where one fails."""

import os
import subprocess
import threading

import pytest
from helpers.made_up import plane, record, written
from helpers.shell import run_here

from ebmcli.core.errors import UsageError
from ebmcli.storage import output, store

FORMATS = {".md": "md", ".html": "html", ".tex": "latex"}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "chosen", "format"),
    [
        ("x.html", None, "html"), ("x.HTML", None, "html"), ("x.tex", None, "latex"), ("x.tex", "latex", "latex"),
        ("x", None, "md"), ("x.txt", None, "md"), ("x.txt", "html", "html"), ("x.rst", "md", "md"), ("-", None, "md"),
        ("/dev/null", None, "md"), ("/dev/fd/1", "html", "html"), (None, None, "md"), (None, "html", "html"),
    ],
)  # fmt: skip
def test_the_suffix_or_the_option_says_the_format(name, chosen, format):
    assert output.format_of("--format", name and output.Path(name), chosen, FORMATS, "md") == format


@pytest.mark.parametrize(
    ("name", "chosen", "words"),
    [
        ("x.html", "latex", "x.html means html, --format latex another format: leave one of them out"),
        ("x.pdf", None, "write .html and print"), ("x.pdf", "latex", "write .html and print"),
        ("x.docx", None, "word processors"), ("x.xyz", None, "end it in one of .md .html .tex, or say --format"),
        ("x.png", None, "ebm plot"),
    ],
)  # fmt: skip
def test_a_suffix_that_contradicts_or_is_unknown_is_refused(name, chosen, words):
    with pytest.raises(UsageError) as error:
        output.format_of("--format", output.Path(name), chosen, FORMATS, "md")
    assert words in str(error.value)


# --- where it goes ---------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_with_its_mode_and_a_new_one_has_that_of_the_umask(tmp_path):
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "old").chmod(0o600)
    before = os.umask(0o027)
    try:
        for name in ("old", "new"):
            output.deliver(tmp_path / name, b"x", {f"{name}_files/a": b"picture"})
    finally:
        os.umask(before)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in names(tmp_path)}
    assert modes == {"old": 0o600, "new": 0o640, "old_files": 0o750, "new_files": 0o750}
    assert (tmp_path / "new_files" / "a").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "old").read_bytes() == b"x"


def test_links_are_followed_also_to_what_is_not_there_yet(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "target").write_bytes(b"old")
    for link, target in (("a", "target"), ("b", "a"), ("c", "inner/new")):
        (tmp_path / link).symlink_to(target)
        output.check(tmp_path / link)
        output.deliver(tmp_path / link, link.encode())
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / link).read_bytes() == link.encode()
    assert names(tmp_path / "inner") == ["new"]


def test_pipes_devices_and_descriptors_are_written_through(tmp_path):
    os.mkfifo(tmp_path / "p")
    (tmp_path / "link").symlink_to("p")
    for name in ("p", "link"):
        read = []
        reader = threading.Thread(target=lambda read=read: read.append((tmp_path / "p").read_bytes()))
        reader.start()
        assert output.is_stream(tmp_path / name)
        output.deliver(tmp_path / name, b"x" * 100_000)
        reader.join(10)
        assert read == [b"x" * 100_000]
    output.deliver(output.Path("/dev/null"), b"x")
    with pytest.raises(OSError, match="No space left") as error:
        output.deliver(output.Path("/dev/full"), b"x")
    assert error.value.filename == "/dev/full"
    with open(tmp_path / "log", "a") as log:
        log.write("before ")
        log.flush()
        for text in (b"one ", b"two"):
            output.deliver(output.Path(f"/dev/fd/{log.fileno()}"), text)
    assert (tmp_path / "log").read_text() == "before one two", "it is written where it stands"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "a folder; name a file in it"), ("folder", "a folder; name a file in it"),
        ("none/x", "there is no folder none"), ("lost", "there is no folder"), ("circle", "symbolic links"),
        ("file/x", "Not a directory"), ("n" * 300, "too long"),
        ("a\0b", "no file has such a name"), ("/dev/fd/977", "Bad file descriptor"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_output_is_a_sentence_before_anything_is_done(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "lost").symlink_to("none/x")
    before = names(tmp_path)
    with pytest.raises(UsageError) as error:
        output.check(output.Path(name))
    assert words in str(error.value)
    assert names(tmp_path) == before


def test_a_folder_is_wanted_for_a_format_of_many_files(tmp_path):
    (tmp_path / "file").touch()
    output.check(tmp_path, folder=True)
    output.check(tmp_path / "new", folder=True)
    for wrong in (tmp_path / "file", output.STDOUT, output.Path("/dev/null")):
        with pytest.raises(UsageError, match="name a folder"):
            output.check(wrong, folder=True)


# --- what is left where it fails -------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["a", "b", "out"])
def test_nothing_is_left_of_an_output_that_failed(tmp_path, monkeypatch, failing):
    """Of the pictures, neither, and what was there is as it was."""
    (tmp_path / "mine").write_bytes(b"mine")
    real = output.write

    def failing_write(path, content):
        if path.name == failing:
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(output, "write", failing_write)
    for before in (["mine"], ["mine", "out", "out_files"]):
        if "out" in before:
            (tmp_path / "out").write_bytes(b"old")
            (tmp_path / "out_files").mkdir()
        with pytest.raises(OSError, match="No space left"):
            output.deliver(tmp_path / "out", b"new", {"out_files/a": b"1", "out_files/b": b"2"})
        assert names(tmp_path) == before
    assert names(tmp_path / "out_files") == []
    assert (tmp_path / "out").read_bytes() == b"old"


def test_a_file_in_a_folder_where_nothing_can_be_replaced_is_written_in_place(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"a long old text")

    def busy(*_):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(output, "write", busy)
    output.deliver(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    with pytest.raises(OSError, match="busy"):
        output.deliver(tmp_path / "none", b"new")


@pytest.fixture
def sweep(tmp_path):
    """A folder with a small sweep, whose runs have curves."""
    (tmp_path / "results").mkdir()
    folder = written(tmp_path / "results" / "x", [record("hinge", "pcd", s, **plane(0.1, 1.0)) for s in (0, 1)])
    for run in (folder / "runs").iterdir():
        store.append_curve(run, {"step": 5, "kl": 0.7})
    return tmp_path


def test_commands_write_to_stdout_and_say_nothing_else_there(sweep):
    out, _ = run_here(sweep, "export", "x", "--output", "-")
    assert out.startswith("sweep,id,status")
    assert out.count("\n") == 3
    plain, _ = run_here(sweep, "report", "x", "--no-pictures")
    assert run_here(sweep, "report", "x", "--no-pictures", "--output", "-")[0] == plain
    assert run_here(sweep, "report", "x", "--output", "/dev/stdout", "--format", "json")[0].startswith("[")
    assert names(sweep) == ["results"]


def test_tensorboard_is_written_aside_and_replaces_its_own_files_alone(sweep, monkeypatch):
    run_here(sweep, "export", "x", "--to", "tensorboard", "--output", "t")
    before = sorted((sweep / "t").rglob("events*"))
    assert len(before) == 2
    (sweep / "t" / "notes").write_text("mine")
    run_here(sweep, "export", "x", "--to", "tensorboard", "--output", "t")
    assert len(sorted((sweep / "t").rglob("events*"))) == 2
    assert names(sweep / "t") == ["hinge-pcd-moons-s0", "hinge-pcd-moons-s1", "notes"]
    (sweep / "t" / "hinge-pcd-moons-s0" / "notes").write_text("mine")
    _, err = run_here(sweep, "export", "x", "--to", "tensorboard", "--output", "t", code=2)
    assert "holds other files" in err
    runs = sweep / "results" / "x" / "runs"
    _, err = run_here(sweep, "export", "x", "--to", "tensorboard", "--output", str(runs), code=2)
    assert "holds other files" in err
    assert all((run / "result.json").exists() for run in runs.iterdir())
    assert names(sweep) == ["results", "t"]


@pytest.mark.parametrize(
    "command",
    [
        ["report", "--output", "small/x.md"], ["export", "--output", "small/x.parquet"],
        ["export", "--to", "tensorboard", "--output", "small/t"],
    ],
)  # fmt: skip
def test_a_full_disk_is_one_line_and_nothing_is_left(sweep, command):
    small = sweep / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "ebm-test", small], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        (small / "ballast").write_bytes(bytes(4096))
        _, err = run_here(sweep, *command, "--no-pictures" if command[0] == "report" else "--curves", code=1)
        (line,) = [line for line in err.splitlines() if line.startswith("ebm: ")]
        assert f"{command[-1]}: No space left on device" in line
        assert names(small) == ["ballast"]
    finally:
        subprocess.run(["umount", "-l", small], check=True)
