"""Compiled programs are taken from a folder that we alone can write, and each as it was written."""

import os

import pytest

from ebmcli.training import compiled, devices

PROGRAM = b"a program " * 100


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of compiled programs of a new home, where what else is on the way is none of others."""
    monkeypatch.setattr(
        compiled, "_replaceable_in", lambda place, of=compiled._replaceable_in: tmp_path in place.parents and of(place)
    )
    return tmp_path / "home" / ".cache" / "ebm" / "programs"


def sealed(folder):
    """(its files as jax asks for them, the list of what is said)."""
    said = []
    assert compiled._fault(folder) == ""
    return compiled._Sealed(folder, said.append), said


def test_the_folder_is_made_for_us_alone_whatever_the_umask(folder):
    before = os.umask(0o002)
    try:
        assert compiled._fault(folder) == ""
    finally:
        os.umask(before)
    assert [place.stat().st_mode & 0o777 for place in (folder.parent, folder)] == [0o700, 0o700]


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o702, 0o1777])
@pytest.mark.parametrize("which", ["itself", "parent"])
def test_one_that_others_may_write_is_not_used(folder, mode, which):
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)
    folder.chmod(0o755)
    assert compiled._fault(folder) == ""
    place = folder if which == "itself" else folder.parent
    place.chmod(mode)
    assert compiled._fault(folder) == f"others may write in {place}; look what is there, then chmod go-w, or remove it"


@pytest.mark.parametrize(("mode", "used"), [(0o777, False), (0o1777, True), (0o755, True), (0o775, True)])
def test_one_that_anybody_may_put_another_in_the_place_of_is_not_used(folder, mode, used):
    assert compiled._fault(folder) == ""
    home = folder.parents[1]
    home.chmod(mode)
    assert (compiled._fault(folder) == "") == used
    assert used or f"others may replace what is in {home}" in compiled._fault(folder)


def test_one_of_another_user_is_not_used_through_a_link_neither(folder, monkeypatch):
    folder.parent.mkdir(parents=True)
    elsewhere = folder.parents[1] / "elsewhere"
    elsewhere.mkdir(0o755)
    folder.symlink_to(elsewhere)
    elsewhere.chmod(0o777)
    assert "others may write" in compiled._fault(folder)
    elsewhere.chmod(0o755)
    assert compiled._fault(folder) == ""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "belongs to another user" in compiled._fault(folder)


def test_a_folder_that_cannot_be_made_is_said(folder):
    folder.parents[2].mkdir(parents=True)
    folder.parents[1].write_text("")
    assert compiled._fault(folder) == f"{folder}: File exists; set XDG_CACHE_HOME to a folder that you may write"
    folder.parents[1].unlink()
    folder.parents[1].symlink_to(folder.parents[1])
    assert "set XDG_CACHE_HOME" in compiled._fault(folder)


def test_where_it_is_not_used_jax_has_none(folder, monkeypatch):
    said, told = [], {}
    monkeypatch.setattr(compiled.jax.config, "update", told.__setitem__)
    monkeypatch.setattr(compiled, "_fault", lambda folder: "why; what to do")
    compiled.use(folder, said.append)
    assert told == {"jax_compilation_cache_dir": None}
    assert said == ["compiled programs are not kept: why; what to do"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1],
        lambda whole: whole[:20],
        lambda whole: b"",
        lambda whole: whole[:50] + bytes([whole[50] ^ 1]) + whole[51:],
        lambda whole: bytes([whole[0] ^ 128]) + whole[1:],
        lambda whole: whole + b"\0",
    ],
    ids=["a byte less", "cut in the seal", "empty", "a bit of the program", "a bit of the seal", "a byte more"],
)
def test_damage_is_named_removed_and_compiled_anew(folder, damage):
    programs, said = sealed(folder)
    assert programs.get("key") is None
    programs.put("key", PROGRAM)
    (path,) = folder.iterdir()
    assert programs.get("key") == PROGRAM
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(damage(path.read_bytes()))
    assert programs.get("key") is None
    assert said == [f"{path}: this compiled program was damaged; it is removed and compiled anew"]
    programs.put("key", PROGRAM)
    assert programs.get("key") == PROGRAM
    assert len(said) == 1


def test_a_pipe_in_the_place_of_a_program_is_not_waited_for(folder):
    programs, said = sealed(folder)
    os.mkfifo(folder / "key.program")
    assert programs.get("key") is None
    assert len(said) == 1
    programs.put("key", PROGRAM)
    assert programs.get("key") == PROGRAM


def test_a_full_disk_keeps_no_program_and_harms_none(folder, monkeypatch):
    programs, said = sealed(folder)
    monkeypatch.setattr(os, "open", lambda *given: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    programs.put("key", PROGRAM)
    assert said == [f"{folder / 'key.program'}: this compiled program is not kept: No space left on device"]


def test_jax_takes_its_programs_from_there():
    """In this session, as in every command."""
    from jax._src import compilation_cache

    assert isinstance(compilation_cache.get_file_cache("x")[0], compiled._Sealed)


@pytest.mark.parametrize(
    ("named", "home", "base"),
    [("/a", "/h", "/a"), ("", "/h", "/h/.cache"), ("a", "/h", "/h/.cache"), ("", "h", None)],
)
def test_the_folder_is_in_the_cache_of_the_user(monkeypatch, named, home, base):
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    monkeypatch.setenv("HOME", home)
    folder = devices.cache_folder()
    assert (folder and str(folder.parents[1])) == base
