"""The folder of compiled programs: nobody but us may write it, since they are run, and each of them is sealed.

jax checks neither who wrote a program that it finds, nor, with some of its ways to compress, whether it is whole.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ebmcli.core import files
from ebmcli.core.lazy import jax

SEAL = hashlib.sha256().digest_size  # bytes before a program
OTHERS = stat.S_IWGRP | stat.S_IWOTH
FASTEST = 0.1  # seconds; what is compiled in less is not kept


def use(folder: Path, note: Callable[[str], None]) -> None:
    """Keep compiled programs in this folder and take them from there, if we alone can write it; else say why not.

    note: is told that, and of every program that was damaged.
    """
    fault = _fault(folder)
    jax.config.update("jax_compilation_cache_dir", None if fault else str(folder))
    if fault:
        note(f"compiled programs are not kept: {fault}")
        return
    jax.config.update("jax_persistent_cache_min_compile_time_secs", FASTEST)
    with suppress(ImportError):  # a jax without it has its own files there, unsealed
        from jax._src import compilation_cache

        compilation_cache.get_file_cache = lambda path: (_Sealed(Path(path), note), path)  # type: ignore


def _fault(folder: Path) -> str:
    """The reason why a folder is not used, or nothing; it is made, and its parent, where they are not there."""
    try:
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        for place in (folder.parent, folder):
            place.mkdir(0o700, exist_ok=True)
        for place in (folder.parent, folder):
            status = place.stat()
            if status.st_uid != os.geteuid():
                return f"{place} belongs to another user; set XDG_CACHE_HOME to a folder of yours"
            if status.st_mode & OTHERS:
                return f"others may write in {place}; look what is there, then chmod go-w, or remove it"
        open_ones = [place for place in folder.resolve().parents if _replaceable_in(place)]
        return (
            f"others may replace what is in {open_ones[0]}; set XDG_CACHE_HOME to another folder" if open_ones else ""
        )
    except (OSError, RuntimeError) as error:  # the latter of links in a circle
        return (
            f"{folder}: {getattr(error, 'strerror', None) or error}; set XDG_CACHE_HOME to a folder that you may write"
        )


def _replaceable_in(place: Path) -> bool:
    """True if anybody may put another folder in the place of one of ours there."""
    mode = place.stat().st_mode
    return bool(mode & stat.S_IWOTH and not mode & stat.S_ISVTX)


class _Sealed:
    """The files of such a folder, as jax asks for them (its CacheInterface)."""

    def __init__(self, folder: Path, note: Callable[[str], None]):
        self._path, self.note = folder, note

    def get(self, key: str) -> bytes | None:
        """The program of this key, or None; one that is not as it was written is removed."""
        path = self._path / f"{key}.program"
        try:
            content = files.content(path, files.ARRAYS)
        except FileNotFoundError:
            return None
        except (OSError, files.Unfit):
            content = b""
        if hashlib.sha256(content[SEAL:]).digest() == content[:SEAL]:
            return content[SEAL:]
        with suppress(OSError):
            path.unlink()
        self.note(f"{path}: this compiled program was damaged; it is removed and compiled anew")
        return None

    def put(self, key: str, value: bytes) -> None:
        """Keep a program; after a crash its file is whole, or not there."""
        path = self._path / f"{key}.program"
        temporary = self._path / f".{os.getpid()}-{key}"
        try:
            with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(hashlib.sha256(value).digest() + value)
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            self.note(f"{path}: this compiled program is not kept: {error.strerror}")
